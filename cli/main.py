"""Puts the verbs together, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
import typer.main

from cli import evaluate, export, import_, profile
from cli.detect import detect
from cli.doctor import doctor
from cli.features import features
from cli.graph import graph
from cli.play import play
from cli.propose import propose
from cli.simulate import simulate
from cli.top import top
from cli.train import train
from cli.validate import validate
from errors import UserError, hint

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

# UsageError of whichever click typer is built on.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

VERBS = (play, top, simulate, train, features, propose, detect, graph, validate, doctor)
GROUPS = {
    "evaluate": (evaluate.segmentation, evaluate.detection, evaluate.proposals, evaluate.actions),
    "export": (export.model, export.list_, export.verify, export.inspect, export.cache),
    "import": (import_.detector, import_.squeezesegv3),
    "profile": (profile.model, profile.pipeline, profile.capacity, profile.transport),
}
"""Verbs with verbs of their own: ``run.py evaluate segmentation``."""


def build() -> Any:
    """The command with all its verbs."""
    app = typer.Typer(
        help="Rangecast: a streaming perception pipeline for LiDAR and video.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for verb in VERBS:
        app.command()(verb)
    for name, verbs in GROUPS.items():
        group = typer.Typer(rich_markup_mode=None)
        for verb in verbs:
            group.command(verb.__name__.rstrip("_"))(verb)
        module = ".".join(verbs[0].__module__.split(".")[:2])  # cli.evaluate, of cli.evaluate.scans too
        app.add_typer(group, name=name, help=sys.modules[module].__doc__)
    return typer.main.get_command(app)


def main(arguments: Sequence[str]) -> int:
    """Run one verb. 0 well; 1 the run failed; 2 a user's mistake, told in one line; 130 interrupted."""
    command = build()
    arguments = _in_full(arguments)
    try:
        code = command.main(list(arguments), prog_name="run.py", standalone_mode=False)
    except UserError as error:
        return _complain(str(error))
    except UsageError as error:
        return _usage(error, arguments)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0


def _in_full(arguments: Sequence[str]) -> Sequence[str]:
    """``export squeezesegv3-21`` is short for ``export model squeezesegv3-21``."""
    verbs = {verb.__name__.rstrip("_") for verb in GROUPS["export"]}
    if len(arguments) > 1 and arguments[0] == "export" and arguments[1] not in {*verbs, "--help"}:
        return ["export", export.MODEL_VERB, *arguments[1:]]
    return arguments


def _usage(error: Any, arguments: Sequence[str]) -> int:
    text = error.format_message()
    verbs = [*(verb.__name__ for verb in VERBS), *GROUPS]
    verb = next((word for word in arguments if not word.startswith("-")), "")
    if verb not in verbs:
        return _complain(f"run.py has no verb {verb!r}; {hint(verb, verbs)}")
    return _complain(f"{verb}: {' '.join(text.split())} (see: run.py {verb} --help)")


def _complain(text: str) -> int:
    sys.stdout.flush()
    print(f"error: {text}", file=sys.stderr)
    return EXIT_USER_ERROR
