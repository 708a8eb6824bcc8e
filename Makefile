# Every target sets up its virtual environment with uv. Nothing is compiled.

PYTHON ?= >=3.11,<3.14
VENV ?= .venv
# PyTorch's build on Linux: `cuda` from PyPI, or `cpu`, a tenth of its size, from
# PyTorch's own index. On other systems PyPI's build is for the CPU.
TORCH ?= $(if $(wildcard /proc/driver/nvidia/version),cuda,cpu)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Hashes of its wheels, where `make lock` has reached it.
TORCH_CPU := requirements/torch-cpu.txt
# The locked versions: `lock`, or `numpy1` for NumPy 1.26 and xtcocotools.
LOCK ?= lock
EXTRAS ?= mmpose

export UV_PYTHON_DOWNLOADS := never
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := $(VENV)/bin
# compiled once, for processes that may not write bytecode, too
PIP := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python
SETTINGS := $(CURDIR) $(PYTHON) $(TORCH) $(LOCK) $(EXTRAS)
STAMP := $(VENV)/mmhot-settings
# One thread: small tensors do not gain from more, and machines are shared. Modules are
# compiled once, not by each process.
TEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test test-all test-compiled lint audit docs lock viewer \
	browser dist clean setup

help:
	@echo 'make demo      lift two videos and 2D keypoints, write outputs/demo/index.html'
	@echo 'make test      run the tests, without the slow ones'
	@echo 'make test-all  run all tests'
	@echo 'make test-compiled  compile MMCV and compare its operators with ours'
	@echo 'make lint      check style and types, search for duplicated code'
	@echo 'make audit     compare the locked versions with known vulnerabilities'
	@echo 'make docs      build the documentation site into site/'
	@echo 'make lock      update the versions in requirements/*.txt'
	@echo 'make viewer    bundle three.js for the 3D viewer (needs npm)'
	@echo 'make browser   write the page of projects/browser to outputs/browser (needs npm)'
	@echo 'make dist      write wheel, sdist, notes and checksums of a release into dist/'
	@echo 'make clean     remove .venv and all other build results'
	@echo 'Settings: PYTHON=3.13, VENV=FOLDER, TORCH=cpu or cuda, LOCK=numpy1, EXTRAS=mmpose,ui'

DEMO := npz,json,bvh,glb,trc,mot,html,mp4

demo: setup
	$(BIN)/mmhot infer demo/walk.mp4 demo/dance.mp4 --out-dir outputs/demo \
		--pose2d gtpt-t --det-model pose-verified --joints 24 --formats $(DEMO)
	$(BIN)/mmhot lift demo/skating_2d_coco17.npz --out-dir outputs/demo --joints 24 \
		--formats $(DEMO)
	$(BIN)/python -m tools.demo outputs/demo

test: setup
	$(TEST) -m 'not slow' --numprocesses auto --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder

test-all: setup
	MMHOT_WITHOUT_MEMOS=1 $(TEST) tests projects

# With compiled MMCV and xtcocotools: needs a C++ compiler and 12 to 20 CPU minutes.
test-compiled: | $(UV)
	$(MAKE) setup VENV=.venv-compiled LOCK=numpy1
	$(UV) pip install --quiet --no-config --python .venv-compiled/bin/python \
		torch==2.11.0 torchvision==0.26.0 'setuptools<80' wheel ninja psutil
	$(UV) pip uninstall --quiet --python .venv-compiled/bin/python mmcv-lite
	CUDA_VISIBLE_DEVICES= FORCE_CUDA=0 MMCV_WITH_OPS=1 $(UV) pip install --no-config \
		--no-deps --no-build-isolation --python .venv-compiled/bin/python mmcv==2.1.0
	.venv-compiled/bin/python -m pytest tests/compat

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m tools.lint_prose
	$(BIN)/python -m pylint --disable=all --enable=duplicate-code \
		--min-similarity-lines=8 mmhot

# PyPI's addresses of vulnerabilities; mirrors do not have them.
VULNERABILITIES := https://pypi.org/pypi/pip/25.0/json
AUDIT := $(UV) tool run pip-audit@2.10.1 --strict --progress-spinner off --disable-pip --no-deps

audit: | $(UV)
	@if $(BIN)/python -c "from urllib import request as r; \
		r.urlopen('$(VULNERABILITIES)', timeout=20)" 2>audit.log; then \
		$(AUDIT) -r requirements/lock.txt && $(AUDIT) -r requirements/numpy1.txt; \
	else echo 'audit: skipped: $(VULNERABILITIES) cannot be read:' \
		"$$(tail -n 1 audit.log)"; fi; code=$$?; rm -f audit.log; exit $$code

docs: | $(UV)
	test -d .venv-docs || $(UV) venv --quiet --python '$(PYTHON)' .venv-docs
	$(UV) pip install --quiet --python .venv-docs/bin/python --group docs
	.venv-docs/bin/python -m mkdocs build --strict

# The stamp records the settings: other settings, or a moved checkout, set up again.
ifneq ($(file <$(STAMP)),$(SETTINGS))
.PHONY: $(STAMP)
endif

setup: $(STAMP)

$(STAMP): pyproject.toml requirements/$(LOCK).txt | $(UV)
	@echo 'Setting up $(VENV): 0.5 GB to download and 1.4 GB of disk for the CPU build' \
		'of PyTorch, 3.2 and 6.9 GB with CUDA (TORCH=$(TORCH)).'
	@df -Pk . | awk 'NR == 2 && $$4 < $(if $(filter cpu,$(TORCH)),3e6,8e6) \
		{print "setup: error: only " int($$4 / 1e6) " GB of disk are free"; exit 1}' >&2
	@$(UV) venv --quiet --seed --clear --python '$(PYTHON)' $(VENV)
	@test '$(TORCH)' != cpu || UV_HTTP_RETRIES=1 $(PIP) --no-deps --index $(TORCH_INDEX) \
		$(if $(wildcard $(TORCH_CPU)),--require-hashes -r $(TORCH_CPU),$$(grep -oE \
		'^torch(vision)?==[0-9.]+' requirements/$(LOCK).txt)) \
		|| echo '$(TORCH_INDEX) cannot be reached: installing the build with CUDA, 3.2 GB.'
	@$(PIP) --constraints requirements/$(LOCK).txt --editable '.[$(EXTRAS)]' \
		--group test --group lint
	@test '$(LOCK)' != numpy1 || $(PIP) --no-config --no-deps xtcocotools==1.14.3
	@echo '$(SETTINGS)' >$(STAMP)
	@echo '$(VENV) is ready.'

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt

lock: | $(UV)
	rm -f requirements/*.txt
	$(UV) pip compile $(COMPILE) pyproject.toml --output-file requirements/lock.txt
	echo 'numpy<2' | $(UV) pip compile $(COMPILE) pyproject.toml --constraints - \
		--output-file requirements/numpy1.txt
	$(UV) pip compile $(FORMAT) --extra mmpose \
		--constraints requirements/lock.txt pyproject.toml --output-file requirements/pip.txt
	echo uv | $(UV) pip compile $(FORMAT) - --output-file requirements/uv.txt
	grep -oE '^torch(vision)?==[0-9.]+' requirements/lock.txt | \
		$(UV) pip compile $(FORMAT) --no-deps --index $(TORCH_INDEX) - \
		--output-file $(TORCH_CPU) || \
		echo '$(TORCH_INDEX) cannot be reached: its wheels stay without hashes'

FORMAT := --quiet --universal --generate-hashes --no-annotate --no-header \
	--python-version 3.11
COMPILE := $(FORMAT) --all-extras --group test --group lint

VIEWER := mmhot/chain/visualization/viewer

viewer:
	cd $(VIEWER) && npm ci && npm run build && rm -rf node_modules

browser: setup
	cd projects/browser && npm ci && npm run build
	$(BIN)/python -m projects.browser --out outputs/browser

dist: | $(UV)
	rm -rf build dist $(VIEWER)/node_modules
	$(UV) tool run --quiet --from build==1.6.1 pyproject-build --outdir dist
	$(UV) tool run --quiet twine@7.0.0 check --strict dist/*
	awk '/^## /{show = $$2 != "Unreleased" && !count++} show' CHANGELOG.md >dist/NOTES.md
	cd dist && sha256sum * >../SHA256SUMS && mv ../SHA256SUMS .

clean:
	rm -rf .venv .venv-docs .uv site build dist *.egg-info outputs/demo .mypy_cache .pytest_cache .ruff_cache
	find mmhot tests tools configs projects -name __pycache__ -prune -exec rm -rf {} +
