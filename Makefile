# setup is idempotent: each stamp is older than what it was made from only when there is something to do.
PYTHON ?= python3
BIN := .venv/bin
# A GPU-less Linux box gets PyTorch's CPU build when pip can see one: from a local folder of wheels
# (PIP_FIND_LINKS), or from PyTorch's CPU index given here as TORCH_INDEX=<url>.
PIP_EXTRA := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PACKAGES := .venv/.packages
BENCH := .venv/.bench
PEER := tests/bench/peers/tachometer
PAGE := browser_assets/node_modules/.package-lock.json
ENGINES := .venv/.engines
# The browsers that the tests drive besides the embedded one, the driver that a peer needs, a screen for the one that
# needs it, Vulkan without a GPU, and what torch.compile compiles with.
DEBIAN := chromium chromium-driver firefox-esr webkit2gtk-driver xvfb mesa-vulkan-drivers g++ python3-dev

.PHONY: setup demo test test-all check lint types imports scripts bench clean

# pip, npm and apt at once: each waits for a network of its own.
AT_ONCE := @$(MAKE) --no-print-directory -j3

setup:
	$(AT_ONCE) $(PACKAGES) $(PAGE) $(ENGINES)

$(PACKAGES): pyproject.toml constraints.txt
	@echo "setting up .venv (PyTorch and friends: 1.6 GB, some minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(PIP_EXTRA) -c constraints.txt \
	  -e '.[all,demo,dev]'
# All of it, so that no load is longer for being the first; pip would use one CPU. Some packages bring what is no Python.
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	@touch $@

$(PAGE): browser_assets/package.json browser_assets/package-lock.json
	@echo "setting up the page's runtimes and the embedded Chromium (npm)"
	@cd browser_assets && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Only root may install a distribution's packages. Without them their browsers are `unsupported`, and the tests fail.
$(ENGINES):
	@mkdir -p .venv
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "installing browsers (apt-get: $(DEBIAN))"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null && touch $@ \
	  || echo "could not install them: Chromium (embedded) works all the same, the others will be unsupported"; \
	else echo "not installed, for want of root and apt-get: $(DEBIAN)"; touch $@; fi

# A picture and peers: what the bench needs and no user does.
$(BENCH): $(PACKAGES) $(PEER)/package.json $(PEER)/package-lock.json
	@echo "setting up what the bench needs (matplotlib, MLCommons' loadgen, tachometer)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_EXTRA) -c constraints.txt -e '.[bench]'
	@cd $(PEER) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup
	@$(BIN)/harness demo

check: setup
	$(AT_ONCE) --output-sync=target lint types imports scripts

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports --no-cache

scripts:
	cd browser_assets && node_modules/.bin/tsc -p .

# What every commit must pass; test-all adds what is long.
test: check $(BENCH)
	@$(BIN)/python -m tests

test-all: check $(BENCH)
	@$(BIN)/python -m tests --all

bench: setup $(BENCH)
	@$(BIN)/python -m tests.bench

clean:
	rm -rf .venv browser_assets/node_modules $(PEER)/node_modules
