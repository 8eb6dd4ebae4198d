# Everything here needs Python 3.11 or newer, make, pip and git, and nothing else by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=
TEST_ARGS ?=
SOAK_ARGS ?=

# What we are compared with lives in an environment of its own, and needs a newer Python
PEER_PYTHON ?= python3.12
PR_AGENT := 0.49.0
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready-$(PR_AGENT)

# A server that reviews must get through lives in one of its own too
LITELLM_PYTHON ?= python3
LITELLM := 1.108.5
PROXY := .venv-litellm
PROXY_READY := $(PROXY)/.ready-$(LITELLM)

.PHONY: help demo test pictures check format bench bench-peers compatibility soak clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: $(READY) ## Run the whole app against a stand-in GitHub (DEMO_ARGS=--once ends by itself)
	@$(BIN)/sluice demo $(DEMO_ARGS)

test: $(READY) ## Run the test suite
	@$(BIN)/python -m pytest -q -n 4 --dist worksteal $(TEST_ARGS)

pictures: $(READY) ## Make the README's pictures of the dashboard anew, in a browser
	@$(BIN)/python -m pytest -q --require-browser --pictures .github tests/browser

check: $(READY) ## Lint, format, types, import contracts
	@echo "ruff check" && $(BIN)/ruff check .
	@echo "ruff format" && $(BIN)/ruff format --check .
	@echo "basedpyright" && $(BIN)/basedpyright --warnings
	@echo "import contracts" && $(BIN)/lint-imports --no-cache

format: $(READY) ## Put the code into its standard form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure speed and memory against their targets
	@$(BIN)/python -m tests.benchmarks.chunking
	@$(BIN)/python -m tests.benchmarks.streaming
	@$(BIN)/python -m tests.benchmarks.deliveries
	@$(BIN)/python -m tests.benchmarks.subscribers

bench-peers: $(READY) $(PEERS_READY) ## Give PR-Agent the same diffs and deliveries, and count
	@$(BIN)/python -m tests.benchmarks.peers $(PEERS)/bin/python
	@$(BIN)/python -m tests.benchmarks.peers.deliveries $(PEERS)/bin/python

compatibility: $(READY) $(PROXY_READY) ## Review through LiteLLM's proxy, another server that speaks the Messages API
	@$(BIN)/python -m tests.compatibility.litellm $(PROXY)/bin/litellm

soak: $(READY) ## Kill, stop and cut off two workers for minutes, and see that nothing is lost or doubled (SOAK_ARGS=--help)
	@$(BIN)/python -m tests.chaos $(SOAK_ARGS)

clean: ## Remove the virtual environments and caches
	rm -rf $(VENV) $(PEERS) $(PROXY) .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml
	@echo "Making a virtual environment in $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sluice needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing Sluice and its development tools (about 500 MB, a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
	@echo "Installed."

$(PEERS_READY):
	@command -v $(PEER_PYTHON) >/dev/null || { echo "PR-Agent needs Python 3.12 or newer, and there is no $(PEER_PYTHON) here; set PEER_PYTHON=..."; exit 1; }
	@$(PEER_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo "PR-Agent needs Python 3.12 or newer, which $(PEER_PYTHON) is not; set PEER_PYTHON=..."; exit 1; }
	@echo "Installing PR-Agent $(PR_AGENT) into $(PEERS) (about 430 MB, a minute or two)"
	@rm -rf $(PEERS)
	@$(PEER_PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check 'pr-agent[github]==$(PR_AGENT)'
	@touch $(PEERS_READY)
	@echo "Installed."

$(PROXY_READY):
	@$(LITELLM_PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' || { echo "LiteLLM needs Python 3.10 to 3.14, which $(LITELLM_PYTHON) is not; set LITELLM_PYTHON=..."; exit 1; }
	@echo "Installing LiteLLM's proxy $(LITELLM) into $(PROXY) (about 760 MB, a minute or two)"
	@rm -rf $(PROXY)
	@$(LITELLM_PYTHON) -m venv $(PROXY)
	@$(PROXY)/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==$(LITELLM)'
	@touch $(PROXY_READY)
	@echo "Installed."
