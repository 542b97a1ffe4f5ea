"""``python -m simulation.statistics``: compare simulated drives with real recordings and write a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from errors import UserError
from simulation.statistics.compare import compare
from simulation.statistics.report import write_report


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 2 for a mistake that the line on standard error names."""
    parser = argparse.ArgumentParser(prog="python -m simulation.statistics", description=__doc__)
    parser.add_argument("--simulated", type=Path, nargs="+", required=True, metavar="DIR", help="simulated drives")
    parser.add_argument("--real", type=Path, nargs="+", required=True, metavar="PATH",
                        help="SemanticKITTI sequences or KITTI raw drives")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where report.md and the rest go")
    parser.add_argument("--frames", type=int, default=20, metavar="N", help="at most so many of each (default: 20)")
    given = parser.parse_args(arguments)
    try:
        report = compare(given.simulated, given.real, at_most=given.frames)
        write_report(report, given.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.out / 'report.md'}: {len(given.simulated)} simulated, {len(given.real)} real recordings compared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
