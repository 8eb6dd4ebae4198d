# Everything here needs Python 3.11 or newer, make, pip and git, and nothing else by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=

.PHONY: help demo test check format clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: $(READY) ## Run the whole app against a stand-in GitHub (DEMO_ARGS=--once ends by itself)
	@$(BIN)/sluice demo $(DEMO_ARGS)

test: $(READY) ## Run the test suite
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(READY) ## Lint, format, types, import contracts
	@echo "ruff check" && $(BIN)/ruff check .
	@echo "ruff format" && $(BIN)/ruff format --check .
	@echo "basedpyright" && $(BIN)/basedpyright --warnings
	@echo "import contracts" && $(BIN)/lint-imports --no-cache

format: $(READY) ## Put the code into its standard form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml
	@echo "Making a virtual environment in $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sluice needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing Sluice and its development tools (about 500 MB, a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
	@echo "Installed."
