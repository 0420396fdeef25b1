# `make run` and `make test` set up everything that they need. PYTHON chooses the interpreter (3.11 or newer).
# On Windows use WSL, or run the command lines below by hand (not tried there).

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run test faults lint venv lock docs clean

run: venv  ## make the default experiment; SNAKEMAKE="--config quick=true" adds options
	$(BIN)/snakemake $(SNAKEMAKE)
	@echo "Look at results/*/report/report.html"

test: venv-test  ## run the tests
	$(BIN)/python -m pytest -n 2 $(PYTEST)

faults: venv-test  ## break runs in many ways and see them come back (half an hour); FAULTS="--seeds 20 --first 7"
	PYTHONPATH=tests $(BIN)/python -m faults $(FAULTS)

lint: venv-test  ## run every static check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint

venv: .venv/.run  ## set up .venv with the locked versions

.PHONY: venv-test
venv-test: .venv/.test

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) -r requirements.lock
	$(PIP) --no-deps --editable .
	touch $@

.venv/.test: requirements-test.lock .venv/.run
	$(PIP) -r requirements-test.lock
	touch $@

lock: | .venv/bin/python  ## rebuild the lock files from pyproject.toml
	$(PIP) pip-tools
	$(BIN)/pip-compile $(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --extra test --constraint requirements.lock \
	  --output-file requirements-test.lock pyproject.toml
	# Which build of torch it is (CPU, CUDA) belongs to the machine, not to the lock.
	sed -i.bak -E 's/^(torch==[0-9.]+)\+.*/\1/' requirements.lock requirements-test.lock
	rm requirements.lock.bak requirements-test.lock.bak

LOCK := --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
  --no-annotate --no-header --allow-unsafe

docs: venv  ## regenerate config/README.md and the JSON schema
	$(BIN)/python -m gptgrid.config.reference

clean:  ## remove the environment and what the tools leave; never data, results or the store
	rm -rf .venv build src/*.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
