# make demo: index, search and measure the demonstration ads, then serve them
# make demo SERVE=0: the same without serving
# make check: lint, types, import rules and the tests of pure parts; under a minute, before a commit
# make test: lint and all tests; what CI runs
# make soak: the long rounds of kills, failing calls, flipped bytes, swaps and load; hours
# make browser: install Debian's Chromium for the tests of the page
# make pictures: take the screenshots in the documentation
# make audit: check installed packages for known vulnerabilities
# make constraints: write the exact versions of all installed packages
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

SERVE ?= 1

.PHONY: setup demo lint check test soak browser pictures constraints audit

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

# Tests that load no model and start no process.
PURE = tests/core tests/settings tests/analysis/test_hangul.py tests/analysis/test_laws.py \
  tests/analysis/test_synonyms.py tests/search/test_confidence.py tests/search/test_fusion.py \
  tests/search/test_score_normalization.py tests/relevance/test_measures.py \
  tests/api/test_schemas.py tests/test_documents.py tests/test_source.py tests/test_structure.py \
  tests/test_supply.py

check: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 $(PURE) hybrid_search

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

SOAK_DATA ?= demo-data
ODD_PICTURES ?= fixtures/images

soak: setup
	SOAK=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python bench/kills.py --rounds 200
	$(BIN)/python bench/crash.py --rounds 50
	$(BIN)/python bench/flips.py --flips 300
	$(BIN)/python bench/swaps.py --swaps 50 --queries 10000
	$(BIN)/python bench/failing_calls.py
	$(BIN)/python bench/fuzz.py --requests 10000 --pictures $(ODD_PICTURES)
	$(BIN)/hybrid-search demo --no-serve --data-dir $(SOAK_DATA)
	$(BIN)/python bench/load.py --data-dir $(SOAK_DATA) --queries fixtures/queries.jsonl --minutes 30
