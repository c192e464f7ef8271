# Two commands: `make serve` and `make test`. Each sets up what it needs first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CORES   := $(shell getconf _NPROCESSORS_ONLN)
# Most tests wait for processes and sockets: twice the cores leave them idle at times, and many more make the waits late.
TESTERS ?= $(shell echo $$(( 2 * $(CORES) + 1 )))
# On a terminal pip shows what it is doing: a minute of silence looks like a hang.
PIP    := $(BIN)/pip --disable-pip-version-check $(shell [ -t 2 ] || echo --quiet)
# Every process loads hundreds of modules: compiled once they load in half the time, and the tests start many processes.
export PYTHONDONTWRITEBYTECODE :=

CLIENT := clients/typescript

.PHONY: help setup lab serve test unit check format bindings client-types client-packages prefixes bench clean

help:
	@echo "make serve   set up, and serve the demo on http://127.0.0.1:8080"
	@echo "make test    set up, and run every test"
	@echo "make unit    set up, and run the tests without processes and a database: half a minute"
	@echo "make setup   the virtual environment alone"
	@echo "make lab     what \`homing lab\` needs besides: numpy and matplotlib"
	@echo "make check   lint, format, types, layers"
	@echo "make bindings  the functions of the SQL statements, after one has changed"
	@echo "make client-types  the TypeScript client's types, after the API's OpenAPI document has changed"
	@echo "make prefixes  the table of number prefixes, from libphonenumber"
	@echo "make bench   measure, beside Kannel where it is installed"
	@echo "make clean   remove the virtual environment and caches (not ./data)"

setup: $(VENV)/runtime

lab: $(VENV)/lab

serve: $(VENV)/runtime
	@$(BIN)/homing serve --demo

# A file's tests run one after the other in one process: they share the servers that they start. Nothing is run again:
# what fails has failed. Without npm or a network the tests of the TypeScript client are skipped, which they say.
test: $(VENV)/dev
	@[ -e $(CLIENT)/node_modules/.package-lock.json ] || ! command -v npm >/dev/null || $(MAKE) --silent client-packages || true
	@$(BIN)/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

unit: $(VENV)/dev
	@$(BIN)/pytest -n $(CORES) tests/unit

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bindings: $(VENV)/dev
	$(BIN)/python -m tools.sql_bindings

client-types: $(VENV)/dev client-packages
	@$(BIN)/python -m tools.client_types

client-packages: $(CLIENT)/node_modules/.package-lock.json

# npm writes this file when it is done; no package's own programs are run.
$(CLIENT)/node_modules/.package-lock.json: $(CLIENT)/package-lock.json
	@echo "Installing what the TypeScript client is built with ..."
	@npm ci --prefix $(CLIENT) --ignore-scripts --no-audit --no-fund --loglevel error --fetch-retries 1
	@touch $@

prefixes: $(VENV)/dev
	$(BIN)/python -m tools.prefixes.build

bench: $(VENV)/dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src clients tests tools bench -name __pycache__ -prune -exec rm -rf {} +

# A `venv` that fails half way (Debian without python3-venv) leaves a python without pip: nothing of it is kept.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Homing needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) && [ -x $@ ] || \
		{ rm -rf $(VENV); echo "Python could not make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/runtime: requirements.txt pyproject.toml clients/pyproject.toml | $(BIN)/pip
	@echo "Installing Homing and its packages into $(VENV), once: one to four minutes ..."
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable ./clients --editable .
	@touch $@

$(VENV)/lab: $(VENV)/runtime requirements-lab.txt
	@$(PIP) install --require-hashes -r requirements-lab.txt
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements-lab.txt requirements-dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
