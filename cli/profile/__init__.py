"""Where the time goes: of a model, of a pipeline, of a transport; and whether a change made it slower."""

from cli.profile.capacity import capacity
from cli.profile.model import model
from cli.profile.pipeline import pipeline
from cli.profile.transport import transport

__all__ = ["capacity", "model", "pipeline", "transport"]
