# Each target makes the environment it needs; a machine with make and Python (with pip and venv) is enough.
# Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint bench bench-peers docs-check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.core ## run the quickstart: which attention solves more tasks per second, and why
	@$(BIN)/kinesim run scenarios/quickstart.yaml

test: .venv/.dev ## run the default test suite on all cores
	$(BIN)/pytest -n auto --dist worksteal -q -m "not slow"

lint: .venv/.dev ## check style, formatting, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.core ## time the simulator and print the table
	$(BIN)/python benchmarks/speed.py

bench-peers: .venv/.core ## time other simulators on the same work and print the ratios
	$(BIN)/python benchmarks/peers.py

docs-check: .venv/.dev ## run every example of the docstrings and pages, check every link
	$(BIN)/pytest -n auto -q --doctest-modules simulator workloads
	$(BIN)/pytest -n auto -q tests/docs

clean: ## remove the environment, caches and build products; results in out/ stay
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Empty stamp files say what .venv holds. Both stand for an editable install, so only a change of
# pyproject.toml makes them out of date. The larger environment is also the smaller one.

define make-venv
@command -v $(PYTHON) >/dev/null || { \
	echo "kinesim needs Python 3.11 or newer and found no $(PYTHON)" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "kinesim needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>&1`." \
		"Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) cannot make virtual environments: its venv module is missing" \
		"(Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
$(PYTHON) -m venv .venv
endef

# Byte code is made when a module is first imported, not for the thousands that never are: 80 MB less.
.venv/.core: pyproject.toml
	$(make-venv)
	$(BIN)/python -m pip install --quiet --no-compile -e .
	@touch $@

.venv/.dev: pyproject.toml
	$(make-venv)
	$(BIN)/python -m pip install --quiet --no-compile -e ".[dev,plot]"
	@touch .venv/.core $@
