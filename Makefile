# `make run` serves Keywright on this machine, `make test` proves it; both install what they need into .venv.
# `make help` lists the commands with ##, `make help-all` also those with #:.

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
SCANNERS := .scanners
WHEEL_VENV := .venv-wheel
RUNTIME_CLIENT_REQUIREMENTS := requirements/runtime.txt
DYNAMODB_LOCAL := .dynamodb-local
# What DynamoDB can be asked of: the store, the functions, their events, and the whole service over HTTP.
DYNAMODB_TESTS := tests/dynamodb tests/keywright/store tests/keywright/keys/test_limiter.py tests/keywright/operators/test_operators.py tests/keywright/organizations/test_apply.py \
  tests/functions tests/contract tests/test_events.py tests/lifecycle tests/reliability tests/api

.PHONY: help help-all run token emit invoke admin event events test test-all check test-api test-dynamodb test-layer test-wheel test-runtime test-scanners sam-local-test \
  capacity e2e test-browser test-clients build-clients fuzz load bench bench-counts bench-aws figures lint generate format build build-local lock clean
.DEFAULT_GOAL := help

# $(call list,MARK): the targets with a comment that begins with the mark.
list = @sed -nE 's/^([a-z0-9-]+):.* $(1) (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

help:
	$(call list,\#\#)

help-all: ## list all commands
	$(call list,\#[\#:])

run: $(VENV)/.local ## serve Keywright on http://127.0.0.1:8787 (EVENTS=1)
	@RELOAD=$${RELOAD:-1} exec $(BIN)/python -m local

token: $(VENV)/.local ## print a session token for the running service (USER=)
	@$(BIN)/python -m local.token "$(if $(filter command,$(firstword $(origin USER))),$(USER))" "$(ORG)"

emit: $(VENV)/.local #: send an event to the bus of make run (EVENT=FILE)
	@test -n "$(EVENT)" || { echo "name an event: make emit EVENT=event.json (docs/local.md)"; exit 2; }
	@PYTHONPATH=layers/shared/python $(BIN)/python -m local.emit "$(EVENT)"

invoke: $(VENV)/.local $(SAM_VENV)/.installed $(RUNTIME_VENV)/.installed $(HOST_LAYER)/.built ## run one function as Lambda does (EVENT=events/...)
	@test -n "$(EVENT)" || { echo "name an event: make invoke EVENT=events/create_api_key/200_minimal"; exit 2; }
	@PYTHONPATH=layers/shared/python $(BIN)/python -m local.invoke "$(EVENT)" "$(FUNCTION)"

admin: $(VENV)/.admin ## the operator's command line: ARGS="--stack NAME ..."
	@exec admin/keywright-admin $(ARGS)

event: $(VENV)/.local #: write the whole files of one case of events/ (CASE=...)
	@test -n "$(CASE)" || { echo "name the case: make event CASE=create_api_key/200_minimal"; exit 2; }
	@PYTHONPATH=layers/shared/python $(BIN)/python -m local.cases $(CASE)

events: $(VENV)/.local #: write the whole files of all cases of events/
	@PYTHONPATH=layers/shared/python $(BIN)/python -m local.cases

# $(call run_tests,ARGUMENTS): on every processor, with compiled modules kept (their compilation takes ten seconds);
# at the end, the processor time of all tests.
run_tests = PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist loadgroup $(1) $(ARGS); status=$$?; \
  echo "processor time (user, system), of make and of the tests:"; times; exit $$status

test: $(VENV)/.dev ## run every test that needs nothing but this machine
	@$(call run_tests)

test-all: $(VENV)/.dev #: the same at full depth (ARGS=--deeper: only what differs)
	@DEPTH=full; export DEPTH; $(call run_tests)

# The service's own logic, one function at a time, the template and the API description. Left out are tests that start a
# service or a process for each test: the command line, the HTTP suite, histories, faults, the layer.
CHECK_TESTS := tests/functions tests/keywright tests/openapi tests/template tests/test_events.py --ignore tests/template/test_layer.py \
  --ignore tests/functions/purge_organizations --ignore tests/functions/sync_organizations --ignore tests/keywright/operators \
  --ignore tests/keywright/keys/test_leases.py --ignore tests/keywright/keys/test_limiter_stateful.py \
  --ignore tests/keywright/keys/test_retired_secrets.py

check: $(VENV)/.dev ## ruff, mypy and the quickest half of the tests, in a minute
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; ($(call run_tests,-q $(CHECK_TESTS))); tests=$$?; wait $$types && exit $$tests

test-api: $(VENV)/.dev #: run the HTTP suite against a deployment: STACK=FILE
	@test -n "$(STACK)" || { echo "name the deployment: make test-api STACK=.local/stack.json"; exit 2; }
	$(BIN)/pytest tests/api --stack $(STACK) $(ARGS)

test-dynamodb: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed #: run the tests that write on DynamoDB Local (Java 17)
	$(BIN)/python -m local.dynamodb_local $(BIN)/pytest $(DYNAMODB_TESTS) -n auto --dist loadgroup $(ARGS)

capacity: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed #: measure the first table of docs/capacity.md (Java 17)
	WRITE_CAPACITY=1 $(BIN)/python -m local.dynamodb_local $(BIN)/pytest tests/dynamodb -q -k test_a_success_consumes

# As Lambda unpacks it, but for the Python and the processor of this machine; -I shuts out everything else.
test-layer: $(VENV)/bin/python #: build the layer here, import every function with it
	@rm -rf .aws-sam/host-layer
	@$(MAKE) --no-print-directory -C layers/shared build-SharedLayer ARTIFACTS_DIR=$(CURDIR)/.aws-sam/host-layer \
	  PYTHON_VERSION=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])') ARCHITECTURE=$$(uname -m)
	@$(BIN)/python -ISB tests/support/layer_imports.py .aws-sam/host-layer/python

# As pipx does: into an empty environment, with dependencies by their ranges and not by hash.
test-wheel: $(VENV)/.dev #: install the command line as pipx does, and use it
	@rm -rf $(WHEEL_VENV)
	@$(PYTHON) -m venv $(WHEEL_VENV) && $(WHEEL_VENV)/bin/python -m pip install --quiet --disable-pip-version-check .
	$(BIN)/pytest tests/wheel --installed $(WHEEL_VENV)/bin/keywright-admin $(ARGS)

test-runtime: $(VENV)/.dev $(SAM_VENV)/.installed $(RUNTIME_VENV)/.installed test-layer #: run each function under Lambda's runtime client (Linux)
	$(BIN)/pytest tests/runtime --runtime $(RUNTIME_VENV)/bin/python -n auto --dist loadgroup $(ARGS)

e2e: $(VENV)/.dev $(SAM_VENV)/.installed $(E2E_VENV)/.installed #: deploy to an AWS emulator, test, update, follow the guide
	@$(BIN)/python -m tests.e2e $(ARGS)

fuzz: $(VENV)/.dev $(FUZZ_VENV)/.installed #: fuzz API and parsers (RUNS= SECONDS= SEED= TARGETS=)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.fuzz

load: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed #: put load on the local service (CONNECTIONS= SECONDS=)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.load

test-browser: $(VENV)/.dev #: use the console and the reference in headless Chromium
	@test -n "$(CHROMIUM)" || { echo "Chromium is missing: apt install chromium chromium-driver, or CHROMIUM=path"; exit 2; }
	$(BIN)/pytest tests/browser --browser $(CHROMIUM) -n auto --dist loadfile $(ARGS)

test-scanners: $(VENV)/.dev $(SCANNERS)/.installed #: scan for leaked keys with gitleaks (SCANNED_TOKENS=; Go)
	$(BIN)/pytest tests/scanners/test_gitleaks.py --gitleaks $(SCANNERS)/gitleaks $(ARGS)

test-clients: $(VENV)/.dev $(CLIENTS_VENV)/.installed #: build, install and use both clients (Node.js)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.clients $(CLIENTS_VENV)/bin

build-clients: $(CLIENTS_VENV)/.installed #: build the packages of both clients (Node.js)
	@cd clients/python && rm -rf dist && $(CURDIR)/$(CLIENTS_VENV)/bin/python -m hatchling build
	@cd clients/typescript && rm -rf dist *.tgz && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build && \
	  npm pack --silent

bench: $(VENV)/.dev $(SAM_VENV)/.installed $(DYNAMODB_LOCAL)/.installed test-layer #: compare with budgets and products (QUICK=1 PARTS="cost")
	$(BIN)/python -m benchmarks $(PARTS)

bench-counts: $(VENV)/.dev $(DYNAMODB_LOCAL)/.installed #: hold the budgets of requests, units and hashes (Java 17)
	QUICK=1 $(BIN)/python -m benchmarks counts

bench-aws: $(VENV)/.dev #: measure a deployment of yours (STACK= KEY= TOKEN= COUNT=)
	@PYTHONPATH=layers/shared/python exec $(BIN)/python -m benchmarks.aws "$(STACK)"

figures: $(VENV)/.dev #: run the suites of docs/reliability.md (SUITES="load e2e")
	@$(BIN)/python -m tools.figures $(SUITES)

lint: $(VENV)/.dev $(SAM_VENV)/.installed ## ruff, mypy, import-linter, and cfn-lint on the templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; $(SAM) validate --lint --template template.yaml; template=$$?; wait $$types && exit $$template
	PYTHONPATH=layers/shared/python $(BIN)/lint-imports --no-cache
	$(SAM_VENV)/bin/cfn-lint docs/iam.yaml $(wildcard examples/*/template.yaml)
	$(SAM_VENV)/bin/python -m tools.translated template.yaml $(foreach name,forwarders mail siem slack webhook,examples/$(name)/template.yaml)
	$(BIN)/pytest tests/translated --sam $(SAM_VENV)/bin/python

generate: $(VENV)/.dev ## write all computed files, such as docs/openapi.json
	@PYTHONPATH=layers/shared/python:admin $(BIN)/python -m tools.generate

format: $(VENV)/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sam-local-test: $(VENV)/.dev build-local #: run each function in a container of SAM CLI (Docker)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m tests.sam_local

build-local: $(VENV)/.local $(SAM_VENV)/.installed #: build for sam local on this machine (PYTHON_VERSION=3.13)
	@PYTHON_VERSION=$(LOCAL_PYTHON_VERSION) ARCHITECTURE=$(LOCAL_ARCHITECTURE) PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" $(SAM) build \
	  --build-dir .aws-sam/local --parameter-overrides PythonRuntime=python$(LOCAL_PYTHON_VERSION) Architecture=$(LOCAL_ARCHITECTURE)
	@$(BIN)/python -m local.sam .aws-sam/local $(LOCAL_PYTHON_VERSION) $(LOCAL_ARCHITECTURE)
	@PYTHONPATH=layers/shared/python $(BIN)/python -m local.cases --missing

build: $(SAM_VENV)/.installed ## build the functions and the layer with SAM, to deploy them
	PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" $(SAM) build

lock: #: pin every dependency anew, with hashes (needs uv)
	@test -n "$(UV)" || { echo "make lock needs uv: pip install uv"; exit 2; }
	for name in layers/shared/requirements requirements/local requirements/admin requirements/dev requirements/sam requirements/runtime \
	  requirements/clients requirements/e2e requirements/fuzz requirements/pip $(patsubst %,benchmarks/%/requirements,runtime peers/drf_api_key peers/keyshield); do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --upgrade $$name.in -o $$name.txt || exit 1; \
	done

clean: ## remove everything that these commands have made
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) $(WHEEL_VENV) $(CLIENTS_VENV) $(E2E_VENV) $(FUZZ_VENV) $(DYNAMODB_LOCAL) $(SCANNERS) .bench .fuzz .local .aws-sam .hypothesis .mypy_cache \
	  .pytest_cache .ruff_cache clients/python/dist clients/typescript/dist clients/typescript/*.tgz clients/typescript/node_modules \
	  clients/typescript/build clients/typescript/test/api.d.ts clients/typescript/test/runtimes/node_modules examples/backends/node_modules

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

# Modules are checked against requirements/scanners/go.sum. Their 400 MB are removed after the build.
$(SCANNERS)/.installed: requirements/scanners/go.mod requirements/scanners/go.sum
	@command -v go >/dev/null || { echo "make test-scanners builds gitleaks, for which Go is missing: apt install golang-go, or https://go.dev/dl/"; exit 2; }
	@echo "Building gitleaks into $(SCANNERS) ..."
	@rm -rf $(SCANNERS)
	@cd requirements/scanners && GOPATH=$(CURDIR)/$(SCANNERS)/go GOFLAGS="-mod=readonly -modcacherw -buildvcs=false" \
	  go build -o $(CURDIR)/$(SCANNERS)/gitleaks github.com/zricethezav/gitleaks/v8
	@rm -rf $(SCANNERS)/go
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
