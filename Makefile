# make demo | make test | make check | make docs | make test-oldest: each works from a fresh clone.
PYTHON ?= python3.11
BIN := .venv/bin
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
INSTALLED := .venv/.installed

.PHONY: demo test test-oldest check docs format install
demo: $(INSTALLED)
	$(BIN)/straylight demo --out straylight-demo

test: $(INSTALLED)
	$(BIN)/python -m pytest $(SPREAD)

# The lowest versions that pyproject.toml allows: what a user may have.
test-oldest: $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-oldest
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --editable '.[dev]'
	.venv-oldest/bin/python -m pytest $(SPREAD)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(SPREAD)

# The pages of docs/ as a site, docs/_build/index.html. Warnings are errors.
docs: $(INSTALLED)
	$(BIN)/python scripts/draw_architecture.py
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	touch $@
