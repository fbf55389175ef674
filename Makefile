PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test fuzz soak integration install fix bench

# A real document, tagged by the model in weights/: at once, by NumPy where this CPU's kernels have yet to be compiled.
DEMO = $(BIN)/nerlite tag --whole --output table examples/eighty_days.txt
demo: .venv/runtime
	@if $(BIN)/nerlite info --backend native > /dev/null 2>&1; then $(DEMO); else \
		echo "Tagging examples/eighty_days.txt, with NumPy:"; \
		$(DEMO) --backend numpy && \
		echo "Compiling this CPU's kernels, once, with which nerlite tags many times faster (Ctrl-C stops it):" && \
		$(BIN)/python tools/build_kernels.py; fi

# Style, types, and the tests, with kernels of all three kinds: ahead of time, when called, none.
test: .venv/dev
	$(BIN)/ruff check
	$(BIN)/mypy
	if command -v cc > /dev/null; then $(BIN)/python tools/build_kernels.py --levels all; fi
	$(BIN)/python -m pytest -q

# Damaged models, checkpoints, archives and input of all formats: FUZZ="--seconds 3600", or others of its options; seeds
# are printed. With atheris (pip install '.[fuzz]') half of the time is for readers, led by the code that they run.
FUZZ = --seconds 300
fuzz: .venv/dev
	$(BIN)/python tests/fuzz.py $(FUZZ)

# 20,000 real sentences in every way (levels, backends, batches, orders, threads), threads and processes with one tagger
# for an hour, and five million different words: SOAK="--sentences 200 --seconds 60 --distinct 100000" is shorter.
SOAK = --seconds 3300
soak: .venv/dev
	$(BIN)/python tests/soak.py $(SOAK)

# Wheels for all systems, and what their libraries are and need.
wheels: .venv/release
	$(BIN)/python tools/build_wheels.py dist
	$(BIN)/python -m pytest -q tests/test_targets.py tests/test_build.py tests/test_wheel.py tests/test_windows.py

# Kernels for ARM, built here, tested on emulated machines, with products of int8 matrices and without: a real text gives
# the bits that it gives here, then against the NumPy reference, and the golden files. TEXT=FILE is another text, or a
# CoNLL file.
arm: .venv/release
	$(BIN)/python tools/build_kernels.py --target linux-aarch64
	$(BIN)/python tools/arm_machine.py .venv/arm pytest hypothesis
	$(BIN)/python tools/build_kernels.py
	$(BIN)/python tests/bits.py $(TEXT) > .venv/arm/bits
	for on in neoverse-n1=neon max,sve=off=i8mm; do export QEMU_CPU=$${on%=*} PYTHONPATH=$(CURDIR) && \
		.venv/arm/python -m nerlite info | grep "^kernels .*/$${on##*=}-" && \
		.venv/arm/python tests/bits.py $(TEXT) | diff .venv/arm/bits - && \
		.venv/arm/python -m pytest -q tests/test_ops.py tests/test_golden.py || exit 1; done

# Each adapter in its real host, from a wheel that is installed in an environment of the host's own.
HOSTS = spacy presidio spark ray service pyinstaller results
EXTRAS_ray = ,dask
integration: $(HOSTS:%=.venv/hosts/%.tested)

.venv/hosts/%.tested: .venv/hosts/%.installed tests/integration/test_%.py
	.venv/hosts/$*/bin/pytest -q tests/integration/test_$*.py tests/test_readme.py::test_sessions_in_hosts_give_what_they_show
	touch $@

.venv/hosts/%.installed: .venv/hosts/wheel
	test -e .venv/hosts/$* || $(PYTHON) -m venv .venv/hosts/$*
	.venv/hosts/$*/bin/pip uninstall --quiet --yes nerlite
	.venv/hosts/$*/bin/pip install --quiet --disable-pip-version-check pytest "$$(echo .venv/hosts/wheel/*.whl)[$*$(EXTRAS_$*)]"
	touch $@

.venv/hosts/wheel: $(shell find nerlite weights tools -name '*.py' -o -name '*.json' -o -name '*.safetensors') \
		pyproject.toml | .venv/dev
	rm -rf $@
	$(BIN)/python -m build --wheel --outdir $@ .

.PRECIOUS: .venv/hosts/%.installed

install: .venv/dev

fix: .venv/dev
	$(BIN)/ruff check --fix

bench: .venv/bench
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/sparknlp.py

# A Python without the ensurepip module (Debian's, where python3-venv is missing) lends the environment its own pip.
$(BIN)/python:
	@echo "Making a Python environment in .venv"
	@$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && \
		$(PYTHON) -m pip --python $(BIN)/python install pip; }

.venv/runtime: EXTRAS = progress
.venv/dev: EXTRAS = progress,sparknlp,dev
.venv/bench: EXTRAS = bench
.venv/release: EXTRAS = sparknlp,dev,release
.venv/runtime .venv/dev .venv/bench .venv/release: pyproject.toml | $(BIN)/python
	@echo "Installing nerlite from here, and what it needs, into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@
