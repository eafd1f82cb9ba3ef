# make demo   the main job on generated anatomy, into demo/
# make test   the test suite
# make screenshots   pictures of the modules' panels and views, by the test harness, into Resources/Screenshots/
# Both set up .venv/ from constraints.txt first, and LLVM for the CPU kernels where it is missing; the tests also what
# draws off screen.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# They want an application in which nothing was done before.
STAND_IN_TESTS := $(wildcard Testing/test_slicer_stand_in*.py)
PROJECT_FILES := pyproject.toml constraints.txt

.PHONY: demo test test-all lint screenshots system test-system clean
.DELETE_ON_ERROR:

demo: .venv/demo-ready
	$(BIN)/sim2real demo

test: .venv/test-ready lint
	$(BIN)/python -m pytest -m "not slow" $(STAND_IN_TESTS)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(STAND_IN_TESTS:%=--ignore=%)

test-all: .venv/test-ready lint
	$(BIN)/python -m pytest

lint: .venv/test-ready
	$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .

screenshots: .venv/test-ready
	$(BIN)/python Resources/Screenshots/modules.py Resources/Screenshots

.venv/demo-ready: $(PROJECT_FILES) | system
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

.venv/test-ready: $(PROJECT_FILES) .venv/demo-ready | test-system
	$(PIP) install --constraint constraints.txt --editable ".[learn,test]"
	touch $@

system:
	@sh Resources/system_libraries.sh $(PYTHON)

test-system:
	@sh Resources/system_libraries.sh $(PYTHON) test

clean:
	rm -rf .venv demo build *.egg-info
