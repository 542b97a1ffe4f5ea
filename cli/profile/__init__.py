"""Where the time goes: of a model, of a pipeline, of a transport; and whether a change made it slower."""

from cli.profile.transport import transport

__all__ = ["transport"]
