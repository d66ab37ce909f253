# `make run` serves Keywright on this machine, `make test` proves it; both install what they need into .venv.
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
SAM_VENV := .venv-sam
CLIENTS_VENV := .venv-clients
BIN := $(VENV)/bin
SAM := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM_VENV)/bin/sam
UV := $(shell command -v uv 2>/dev/null)
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# $(call install,ENVIRONMENT,REQUIREMENTS FILES...): hash-checked, by uv if it is there, else by pip. Progress is shown on
# standard error: standard output may be piped.
ifdef UV
make_environment = $(UV) venv --quiet --python $(PYTHON) $(1)
install = $(UV) pip install --python $(1)/bin/python --require-hashes $(foreach file,$(2),-r $(file))
else
pip = $(1)/bin/python -m pip install --disable-pip-version-check --require-hashes
make_environment = $(PYTHON) -m venv $(1) && $(call pip,$(1)) --quiet -r requirements/pip.txt
install = $(call pip,$(1)) $(foreach file,$(2),-r $(file)) >&2
endif

RUNTIME_REQUIREMENTS := layers/shared/requirements.txt
LOCAL_REQUIREMENTS := requirements/local.txt
ADMIN_REQUIREMENTS := requirements/admin.txt
DEV_REQUIREMENTS := requirements/dev.txt
SAM_REQUIREMENTS := requirements/sam.txt
CLIENTS_REQUIREMENTS := requirements/clients.txt

LOCAL_PYTHON_VERSION = $(or $(PYTHON_VERSION),3.13)
LOCAL_ARCHITECTURE = $(patsubst aarch64,arm64,$(shell uname -m))

HOST_LAYER := .aws-sam/host-layer

E2E_VENV := .venv-e2e
E2E_REQUIREMENTS := requirements/e2e.txt
FUZZ_VENV := .venv-fuzz
FUZZ_REQUIREMENTS := requirements/fuzz.txt
RUNTIME_VENV := .venv-runtime
RUNTIME_CLIENT_REQUIREMENTS := requirements/runtime.txt
DYNAMODB_LOCAL := .dynamodb-local
# What DynamoDB can be asked of: the store, the functions, their events, and the whole service over HTTP.
DYNAMODB_TESTS := tests/dynamodb tests/keywright/store tests/keywright/operators/test_operators.py tests/keywright/organizations/test_apply.py \
  tests/functions tests/contract tests/test_events.py tests/lifecycle tests/reliability tests/api

.PHONY: help run admin test token emit invoke build-local sam-local-test test-api test-dynamodb test-layer test-runtime capacity e2e test-browser test-clients fuzz load bench bench-report lint errors openapi docs schemas format build lock clean
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: $(VENV)/.local ## serve Keywright on http://127.0.0.1:8787 (PORT=, BIND=, FRESH=1, EMPTY=1, DEMO_TTL=seconds, RELOAD=0)
	@RELOAD=$${RELOAD:-1} exec $(BIN)/python -m local

token: $(VENV)/.local ## print a session token for the service of make run: make token USER=admin, or USER=ada ORG=acme
	@$(BIN)/python -m local.token "$(if $(filter command,$(firstword $(origin USER))),$(USER))" "$(ORG)"

emit: $(VENV)/.local ## send an event to the bus of make run: make emit EVENT=event.json
	@test -n "$(EVENT)" || { echo "name an event: make emit EVENT=event.json (docs/local.md)"; exit 2; }
	@$(BIN)/python -m local.emit "$(EVENT)"

admin: $(VENV)/.admin ## the operator's command line: make admin ARGS="--stack NAME organizations list"
	@exec $(BIN)/python -m admin $(ARGS)

invoke: $(VENV)/.local $(SAM_VENV)/.installed $(RUNTIME_VENV)/.installed $(HOST_LAYER)/.built ## run a function as Lambda does, without Docker: make invoke EVENT=events/create_api_key/200_minimal
	@test -n "$(EVENT)" || { echo "name an event: make invoke EVENT=events/create_api_key/200_minimal"; exit 2; }
	@$(BIN)/python -m local.invoke "$(EVENT)" "$(FUNCTION)"

test: $(VENV)/.dev ## run every test that needs nothing but this machine
	$(BIN)/pytest -n auto --dist loadgroup $(ARGS)

test-api: $(VENV)/.dev ## run the HTTP suite against a running deployment: make test-api STACK=.local/stack.json
	@test -n "$(STACK)" || { echo "name the deployment: make test-api STACK=.local/stack.json"; exit 2; }
	$(BIN)/pytest tests/api --stack $(STACK) $(ARGS)

test-dynamodb: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed ## run every test that writes to DynamoDB on DynamoDB Local (needs Java 17)
	$(BIN)/python -m local.dynamodb_local $(BIN)/pytest $(DYNAMODB_TESTS) -n auto --dist loadgroup $(ARGS)

capacity: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed ## measure what each operation consumes, and write it into docs/capacity.md
	WRITE_CAPACITY=1 $(BIN)/python -m local.dynamodb_local $(BIN)/pytest tests/dynamodb -q -k test_a_success_consumes

# As Lambda unpacks it, but for the Python and the processor of this machine; -I shuts out everything else.
test-layer: $(VENV)/bin/python ## build the layer for this machine and import every function with it
	@rm -rf .aws-sam/host-layer
	@$(MAKE) --no-print-directory -C layers/shared build-SharedLayer ARTIFACTS_DIR=$(CURDIR)/.aws-sam/host-layer \
	  PYTHON_VERSION=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])') ARCHITECTURE=$$(uname -m)
	@$(BIN)/python -ISB tests/support/layer_imports.py .aws-sam/host-layer/python

test-runtime: $(VENV)/.dev $(SAM_VENV)/.installed $(RUNTIME_VENV)/.installed test-layer ## run each function under Lambda's runtime client, with the built layer (needs Linux)
	$(BIN)/pytest tests/runtime --runtime $(RUNTIME_VENV)/bin/python -n auto --dist loadgroup $(ARGS)

e2e: $(VENV)/.dev $(SAM_VENV)/.installed $(E2E_VENV)/.installed ## deploy the template to an AWS emulator, run the HTTP suite there, update it, follow the deploy guide
	@$(BIN)/python -m tests.e2e $(ARGS)

fuzz: $(VENV)/.dev $(FUZZ_VENV)/.installed ## schemathesis on the local service, atheris on what parses (RUNS=, SECONDS=, SEED=, TARGETS=; Linux)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.fuzz

load: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed ## 200 connections on the local service for a minute, then count (CONNECTIONS=, SECONDS=; Linux, Java 17)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.load

test-browser: $(VENV)/.dev ## look at the reference page in headless Chromium (Debian: chromium chromium-driver)
	@test -n "$(CHROMIUM)" || { echo "Chromium is missing: apt install chromium chromium-driver, or CHROMIUM=path"; exit 2; }
	$(BIN)/pytest tests/browser --browser $(CHROMIUM) $(ARGS)

test-clients: $(VENV)/.dev $(CLIENTS_VENV)/.installed ## generate a Python and a TypeScript client, create keys (needs Node.js 20)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.clients $(CLIENTS_VENV)/bin

bench: $(VENV)/.dev $(SAM_VENV)/.installed $(DYNAMODB_LOCAL)/.installed test-layer ## compare with budgets and with other products (QUICK=1; PARTS="hot_path cost")
	$(BIN)/python -m benchmarks $(PARTS)

bench-report: $(VENV)/.dev ## update the tables and pictures of docs/performance from the last make bench
	$(BIN)/python -m benchmarks.pictures

lint: $(VENV)/.dev $(SAM_VENV)/.installed ## ruff, mypy --strict, import-linter, sam validate --lint, and cfn-lint on what SAM makes of the template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=layers/shared/python $(BIN)/lint-imports --no-cache
	$(SAM) validate --lint --template template.yaml
	$(SAM_VENV)/bin/cfn-lint docs/iam.yaml
	$(SAM_VENV)/bin/python -m tools.translated template.yaml
	$(BIN)/pytest tests/translated --sam $(SAM_VENV)/bin/python

openapi: $(VENV)/.dev ## rewrite docs/openapi.json from the handlers, the template and the events
	@PYTHONPATH=layers/shared/python $(BIN)/python -m openapi

errors: $(VENV)/.dev ## rewrite the errors in template.yaml and docs/using.md from keywright/errors.py
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tools.errors

docs: errors openapi ## rewrite what is computed in docs/: openapi.json, the costs, the picture of the first run (port 8787 free)
	@$(BIN)/python -m tools.costs
	@$(BIN)/python -m tools.terminal

format: $(VENV)/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.local ## write docs/schemas anew, from the models
	PYTHONPATH=layers/shared/python $(BIN)/python -c 'import json; from keywright.organizations.events import json_schema; \
	  print(json.dumps(json_schema(), indent=2))' > docs/schemas/organization-event.json
	$(BIN)/python -m admin.schemas

sam-local-test: $(VENV)/.dev build-local ## run every function in a container of SAM CLI (needs Docker; BIND=, PYTHON_VERSION=, SAM_ARGS=)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.sam_local

build-local: $(VENV)/.local $(SAM_VENV)/.installed ## sam build for `sam local` on this machine, into .aws-sam/local (PYTHON_VERSION=3.13)
	@PYTHON_VERSION=$(LOCAL_PYTHON_VERSION) ARCHITECTURE=$(LOCAL_ARCHITECTURE) PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" $(SAM) build \
	  --build-dir .aws-sam/local --parameter-overrides PythonRuntime=python$(LOCAL_PYTHON_VERSION) Architecture=$(LOCAL_ARCHITECTURE)
	@$(BIN)/python -m local.sam .aws-sam/local $(LOCAL_PYTHON_VERSION) $(LOCAL_ARCHITECTURE)

build: $(SAM_VENV)/.installed ## sam build, for the platform that template.yaml names
	PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" $(SAM) build

lock: ## pin every dependency anew, with hashes (needs uv)
	@test -n "$(UV)" || { echo "make lock needs uv: pip install uv"; exit 2; }
	for name in layers/shared/requirements requirements/local requirements/admin requirements/dev requirements/sam requirements/runtime \
	  requirements/clients requirements/e2e requirements/fuzz requirements/pip $(patsubst %,benchmarks/%/requirements,runtime drawing peers/drf_api_key peers/keyshield); do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --upgrade $$name.in -o $$name.txt || exit 1; \
	done

clean: ## remove everything these commands have made
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) $(CLIENTS_VENV) $(E2E_VENV) $(FUZZ_VENV) $(DYNAMODB_LOCAL) .bench .fuzz .local .aws-sam .hypothesis .mypy_cache \
	  .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Keywright needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(call make_environment,$(VENV)) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made with '$(PYTHON)'. If the reason above names ensurepip or venv, install uv or your system's venv package (Debian: apt install python3-venv)."; exit 2; }

$(SAM_VENV)/bin/python $(RUNTIME_VENV)/bin/python $(CLIENTS_VENV)/bin/python $(E2E_VENV)/bin/python $(FUZZ_VENV)/bin/python: | $(VENV)/bin/python
	@$(call make_environment,$(@D:/bin=)) || { rm -rf $(@D:/bin=); exit 2; }

$(VENV)/.local: $(VENV)/bin/python $(RUNTIME_REQUIREMENTS) $(LOCAL_REQUIREMENTS)
	@echo "Installing what the local service needs into $(VENV) ..."
	@$(call install,$(VENV),$(RUNTIME_REQUIREMENTS) $(LOCAL_REQUIREMENTS))
	@touch $@

$(VENV)/.admin: $(VENV)/.local $(ADMIN_REQUIREMENTS)
	@echo "Installing what the command line needs into $(VENV) ..." >&2
	@$(call install,$(VENV),$(ADMIN_REQUIREMENTS))
	@touch $@

$(VENV)/.dev: $(VENV)/.admin $(DEV_REQUIREMENTS)
	@echo "Installing the test and lint tools into $(VENV) ..."
	@$(call install,$(VENV),$(DEV_REQUIREMENTS))
	@touch $@

$(CLIENTS_VENV)/.installed: $(CLIENTS_VENV)/bin/python $(CLIENTS_REQUIREMENTS)
	@echo "Installing the client generators into $(CLIENTS_VENV) ..."
	@$(call install,$(CLIENTS_VENV),$(CLIENTS_REQUIREMENTS))
	@touch $@

$(SAM_VENV)/.installed: $(SAM_VENV)/bin/python $(SAM_REQUIREMENTS)
	@echo "Installing aws-sam-cli into $(SAM_VENV) ..."
	@$(call install,$(SAM_VENV),$(SAM_REQUIREMENTS))
	@touch $@

$(RUNTIME_VENV)/.installed: $(RUNTIME_VENV)/bin/python $(RUNTIME_CLIENT_REQUIREMENTS)
	@echo "Installing Lambda's runtime client into $(RUNTIME_VENV) ..."
	@$(call install,$(RUNTIME_VENV),$(RUNTIME_CLIENT_REQUIREMENTS))
	@touch $@

$(E2E_VENV)/.installed: $(E2E_VENV)/bin/python $(E2E_REQUIREMENTS)
	@echo "Installing the AWS emulator into $(E2E_VENV) ..."
	@$(call install,$(E2E_VENV),$(E2E_REQUIREMENTS))
	@touch $@

$(FUZZ_VENV)/.installed: $(FUZZ_VENV)/bin/python $(RUNTIME_REQUIREMENTS) $(FUZZ_REQUIREMENTS)
	@echo "Installing the fuzzers into $(FUZZ_VENV) ..."
	@$(call install,$(FUZZ_VENV),$(RUNTIME_REQUIREMENTS) $(FUZZ_REQUIREMENTS))
	@touch $@

$(HOST_LAYER)/.built: $(shell find layers/shared -name '*.py' -o -name requirements.txt -o -name Makefile)
	@$(MAKE) --no-print-directory test-layer >/dev/null
	@touch $@

# Java and Maven come from Debian where they are missing and it can be done; SHA256SUMS says what has to come of it.
$(DYNAMODB_LOCAL)/.installed: requirements/dynamodb-local/pom.xml requirements/dynamodb-local/SHA256SUMS
	@{ command -v javac && command -v mvn; } >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Java and Maven ..." && \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
	      default-jdk-headless maven >/dev/null; } || \
	  { echo "DynamoDB Local needs a JDK, version 17 or later, and Maven (Debian: apt install default-jdk-headless maven)."; exit 2; }
	@echo "Installing DynamoDB Local into $(DYNAMODB_LOCAL) ..."
	@rm -rf $(DYNAMODB_LOCAL)
	@mvn --quiet --batch-mode -Dstyle.color=never --file requirements/dynamodb-local/pom.xml \
	  org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=$(CURDIR)/$(DYNAMODB_LOCAL)
	@cd $(DYNAMODB_LOCAL) && sha256sum --quiet --check $(CURDIR)/requirements/dynamodb-local/SHA256SUMS
	@touch $@
