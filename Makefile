# The door: these targets are the only commands that people need.
.DEFAULT_GOAL := help
.PHONY: help install local local-down test test-airflow soak lint bench clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
AIRFLOW_VENV := .venv-airflow
AIRFLOW_STAMP := $(AIRFLOW_VENV)/.installed
TEST_ARGS ?=

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

install: $(STAMP)  ## create .venv with everything (needs Python 3.11 or newer)

$(STAMP): pyproject.toml requirements.txt
	@python=$$(for p in python3.13 python3.12 python3.11 python3 python; do \
	    $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done); \
	if [ -z "$$python" ]; then \
	    echo "No Python 3.11 or newer with venv on the PATH. Install one (Debian: apt-get install python3 python3-venv), then run make again." >&2; exit 1; fi; \
	echo "Creating $(VENV) with $$($$python --version) ..." >&2; \
	$$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

local: $(STAMP)  ## the whole system on this machine: no AWS account, no Docker, no Pulumi CLI
	@$(BIN)/ops local up
	@$(BIN)/ops local demo

local-down: $(STAMP)  ## stop the local environment; leaves no process behind
	@$(BIN)/ops local down

test: $(STAMP)  ## unit, program, behaviour and fault tests
	@$(BIN)/pytest -n 2 --dist worksteal -m "not soak and not airflow" $(TEST_ARGS)

test-airflow: $(STAMP) $(AIRFLOW_STAMP)  ## the DAG on real Airflow, its task on the embedded AWS; installs Airflow (Python 3.11)
	@$(BIN)/pytest -m airflow tests/airflow $(TEST_ARGS)

$(AIRFLOW_STAMP): tests/airflow/requirements.txt
	@command -v python3.11 >/dev/null || { echo "Airflow 2.10.3 runs on MWAA with Python 3.11, which is not on the PATH." >&2; exit 1; }
	@python3.11 -m venv $(AIRFLOW_VENV)
	@$(AIRFLOW_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

soak: $(STAMP)  ## the long tests: kills, restarts and load, some minutes more
	@$(BIN)/pytest -n 2 --dist worksteal -m soak $(TEST_ARGS)

lint: $(STAMP)  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(STAMP)  ## benchmarks against named peers
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BIN)/python -m bench

clean: ## remove what make made
	rm -rf $(VENV) $(AIRFLOW_VENV) .local bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
