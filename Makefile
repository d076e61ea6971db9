# `make run` and `make test` do all the set-up that they need, in .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := ml serving eiderdown tests

.PHONY: run serve test lint skew bench clean

run: .venv/run
	@echo "== Raw data"
	@$(BIN)/eiderdown load flights
	@echo "== dbt build"
	@$(BIN)/dbt build
	@$(BIN)/eiderdown tour

serve: .venv/run
	@$(BIN)/eiderdown serve

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadscope -q

lint: .venv/dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/sqlfluff lint models

skew: .venv/dev
	@$(BIN)/python -W ignore -m tests.skew

bench: .venv/dev
	@for benchmark in tests/benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

clean:
	rm -rf .venv target logs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; say which with: make run PYTHON=/path/to/python3"; exit 1; }
	@echo "== A virtual environment in .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

.venv/run: .venv/bin/python pyproject.toml constraints.txt
	@echo "== Packages, in the versions that constraints.txt pins"
	@$(PIP) install --progress-bar off -c constraints.txt -e '.[flights]'
	@$(BIN)/python -c 'import lightgbm' || \
		{ echo "LightGBM needs the system library libgomp.so.1; on Debian and Ubuntu: apt-get install libgomp1"; exit 1; }
	@touch $@

.venv/dev: .venv/run
	@echo "== Packages of the tests"
	@$(PIP) install --progress-bar off -c constraints.txt -e '.[flights,torch,dev]'
	@touch $@
