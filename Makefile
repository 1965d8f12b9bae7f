# Two commands: `make demo` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export PYTHONUNBUFFERED := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint soak study airflow lock

.venv/ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; install one or name it: make PYTHON=/path/to/python3.12 demo"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: .venv/ready
	$(BIN)/gridsettle demo

# The homes of the tests stand in memory where it has 8 GB to spare: they commit thousands of times.
MEMORY := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 8000000 {print "/dev/shm"}')

test: .venv/ready lint
	$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! grep -n '://' requirements.lock

soak: .venv/ready
	GRIDSETTLE_SOAK=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --timeout=3600

study: .venv/ready
	$(BIN)/python benchmarks/study/run.py --days 62 --scenarios 5
	$(BIN)/python -m benchmarks.study.replay

airflow: .venv/ready
	$(BIN)/gridsettle init
	$(BIN)/gridsettle ingest data/sample/2022-07
	$(BIN)/python -m jobs.airflow_server

lock:
	uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes --no-header --no-annotate -o requirements.lock
