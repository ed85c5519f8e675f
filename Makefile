# One command for each task. `make demo` and `make test` need nothing but Python 3.11 to 3.13, a C++ compiler and make.
# On Windows: see CONTRIBUTING.md.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && exit; done; echo python3)
BIN := .venv/bin
INSTALLED := .venv/.complete
LOCKS := requirements-build.txt requirements-dev.txt
COMPILE_LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(UPGRADE)

# Tests and pictures draw into memory; a real display is started by the stories that need one.
test bench vulkan screenshots: export QT_QPA_PLATFORM ?= offscreen

.PHONY: demo window test lint bench peers vulkan screenshots installer lock clean

demo: $(INSTALLED)
	@$(BIN)/python .ci/check_system.py demo
	$(BIN)/workbench demo

window: $(INSTALLED)
	@$(BIN)/python .ci/check_system.py window
	$(BIN)/workbench

test: $(INSTALLED)
	@$(BIN)/python .ci/check_system.py test
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	@$(BIN)/python .ci/check_system.py test
	@$(BIN)/python -m tests.benchmarks

# What `make bench` compares with; ten minutes or more. Without it those figures are reported as not measured.
peers: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.peers

# Linux only. VULKAN_HEADERS=/folder where the system's headers are too old and not those of Debian 12.
vulkan: $(INSTALLED)
	@$(BIN)/python .ci/vulkan.py

screenshots: $(INSTALLED)
	@$(BIN)/python .ci/check_system.py window
	$(BIN)/python -m tests.helpers.screenshots

installer: $(INSTALLED)
	$(BIN)/pyinstaller --noconfirm --log-level ERROR build_installer.spec
	dist/medical-safety-workbench/workbench demo

# Needs uv. Versions already locked stay; `make lock UPGRADE=--upgrade` takes newer ones.
lock:
	$(COMPILE_LOCK) pyproject.toml --group dev --output-file requirements-dev.txt
	$(COMPILE_LOCK) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	$(COMPILE_LOCK) --group build --constraint requirements-dev.txt --output-file requirements-build.txt

$(INSTALLED): $(LOCKS)
	@$(PYTHON) .ci/set_up.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find workbench tests models -name __pycache__ -type d -prune -exec rm -rf {} +
