# The commands that the README promises; `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := exporter grafana compose tests bench
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest
# Some tests wait: a worker more than there are processors keeps all of these busy.
WORKERS = $(shell expr 1 + "$$(getconf _NPROCESSORS_ONLN)")
UNIT_TESTS = --numprocesses=$(WORKERS) --dist=worksteal tests/unit
# Tests that share a server, a browser or an image run in the same worker.
OTHER_TESTS = --numprocesses=$(WORKERS) --dist=loadgroup --ignore=tests/unit
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo quick test check bench dashboards chart lock format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/runtime ## try it: simulated jobs and the exporter, on http://localhost:9834
	@exec $(BIN)/braket-exporter demo

quick: .venv/development ## run the unit tests in parallel, in half a minute
	$(PYTEST) --quiet $(UNIT_TESTS) --hypothesis-profile=quick

test: check ## run everything: lint, types, all tests, coverage
	$(PYTEST) $(UNIT_TESTS) --cov --cov-report= --cov-fail-under=0
	$(PYTEST) $(OTHER_TESTS) --cov --cov-append --cov-report=term-missing

check: .venv/development ## lint and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/development ## measure, beside the named peers; prints ratios
	$(BIN)/python bench/plan.py
	$(BIN)/python bench/calls.py
	$(BIN)/python bench/start.py
	$(BIN)/python bench/scrape.py
	$(BIN)/python bench/restart.py

dashboards: .venv/development ## write the Grafana dashboards anew, from their code in grafana/
	$(BIN)/python -m grafana

chart: ## write the table of the chart's README anew
	cd helm/braket-exporter && "$(CURDIR)/.cache/tools/bin/readme-generator" -v values.yaml -r README.md

lock: .venv/development ## pin the image's packages anew
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(LOCK) --output-file requirements-build.lock -

format: .venv/development ## put the code in form
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean: ## forget the environment and all caches
	rm -rf .venv .cache .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/runtime: .venv/python pyproject.toml
	@echo "Installing braket-exporter into .venv ..."
	@$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/development: .venv/runtime
	@echo "Installing the development tools into .venv ..."
	@$(BIN)/pip install --quiet --group dev
	@touch $@

# Debian keeps a part of venv in a package of its own.
.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "braket-exporter needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -yqq python3-venv && $(PYTHON) -m venv --clear .venv; } \
	  || { rm -rf .venv; echo "python3 -m venv does not work; on Debian: sudo apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --upgrade pip
	@touch $@
