# Every target sets itself up: a fresh machine needs Python 3.13 (or later) and make.

RULES := rules
BIN := .venv/bin
STAMP := .venv/.installed

# Demo, tests and benchmarks have states of their own.
unexport ALERT_ROUTER_STATE

# The first interpreter that is new enough and can make a virtual environment; PYTHON=... overrides the search.
CANDIDATES := $(PYTHON) python3.13 python3.14 python3 /usr/bin/python3.13 $(shell pyenv prefix 3.13 2>/dev/null)/bin/python
FIND_PYTHON := for p in $(CANDIDATES); do \
	"$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 13))' 2>/dev/null && { echo "$$p"; break; }; done

.PHONY: setup run test lint infra infra-check package stack soak bench lock clean

setup: $(STAMP)  ## prepare .venv/bin/alert-router

$(STAMP): requirements-setup.txt requirements-dev.txt pyproject.toml
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "python: no Python 3.13 or later found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; fi; \
	"$$python" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-setup.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

run: setup  ## the main job on bundled samples and a SOC on loopback
	@$(BIN)/alert-router demo

# Tests start hundreds of processes: where nothing compiled may be kept, each of them would compile the whole program anew.
test soak: export PYTHONDONTWRITEBYTECODE =
# Files are UTF-8 and what git says is English, whatever the shell speaks.
test soak: export LC_ALL = C.UTF-8

test: setup  ## all tests
	@$(BIN)/python -m pytest -q -n auto --dist worksteal

lint: setup  ## what CI checks besides the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tests.house --gate

infra: setup  ## what Bicep reads of the code; and, where a compiler is, the compiled template and the predictions
	@$(BIN)/python -m infra.generate

# checkov brings a hundred packages, and Helm a quarter of a gigabyte, so they have a lock and a place of their own.
CHECKOV := .venv/checkov
$(CHECKOV)/.installed: infra/requirements-check.txt $(STAMP)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CHECKOV)
	@VIRTUAL_ENV=$(CHECKOV) $(BIN)/uv pip install --quiet --require-hashes -r infra/requirements-check.txt
	@touch $@

infra-check: setup $(CHECKOV)/.installed  ## what Microsoft's compiler, where there is one, Helm, checkov and linters say of infra/, Dockerfile and workflows
	@$(BIN)/python -m infra.check

package: setup  ## dist/: alert-router.zip, wheel and source, as a release ships them
	@$(BIN)/python -m infra.package
	@$(BIN)/uv build --quiet --build-constraints requirements-build.txt --require-hashes --out-dir dist

stack: setup  ## Azure on loopback, with function_app.py at work in it, until Ctrl-C
	@$(BIN)/python -m tests.stack

soak: setup  ## the long proofs: every property with all its examples, faults through the whole stack, and 100,000 messages while workers are killed
	@$(BIN)/python -m pytest -q -n 2 -m "soak or hypothesis" --hypothesis-profile=all
	@$(BIN)/python -m tests.stack.soak

bench: setup  ## every speed that the design promises, into the table of docs/benchmarks.md
	@$(BIN)/python -m benchmarks --write

# The locks: what runs in Azure, what `serve` runs with, what a developer needs beside it, uv itself, what makes the wheel, what looks at
# infra/, and what azd's hooks import. Each has hashes, none names an index. azd takes any Python: on one that is too old the hooks'
# lock installs nothing, and the hooks say so.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version
lock:  ## remake the locks after a change to pyproject.toml
	@$(COMPILE) 3.13 pyproject.toml --extra azure --output-file requirements.txt
	@$(COMPILE) 3.13 pyproject.toml --extra serve --constraint requirements.txt --output-file requirements-serve.txt
	@$(COMPILE) 3.13 pyproject.toml --extra azure --extra serve --group dev --output-file requirements-dev.txt
	@$(COMPILE) 3.13 --group setup --output-file requirements-setup.txt
	@$(COMPILE) 3.13 --group build --output-file requirements-build.txt
	@$(COMPILE) 3.13 infra/requirements-check.in --output-file infra/requirements-check.txt
	@$(COMPILE) 3.8 infra/hooks/requirements.in --constraint requirements.txt --output-file infra/hooks/requirements.txt

clean:
	rm -rf .venv .state dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
