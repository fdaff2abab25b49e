# setup is idempotent: each stamp is older than what it was made from only when there is something to do.
PYTHON ?= python3
BIN := .venv/bin
# A GPU-less Linux box gets PyTorch's CPU build when pip can see one: from a local folder of wheels
# (PIP_FIND_LINKS), or from PyTorch's CPU index given here as TORCH_INDEX=<url>.
PIP_EXTRA := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PACKAGES := .venv/.packages
PAGE := browser_assets/node_modules/.package-lock.json

.PHONY: setup demo test check clean

setup: $(PACKAGES) $(PAGE)

$(PACKAGES): pyproject.toml constraints.txt
	@echo "setting up .venv (PyTorch and friends: 1.6 GB, some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_EXTRA) -c constraints.txt -e '.[all,demo,dev]'
	@touch $@

$(PAGE): browser_assets/package.json browser_assets/package-lock.json
	@echo "setting up the page's runtimes and the embedded Chromium (npm)"
	@cd browser_assets && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup
	@$(BIN)/harness demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	cd browser_assets && node_modules/.bin/tsc -p .

test: check
	$(BIN)/pytest

clean:
	rm -rf .venv browser_assets/node_modules
