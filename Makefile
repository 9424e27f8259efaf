# `make demo`, `make test` and `make bench` work as the first command on a fresh clone: what they need is installed under
# .local/ on first use. Needs cargo with cargo-nextest, Python 3.11 or later, Node with npm, and a network for the
# first time.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
AWS_VENV := .local/venv-aws
SAM_VENV := .local/venv-sam
AWS_TOOLS := $(AWS_VENV)/.installed
SAM_TOOLS := $(SAM_VENV)/.installed
CONTRACT_VENV := .local/venv-contract
CONTRACT_TOOLS := $(CONTRACT_VENV)/.installed
BENCH_VENV := .local/venv-bench
BENCH_TOOLS := $(BENCH_VENV)/.installed
SERVER_VENV := .local/venv-servers
SERVER_NODE := .local/node-servers
SERVER_TOOLS := $(SERVER_VENV)/.installed $(SERVER_NODE)/.installed
CARGO_DENY := .local/cargo/bin/cargo-deny
CARGO_FUZZ := .local/cargo/bin/cargo-fuzz

# cargo-lambda always names a target, and cargo keeps artefacts of a named target apart: with the same name everywhere
# `make demo`, `make test` and `make check` build each dependency once.
export CARGO_BUILD_TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: demo demo-recovery test test-flow servers prove upgrade check bench fuzz up down deploy

# ---------------------------------------------------------------- what people do first
demo: $(AWS_TOOLS) $(SAM_TOOLS)
	$(AWS_VENV)/bin/python local/demo.py

# The second act of the demo alone.
demo-recovery: $(AWS_TOOLS) $(SAM_TOOLS)
	$(AWS_VENV)/bin/python local/demo.py recovery

test: $(AWS_TOOLS) $(SAM_TOOLS) $(CONTRACT_TOOLS) $(SERVER_TOOLS) nextest
	cargo nextest run --workspace --locked
	cargo test --workspace --doc --locked
	$(CONTRACT_VENV)/bin/python -m pytest -q -p no:cacheprovider shared/contract/tests/standard
	$(AWS_VENV)/bin/python -m pytest -q -c local/pytest.ini --rootdir local local/tests
	$(MAKE) test-flow

# Servers of third parties that the recovery engine is tested against.
servers: $(SERVER_TOOLS)

# The whole flows alone, on the deployed template.
test-flow: $(AWS_TOOLS) $(SAM_TOOLS)
	$(AWS_VENV)/bin/python -m pytest -q -c tests/flow/pytest.ini --rootdir tests/flow tests/flow

# What takes too long for every day: two million items checked by many workers, some of them killed.
prove: nextest
	cargo nextest run --locked --package on-publish --run-ignored only --no-capture

# Deploys release 0.1.0, today's template over it, and 0.1.0's again over that, while the programs of both work on the same
# registry, tables and queues. Takes three to five minutes once both releases are built; the first run builds 0.1.0 from the
# history of this repository, seven minutes on two cores, into target/upgrade.
upgrade: $(AWS_TOOLS) $(SAM_TOOLS)
	$(AWS_VENV)/bin/python tests/upgrade/upgrade.py

check: $(AWS_TOOLS) $(SAM_TOOLS) $(CARGO_DENY) nextest
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cargo nextest run --package septet-architecture --locked
	$(CARGO_DENY) --locked check bans licenses sources
	$(AWS_VENV)/bin/ruff check local shared/checks/src/tests shared/contract/tests/standard shared/recovery/tests/servers \
	    tests/bench tests/flow tests/upgrade
	$(AWS_VENV)/bin/ruff format --check local shared/checks/src/tests shared/contract/tests/standard shared/recovery/tests/servers \
	    tests/bench tests/flow tests/upgrade
	SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam validate --lint --region us-east-1
	$(SAM_VENV)/bin/cfn-lint template.yaml

# Each function is built by itself, as `sam build` does it: together they would have each other's features.
bench: $(BENCH_TOOLS)
	cargo build --release --locked --package on-publish
	cargo build --release --locked --package prune
	cargo build --release --locked --package backfill
	cargo build --release --locked --package runtime-only
	cargo run --release --locked --package septet-bench -- --python $(BENCH_VENV)/bin/python

# Searches for input that breaks what Septet promises, FUZZ_SECONDS in each target; what it finds worth trying stays in
# tests/fuzz/corpus, and what broke something in tests/fuzz/artifacts.
FUZZ_SECONDS ?= 150
FUZZ_TARGETS := answer document message profile scan-page
fuzz: $(CARGO_FUZZ)
	set -e; export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16; for target in $(FUZZ_TARGETS); do \
	    $(CARGO_FUZZ) fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --features libfuzzer-sys \
	        $$target -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024; \
	done

# ---------------------------------------------------------------- the local AWS (local/README.md)
up: $(AWS_TOOLS) $(SAM_TOOLS)
	@$(AWS_VENV)/bin/python local/stack.py up

down: $(AWS_TOOLS)
	@$(AWS_VENV)/bin/python local/stack.py down

# ---------------------------------------------------------------- AWS: the account and region of your credentials
# The first deployment names the tables: make deploy PARAMETERS="DatasetTables=recs-*". Later ones keep what they do not
# name.
ARCHITECTURE ?= arm64
PARAMETERS ?=
deploy: $(SAM_TOOLS)
	PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" sam build --parameter-overrides Architecture=$(ARCHITECTURE)
	set -f; PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" sam deploy \
	    --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS) || { \
	    echo 'hint: the first deployment needs DatasetTables: make deploy PARAMETERS="DatasetTables=recs-*"' >&2; exit 1; }

# ---------------------------------------------------------------- tools
$(AWS_TOOLS): local/requirements-aws.txt local/requirements-demo.txt
	$(PYTHON) -m venv --clear $(AWS_VENV)
	$(AWS_VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

$(BENCH_TOOLS): local/requirements-bench.txt
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

$(SAM_TOOLS): local/requirements-sam.txt
	$(PYTHON) -m venv --clear $(SAM_VENV)
	$(SAM_VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

$(CONTRACT_TOOLS): local/requirements-contract.txt
	$(PYTHON) -m venv --clear $(CONTRACT_VENV)
	$(CONTRACT_VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

$(SERVER_VENV)/.installed: local/requirements-servers.txt
	$(PYTHON) -m venv --clear $(SERVER_VENV)
	$(SERVER_VENV)/bin/pip install --quiet --disable-pip-version-check $(addprefix -r ,$^)
	@touch $@

# Version 1 of json-server asks for a newer Node than it needs.
$(SERVER_NODE)/.installed: shared/recovery/tests/servers/package.json shared/recovery/tests/servers/package-lock.json
	@mkdir -p $(SERVER_NODE)
	cp $^ $(SERVER_NODE)
	npm ci --prefix $(SERVER_NODE) --no-audit --no-fund --ignore-scripts --loglevel error
	@touch $@

$(CARGO_DENY):
	cargo install --quiet --locked --root .local/cargo cargo-deny@0.20.2

$(CARGO_FUZZ):
	cargo install --quiet --locked --root .local/cargo cargo-fuzz@0.13.2

.PHONY: nextest
nextest:
	@cargo nextest --version >/dev/null 2>&1 || \
	    { echo 'error: cargo-nextest is not installed' >&2; echo 'hint: cargo install --locked cargo-nextest' >&2; exit 1; }
