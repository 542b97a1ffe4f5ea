#!/usr/bin/env python3
"""Rangecast's one door: `run.py play | simulate | graph | validate | doctor`. See `run.py --help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

if __name__ == "__main__":
    from cli.main import main

    sys.exit(main(sys.argv[1:]))
