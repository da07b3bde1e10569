# Two commands: `make run` opens the workbench, `make test` passes the tests. Both start from a bare clone with
# Python 3.11 or newer, say what they do, and do nothing twice.

VENV ?= .venv
PORT ?= 8501
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
ARGS ?=
NO_BROWSER ?=

BIN := $(VENV)/bin
# pip shows its bars to a person and keeps quiet in a log.
QUIET := $(shell test -t 2 || echo -qq)
# Files of tests side by side, one thread each; a worker may take 3 GB. WORKERS= runs them one after another.
WORKERS ?= --numprocesses logical --maxprocesses 4 --dist loadfile
# Compiling every file of every package takes longer than fetching them; Python compiles what is imported, once.
PIP := $(BIN)/python -m pip install --no-input --disable-pip-version-check --no-compile $(QUIET)
export PIP_ROOT_USER_ACTION := ignore
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test docs setup setup-dev setup-docs model browser constraints clean
.DEFAULT_GOAL := help

help:
	@echo "make run          open the workbench on http://localhost:$(PORT), with the embedded model in it"
	@echo "make test         style, import floors, types and tests, a headless browser among them"
	@echo "                  (ARGS='-k name' chooses some; NO_BROWSER=1 leaves the browser out)"
	@echo "make docs         these pages as a site in site/, offline; a broken link ends it"
	@echo "make setup        only the Python environment, in $(VENV)"
	@echo "make constraints  resolve every dependency anew and write the versions down in constraints.txt"
	@echo "make clean        remove $(VENV) and what builds and checks leave behind; the model cache stays"
	@echo ""
	@echo "Which Python is used: make run PYTHON=/path/to/python3. Which browser: PALIMPSEST_CHROMIUM=/path/to/chrome."

run: setup model
	@echo "== Opening the workbench on http://localhost:$(PORT) (Ctrl-C ends it)"
	@exec $(BIN)/palimpsest serve --port $(PORT)

test: setup-dev model $(if $(NO_BROWSER),,browser)
	@echo "== Style: ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== Floors: import-linter"
	@$(BIN)/lint-imports
	@echo "== Types: mypy"
	@$(BIN)/mypy
	@echo "== Tests: pytest"
	@$(BIN)/python -m pytest $(WORKERS) $(if $(NO_BROWSER),-m "not browser") $(ARGS)

# Not --quiet: it would also drop the warnings that --strict counts.
docs: setup-docs
	@echo "== The pages in docs/ as a site, in site/"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "== Open site/index.html"

setup: $(VENV)/.installed
	@echo "== The Python environment in $(VENV) is ready"

setup-dev: $(VENV)/.installed-dev
	@echo "== The Python environment in $(VENV) is ready, test packages included"

setup-docs: $(VENV)/.installed-docs
	@echo "== The Python environment in $(VENV) is ready, packages for the pages included"

model: setup
	@echo "== The embedded model, SmolLM2-135M-Instruct (93 MB to fetch, once)"
	@$(BIN)/palimpsest model pull

browser: setup-dev
	@echo "== A browser for the tests"
	@$(BIN)/python -m app.bench.visits.chromium --install

$(VENV)/.made:
	@echo "== Making a Python environment in $(VENV)"
	@found=; \
	trouble="No Python 3.11 or newer was found. Install one, or say where it is: make run PYTHON=/path/to/python3"; \
	for python in $(PYTHON); do \
		command -v "$$python" >/dev/null 2>&1 || continue; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
		if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then found="$$python"; break; fi; \
		trouble="$$python cannot make environments: its venv module is a package of its own. Install it (on Debian and Ubuntu: apt-get install python3-venv), or name another: make run PYTHON=/path/to/python3"; \
	done; \
	if [ -z "$$found" ]; then echo "$$trouble" >&2; exit 2; fi; \
	"$$found" -m venv $(VENV)
	@touch $@

# torch goes first and alone: with its version settled, nothing that follows can ask for another build of it.
$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "== Installing the packages it needs (minutes the first time)"
	@$(PIP) -c constraints.txt torch
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "== Installing the packages its tests need"
	@$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "== Installing the packages its pages need"
	@$(PIP) -c constraints.txt -e '.[docs]'
	@touch $@

# The torch release is chosen by hand; the rest is resolved around it.
constraints:
	@echo "== Resolving every dependency anew, in $(VENV)-resolve"
	@$(MAKE) --no-print-directory VENV=$(VENV)-resolve $(VENV)-resolve/.made
	@grep '^torch==' constraints.txt > $(VENV)-resolve/torch.txt
	@$(VENV)-resolve/bin/python -m pip install --no-compile $(QUIET) -r $(VENV)-resolve/torch.txt
	@$(VENV)-resolve/bin/python -m pip install --no-compile $(QUIET) -c $(VENV)-resolve/torch.txt -e '.[dev,docs]'
	@{ grep '^#' constraints.txt; $(VENV)-resolve/bin/python -m pip freeze --exclude-editable --exclude setuptools \
		| sed 's/+[a-z0-9.]*$$//'; } > $(VENV)-resolve/constraints.txt
	@mv $(VENV)-resolve/constraints.txt constraints.txt
	@rm -rf $(VENV)-resolve

clean:
	@echo "== Removing $(VENV) and what builds and checks leave behind"
	@rm -rf $(VENV) $(VENV)-resolve build dist site palimpsest.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
