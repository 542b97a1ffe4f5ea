# `make play` and `make test` do everything, on a fresh machine too; the second time they are quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DRIVE := build/demo-drive
DRIVE_FRAMES := 60

.PHONY: setup play test format clean

setup: $(VENV)/.play-ready

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Rangecast needs Python 3.11 or newer: make PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: apt-get install python3-venv"; exit 1; }

$(VENV)/.play-ready: pyproject.toml | $(VENV)/bin/python
	@sh tools/system-packages.sh
	@echo "installing what playing needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --editable '.[sim]'
	@touch $@

$(VENV)/.test-ready: pyproject.toml | $(VENV)/.play-ready
	@echo "installing what the tests need into $(VENV) (torch among it)"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# The main job: simulate a drive, run the graph on it without loss, leave video, labels, proposals and the account in out/demo.
play: setup
	@$(BIN)/python run.py simulate --out $(DRIVE) --frames $(DRIVE_FRAMES) --seed 5 --force
	@$(BIN)/python run.py play configs/pipelines/demo.yaml --data $(DRIVE) --rate max --out out/demo --overwrite

test: $(VENV)/.test-ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -n 3
	@$(BIN)/python -m pytest --quiet

format: $(VENV)/.test-ready
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf build out
