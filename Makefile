# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
NEEDS := pyproject.toml constraints.txt
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: help demo demo-dance test test-all lint format docs tables pictures clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.generate ## make a first film from pictures that keyweave draws itself
	@$(BIN)/keyweave demo -o demo --overwrite

demo-dance: $(VENV)/.dance ## let a drawn creature dance
	@$(BIN)/keyweave demo dance -o demo-dance --overwrite

test: $(VENV)/.dev ## run the tests (a few minutes)
	@$(PYTEST)

test-all: $(VENV)/.dev ## run the tests, the slow ones too
	@$(PYTEST) -m "slow or not slow"

lint: $(VENV)/.dev ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

format: $(VENV)/.dev ## put the code into its usual form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.docs ## build the pages into site/
	@$(BIN)/zensical build --clean

tables: $(VENV)/.core ## write the option tables in docs/ anew from the code
	@$(BIN)/python docs/make_tables.py

pictures: $(VENV)/.core ## draw the pictures of the pages anew
	@$(BIN)/python docs/make_pictures.py

clean: ## remove everything that was made here
	rm -rf $(VENV) demo demo-dance site build dist .pytest_cache .ruff_cache .hypothesis .coverage htmlcov

$(VENV)/.made:
	@echo "keyweave: making $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.made $(NEEDS)
	@echo "keyweave: installing what it needs (once; PyTorch is the large part)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.generate: $(VENV)/.core $(NEEDS)
	@echo "keyweave: installing what video models run on (once)"
	@$(PIP) --editable ".[generate]"
	@touch $@

$(VENV)/.dance: $(VENV)/.core $(NEEDS)
	@echo "keyweave: installing what finds beats (once)"
	@$(PIP) --editable ".[dance]"
	@touch $@

$(VENV)/.dev: $(VENV)/.core $(NEEDS)
	@echo "keyweave: installing the tools for tests and checks (once)"
	@$(PIP) --editable ".[dev]"
	@touch $@

$(VENV)/.docs: $(VENV)/.core $(NEEDS)
	@echo "keyweave: installing the page builder (once)"
	@$(PIP) --editable ".[docs]"
	@touch $@
