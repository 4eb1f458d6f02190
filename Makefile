# Everything a developer or a self-hoster types. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
COMPILE = $(LOCK_VENV)/bin/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock" $(UV_FLAGS) pyproject.toml
LOCK_VENV := $(VENV)/.lock

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run setup test check web web-check audit web-types screenshots format lock bench bench-full bench-figures bench-retention clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.run ## start everything on http://127.0.0.1:8000 (database, server, worker); Ctrl-C stops it
	@$(BIN)/analytics-api run

setup: $(VENV)/.dev ## make .venv with all that development and the tests need

test: $(VENV)/.dev web/node_modules/.stamp examples/vue-app/node_modules/.stamp ## run all tests (ARGS="-k words" narrows them)
	@$(BIN)/pytest -n 2 $(ARGS)

check: $(VENV)/.dev ## lint, formatting, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

web: web/node_modules/.stamp ## build what browsers get into the Python package
	$(WITH_NODE) npm --prefix web run build

web-check: web/node_modules/.stamp ## lint, types and unit tests of web/
	@$(WITH_NODE) npm --prefix web run check

web-types: $(VENV)/.dev web/node_modules/.stamp ## the API's types for the dashboard, after a change of a call that it uses
	$(BIN)/python web/dashboard/openapi.py
	$(BIN)/python web/dashboard/words.py
	$(WITH_NODE) npm --prefix web run types --workspace dashboard

screenshots: $(VENV)/.dev ## every page of the dashboard in four modes, into build/screenshots (needs Chromium)
	@PYTHONPATH=. $(BIN)/python web/dashboard/screenshots.py $(ARGS)

audit: ## look the pinned dependencies up in the database of known vulnerabilities
	@$(PYTHON) tools/dependency_audit.py requirements/base.txt

format: $(VENV)/.dev ## format the code and apply the safe lint fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev ## measure throughput and latency against the bare limits of this machine
	@$(BIN)/python -m benchmarks $(ARGS)

bench-full: $(VENV)/.dev ## the benchmarks that take hours (ARGS="--minutes 10 --millions 5" takes one)
	@$(BIN)/python -m benchmarks.long $(ARGS)

bench-figures: $(VENV)/.dev ## how fast figures are answered at 1 and 10 million events (ARGS="--thousands 100 1000" takes minutes)
	@$(BIN)/python -m benchmarks.figures $(ARGS)

bench-retention: $(VENV)/.dev ## what removing a million old events costs those who send new ones (ARGS="--thousands 50" takes a minute)
	@$(BIN)/python -m benchmarks.retention $(ARGS)

lock: ## pin the dependencies of pyproject.toml again (UV_FLAGS=--upgrade takes newer versions)
	@$(PYTHON) -m venv --clear $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python -m pip --quiet --disable-pip-version-check install uv
	@$(COMPILE) --output-file requirements/base.txt
	@$(COMPILE) --group dev --constraint requirements/base.txt --output-file requirements/dev.txt
	@$(LOCK_VENV)/bin/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(UV_FLAGS) --group build --constraint requirements/dev.txt \
		--output-file requirements/build.txt
	@$(LOCK_VENV)/bin/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(UV_FLAGS) --group audit --constraint requirements/dev.txt \
		--output-file requirements/audit.txt
	@rm -rf $(LOCK_VENV)

clean: ## remove .venv and all that was built; data in .data stays
	rm -rf $(VENV) dist build web/node_modules benchmarks/browser/node_modules examples/vue-app/node_modules web/sdk/dist clients/python/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src clients examples tests -name __pycache__ -prune -exec rm -rf {} +

# Node comes with the Python packages, in the version that they pin; it trusts whom this machine trusts.
WITH_NODE = NODE_USE_SYSTEM_CA=1 PATH="$(CURDIR)/$(BIN):$$PATH"

%/node_modules/.stamp: %/package-lock.json | $(VENV)/.dev
	@cd $* && $(WITH_NODE) npm ci --ignore-scripts --no-fund --no-audit && touch node_modules/.stamp

# A stamp is newer than the files it was made from, so a second call does nothing and a changed pin installs again.
# pip comes last when an environment is made: without it the environment is incomplete and is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or newer," \
		"or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed;" \
		"$(PYTHON) is `$(PYTHON) --version`. Name a newer one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks its venv module:" \
		"install it (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.run: requirements/base.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what is needed to run (the first time this takes a minute) ..."
	@$(PIP) --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/base.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what development needs (the first time this takes a minute) ..."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.run $@
