#!/usr/bin/env python3
"""Rangecast's one door: `run.py play | simulate | graph | validate | doctor`. See `run.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

if __name__ == "__main__":
    try:
        from cli.main import main
    except ModuleNotFoundError as error:
        remedy = "run `make setup`, then .venv/bin/python run.py"
        print(f"error: {error.name} is not installed for {sys.executable}; {remedy}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
