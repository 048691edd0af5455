# Five targets carry the daily work; `make help` lists the rest. Each sets up what it needs by itself.
# PYTHON=… names the Python to set up with; ARGS=… is handed on.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && exit; done; echo python3)
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check bench clean help setup console
.DEFAULT_GOAL := help

demo: setup ## A synthetic county with everything running (ARGS=--once: load, compare, one line of JSON)
	@$(BIN)/doudi demo $(ARGS)

# First those that open no connection, on two processors; the others are run also where one of these fails.
ALONE := tests/unit tests/property tests/rules tests/architecture
test: ## All tests, on real servers (ARGS="tests/unit -k word": some)
	@$(PYTHON) -I doudi/bootstrap.py --browser
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest -n 2 $(ALONE); first=$$?; $(BIN)/python -m pytest $(ALONE:%=--ignore=%) && exit $$first
else
	@$(BIN)/python -m pytest $(ARGS)
endif

check: setup ## Lint, format, types, import contracts, the console's own checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PYTHON) -I doudi/bootstrap.py --npm run --silent check

bench: setup ## Side by side with idiomatic Faust on the same records; figures in build/bench/results.json
	@$(BIN)/python -m bench $(ARGS)

clean: ## Remove what was built, and the demo's data; downloads stay in the cache
	@if [ -x $(BIN)/doudi ]; then $(BIN)/doudi down >/dev/null 2>&1 || true; fi
	@rm -rf .venv .doudi build dist console/node_modules console/dist .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: ## Virtual environment, packages, JVM artifacts, console: done by the others when needed
	@$(PYTHON) -I doudi/bootstrap.py

console: setup ## The built web page in console/dist

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done
