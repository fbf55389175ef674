PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test install fix bench

# A real document, tagged by the model in weights/.
demo: .venv/runtime
	$(BIN)/nerlite tag --whole --output table examples/eighty_days.txt

# Style, types, and the tests, with kernels of all three kinds: ahead of time, when called, none.
test: .venv/dev
	$(BIN)/ruff check
	$(BIN)/mypy
	if command -v cc > /dev/null; then $(BIN)/python tools/build_kernels.py; fi
	$(BIN)/python -m pytest -q

install: .venv/dev

fix: .venv/dev
	$(BIN)/ruff check --fix

bench: .venv/bench
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/sparknlp.py

# A Python without the ensurepip module (Debian's, where python3-venv is missing) lends the environment its own pip.
$(BIN)/python:
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && \
		$(PYTHON) -m pip --python $(BIN)/python install pip; }

.venv/runtime: EXTRAS = progress
.venv/dev: EXTRAS = progress,sparknlp,dev
.venv/bench: EXTRAS = bench
.venv/runtime .venv/dev .venv/bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $@
