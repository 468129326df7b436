# make demo: index, search and measure the demonstration ads, then serve them
# make demo SERVE=0: the same without serving
# make test: lint, types, import rules and all tests
# make browser: install Debian's Chromium for the tests of the page
# make pictures: take the screenshots in the documentation
# make audit: check installed packages for known vulnerabilities
# make constraints: write the exact versions of all installed packages
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

SERVE ?= 1

.PHONY: setup demo lint test browser pictures constraints audit

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

demo: setup
	$(BIN)/hybrid-search demo --data-dir demo-data $(if $(filter 0,$(SERVE)),--no-serve)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r hybrid_search -c pyproject.toml

browser:
	command -v chromium > /dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends \
	  chromium fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji; }

pictures: setup
	$(BIN)/python tools/pictures.py docs/pictures

# For reproducible installs.
constraints: setup
	$(BIN)/python tools/constraints.py > constraints.txt

# Needs the network.
audit: setup
	$(BIN)/pip-audit --strict --skip-editable

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
