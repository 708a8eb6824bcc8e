# Everything sets up .venv by itself; see tools/setup_env.py.

PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
# One thread: small tensors gain nothing from more, and machines are shared.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test test-all lint viewer clean setup

help:
	@echo 'make demo      two films and a real skater to 3D, into outputs/demo'
	@echo 'make test      run the tests, without the slow ones'
	@echo 'make test-all  run all tests'
	@echo 'make lint      check style and look for pasted code'
	@echo 'make viewer    bundle the page that plays lifted clips (needs npm)'
	@echo 'make clean     remove .venv and all else that make made'

demo: setup
	$(BIN)/mmhot infer demo/walk.mp4 demo/dance.mp4 --out-dir outputs/demo \
		--pose2d gtpt-t --det-model scan --formats npz,json,bvh,html,mp4,png
	$(BIN)/python tools/measure_lifted.py outputs/demo/walk.npz \
		outputs/demo/dance.npz --truth demo
	$(BIN)/mmhot lift demo/skating_2d_coco17.npz --out-dir outputs/demo \
		--formats npz,json,bvh,html,mp4,png

test: setup
	$(TEST) -m 'not slow' --numprocesses auto --maxprocesses 4 --dist loadfile

test-all: setup
	$(TEST)

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pylint --disable=all --enable=duplicate-code \
		--min-similarity-lines=8 mmhot

setup:
ifeq ($(strip $(PYTHON)),)
	@echo 'setup: error: Python 3.11 is needed: install it, or name it with' \
		'make PYTHON=/path/to/python3.11' >&2; exit 1
else
	@$(PYTHON) tools/setup_env.py
endif

viewer:
	cd mmhot/visualization/viewer && npm ci && npm run build && rm -rf node_modules

clean:
	rm -rf .venv build dist *.egg-info outputs/demo .pytest_cache .ruff_cache
	find mmhot tests tools configs -name __pycache__ -prune -exec rm -rf {} +
