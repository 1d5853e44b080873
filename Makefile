# Everything installs itself: Rust, Node and Python 3 are all that must be there.
# What installs and builds is silent on stdout, so that `make devnet` prints its one line of JSON and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# Foundry's programs themselves: npm's launchers in node_modules/.bin exit with 0 even when tests fail.
export PATH := $(CURDIR)/node_modules/.foundry:$(PATH)
export FOUNDRY_DISABLE_NIGHTLY_WARNING := 1

.PHONY: help setup setup-cuda build demo devnet test test-contracts test-tools test-agents test-recipe adversaries bench economics gpu-check snapshots invariants symbolic slither mutants guards parity lint fmt release clean

help: ## What can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: node_modules/.installed vendor/onnxruntime/libonnxruntime.so vendor/models/.fetched ## Install the pinned toolchain: Foundry, compiler, libraries, ONNX Runtime, models for tests

# Not `npm ci`, which wants Foundry's binaries of every platform in the lock file, even those that a registry does not have.
node_modules/.installed: package.json package-lock.json
	@npm install --no-save --no-audit --no-fund --loglevel=error >&2
	@mkdir -p node_modules/.foundry
	@ln -sf $(CURDIR)/node_modules/@foundry-rs/*-*/bin/* node_modules/.foundry/
	@touch $@

vendor/onnxruntime/libonnxruntime.so: tools/fetch-onnxruntime
	@tools/fetch-onnxruntime >&2

# What packages lack is copied from models/, so a change there counts.
vendor/models/.fetched: tools/fetch-models $(shell find models/minilm models/magenta-style -type f)
	@tools/fetch-models >&2
	@touch $@

# The libraries of NVIDIA's that it needs are over a gigabyte: only for machines with a GPU.
setup-cuda: setup vendor/onnxruntime-cuda/libonnxruntime.so ## Fetch ONNX Runtime for NVIDIA GPUs and the CUDA libraries that it needs

vendor/onnxruntime-cuda/libonnxruntime.so: tools/fetch-onnxruntime
	@tools/fetch-onnxruntime --cuda >&2
	@touch $@

build: setup ## Build contracts and agents
	@forge build >&2
	@cargo build --workspace --bins --locked

demo: build ## Run a whole network on a local chain, show what it does, stop it (last line of stdout: one JSON object)
	@target/debug/cuckoo-devnet demo

devnet: build ## Start the same network and keep it up; prints one JSON line once it is ready
	@target/debug/cuckoo-devnet up

test: test-contracts test-tools test-recipe test-agents ## Run every test

# From scratch: a build cache that several forge processes wrote has been seen to hide tests.
# Gas that differs from the recorded figures fails: `make snapshots` records what it is now.
test-contracts: setup
	FORGE_SNAPSHOT_CHECK=true forge test --force

test-tools: setup ## Break documented sources in all ways that tools/natspec looks for, and see it find each
	PYTHONPATH=tools python3 -m unittest documentation.test_rules

snapshots: setup ## Record gas and code sizes: test/gas/snapshots
	forge test --match-path 'test/gas/*'

invariants: setup ## Run the invariant tests at length: 512 runs of 128 calls each
	FOUNDRY_PROFILE=deep forge test --match-path 'test/invariant/*'

vendor/bench/.installed: tools/bench.txt
	@python3 -m venv vendor/bench
	@vendor/bench/bin/pip install --quiet --disable-pip-version-check -r tools/bench.txt >&2
	@touch $@

bench: setup vendor/bench/.installed ## Measure the default model beside baselines of the same run; one JSON line a figure
	@cargo bench --quiet --locked -p cuckoo-inference --bench speed -- --python $(CURDIR)/vendor/bench/bin/python

economics: ## Play the game of stake, audits and slashes over months, and write docs/economics.md's tables and plots
	@cargo run --quiet --release --locked -p cuckoo-economics -- --write docs/economics.md

# Make ends with 2 whatever went wrong. Scripts call the tool, which ends with 3 where there is no GPU, before anything is fetched.
gpu-check: ## Compare a GPU's results and speed with the processor's, and write docs/gpu.md (tools/gpu-check ends with 3 without a GPU)
	@tools/gpu-check

vendor/analysis/.installed: tools/analysis.txt
	@python3 -m venv vendor/analysis
	@vendor/analysis/bin/pip install --quiet --disable-pip-version-check -r tools/analysis.txt >&2
	@touch $@

slither: setup vendor/analysis/.installed ## Run Slither; fails on any finding that tools/slither.json does not explain
	@PATH=$(CURDIR)/vendor/analysis/bin:$$PATH tools/slither

# Libraries are compiled anew with the properties, without via-IR; Staking and Payments are taken from `out` as they are deployed.
SYMBOLIC := FOUNDRY_SRC=test/symbolic FOUNDRY_TEST=test/symbolic FOUNDRY_SCRIPT=test/symbolic FOUNDRY_OUT=vendor/symbolic/out \
	FOUNDRY_CACHE_PATH=vendor/symbolic/cache FOUNDRY_VIA_IR=false FOUNDRY_DENY=never

symbolic: setup vendor/analysis/.installed ## Prove with Halmos what test/symbolic states, for all values
	@forge build contracts >&2
	@rm -rf vendor/symbolic
	$(SYMBOLIC) vendor/analysis/bin/halmos --forge-build-out vendor/symbolic/out --no-status --solver-threads 1 \
		--solver-command "vendor/analysis/bin/python tools/solve" --solver-timeout-assertion 60000

mutants: setup ## Break Staking, Payments and Disputes in 306 ways and see the unit tests fail (half an hour)
	@tools/mutants --sample 102

guards: setup ## Take away each guard of tools/guards and see its regression test fail (a few minutes)
	@tools/mutants --guards

# The end-to-end tests run the binaries, so those are built first.
test-agents: build
	cargo test --workspace --locked

# Debug builds: nearly all of the time goes into ONNX Runtime and the disputes' windows.
adversaries: build ## Try every kind of cheat, and honest miners, at 1,000 tasks each, and hostile jurors, and write docs/adversaries.md (three quarters of an hour)
	@target/debug/cuckoo-devnet adversaries --write docs/adversaries.md

# With uv, because pip takes many minutes to find out which versions go together.
vendor/parity/.installed: tools/parity.txt
	@python3 -m venv vendor/parity
	@vendor/parity/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 >&2
	@vendor/parity/bin/uv pip install --quiet --python vendor/parity/bin/python -r tools/parity.txt >&2
	@touch $@

vendor/recipe/.installed: tools/recipe.txt
	@python3 -m venv vendor/recipe
	@vendor/recipe/bin/pip install --quiet --disable-pip-version-check -r tools/recipe.txt >&2
	@touch $@

test-recipe: vendor/recipe/.installed ## Run the tests of the models' recipe; those that need PyTorch run with `make parity`
	@vendor/recipe/bin/python -m unittest discover models/recipe

parity: setup vendor/parity/.installed ## Export SD 1.5, SD-Turbo and SDXL, small but at full depth, and compare each step with PyTorch (15 minutes, 6 GB)
	@mkdir -p vendor/parity/stock
	@vendor/parity/bin/python -m unittest discover models/recipe
	@vendor/parity/bin/python agents/inference/testdata/stock.py --wide vendor/parity/stock >&2
	CUCKOO_PARITY=$(CURDIR)/vendor/parity/stock cargo test --locked -p cuckoo-inference --test stock -- --nocapture --test-threads 1

lint: setup ## Check formatting and lints
	forge fmt --check
	tools/natspec
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt: setup ## Format everything
	forge fmt
	cargo fmt --all

release: setup ## Build the binaries that operators run: target/release/{miner,coordinator}-agent
	cargo build --release --locked --bin miner-agent --bin coordinator-agent

clean: ## Remove what was built
	rm -rf out cache broadcast target node_modules vendor
