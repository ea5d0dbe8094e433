# The commands that the README promises; `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := exporter grafana compose scripts tests bench
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest
# Some tests wait: more workers than there are processors keep all of these busy.
WORKERS = $(shell expr 1 + "$$(getconf _NPROCESSORS_ONLN)")
QUICK_WORKERS = $(shell expr 2 + "$$(getconf _NPROCESSORS_ONLN)")
UNIT_TESTS = --numprocesses=$(WORKERS) --dist=worksteal tests/unit
# Tests that share a server, a browser or an image run in the same worker.
OTHER_TESTS = --numprocesses=$(WORKERS) --dist=loadgroup --ignore=tests/unit
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo quick test check bench docs docs-tables dashboards chart lock format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/runtime ## try it: simulated jobs and the exporter, on http://localhost:9834
	@exec $(BIN)/braket-exporter demo

quick: .venv/development ## run the unit tests in parallel, in half a minute
	$(PYTEST) --quiet $(UNIT_TESTS) --numprocesses=$(QUICK_WORKERS) --hypothesis-profile=quick

test: check ## run everything: lint, types, all tests, coverage
	@unit=0; \
	set -x; \
	$(PYTEST) $(UNIT_TESTS) --cov --cov-report= --cov-fail-under=0 || unit=$$?; \
	$(PYTEST) $(OTHER_TESTS) --cov --cov-append --cov-report=term-missing && exit $$unit

check: .venv/development ## lint, types, layers, prose
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(PYTEST) --quiet tests/unit/docs/test_prose.py

bench: .venv/development ## measure against named peers; print ratios
	$(BIN)/python bench/plan.py
	$(BIN)/python bench/calls_an_hour.py
	$(BIN)/python bench/calls.py
	$(BIN)/python bench/events.py
	$(BIN)/python bench/get_job_cost.py
	$(BIN)/python bench/first_fill.py
	$(BIN)/python bench/batches.py
	$(BIN)/python bench/start.py
	$(BIN)/python bench/scrape.py
	$(BIN)/python bench/readers.py
	$(BIN)/python bench/memory.py
	$(BIN)/python bench/restart.py
	PYTHONPATH=tests $(BIN)/python bench/targets.py
	$(BIN)/python bench/under_load.py

docs: .venv/development ## build the documentation site into .cache/site; check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-tables: .venv/development ## write the tables of costs, metrics and settings into docs/
	$(BIN)/python -m scripts.docs_tables

dashboards: .venv/development ## rebuild the Grafana dashboards from their code in grafana/
	$(BIN)/python -m grafana

chart: .venv/development ## rebuild the table of the chart's README and its file of defaults
	$(BIN)/python -m scripts.chart_defaults
	cd helm/braket-exporter && "$(CURDIR)/.cache/tools/bin/readme-generator" -v values.yaml -r README.md

lock: .venv/development ## update the image's pinned packages
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(LOCK) --output-file requirements-build.lock -

format: .venv/development ## format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean: ## delete the environment and all caches
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
