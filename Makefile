# `make` lists the commands. What they need is made at the first call; later calls only look.
.DEFAULT_GOAL := help
.PHONY: help demo test adapters browsers check format lock clean

# The first of these that is Python 3.11 or newer.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
SETUP = $(if $(PYTHON),$(PYTHON) scripts/setup.py,$(error Python 3.11 or newer must be on the path, found none: \
	install one, or say make PYTHON=/path/to/python3))
CODE = $(wildcard feedback_sdk queue_server examples benchmarks scripts tests)

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F '|' '{printf "%-14s %s\n", $$1, $$2}'

demo: ## run the whole loop on this machine; ARGS="--once" plays it through without a person
	@$(SETUP) app label-studio
	@.venv/bin/lookswrong demo $(ARGS)

test: ## run all tests; ARGS="tests/core -x" for some of them
	@$(SETUP) app label-studio services
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

adapters: ## test what the SDK does with other packages, with the real ones (some GB of them)
	@$(SETUP) adapters services
	@.venv-adapters/bin/python -m pytest --confcutdir=tests/sdk/adapters tests/sdk/adapters \
		tests/frameworks/test_streamlit.py tests/frameworks/test_gradio.py $(ARGS)

browsers: ## test the button in Firefox and WebKit too (installs them)
	@$(SETUP) app browsers
	@.venv/bin/python -m pytest tests/widgets/test_other_browsers.py $(ARGS)

check: ## check format, style, types and the layers
	@$(SETUP) app
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/ruff check $(CODE)
	.venv/bin/mypy
	.venv/bin/mypy --platform win32 --package feedback_sdk
	.venv/bin/mypy --platform darwin --package feedback_sdk
	.venv/bin/lint-imports

format: ## format the code and mend what can be mended
	@$(SETUP) app
	.venv/bin/ruff format $(CODE)
	.venv/bin/ruff check --fix $(CODE)

lock: ## make the lock files again after a change of dependencies
	@$(SETUP) lock

clean: ## remove what was made: environments, caches, the demo's data
	rm -rf .venv .venv-label-studio .venv-adapters .demo dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
