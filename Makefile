# Everything is set up in .venv by the targets themselves; a second run costs nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# What the functions run on: x86_64, or arm64, which Lambda sells cheaper.
ARCHITECTURE ?= x86_64
BUILD_DIR ?= .aws-sam/build
# Where onebox runs the functions: process (its own), or sam (containers of the Lambda runtime; needs Docker).
FUNCTIONS ?= process
TOKENS ?= 100000
PHONES ?= 30156
RUNS ?= 5
EXAMPLES ?= 100

# The Python 3.13 to take, where ops/find-python finds none or another than you want.
PYTHON ?=
DEV := .venv/dev.stamp
SAM := .venv/sam.stamp
# The SAM CLI can be told not to report what is done with it, but not to stop asking each week for a newer SAM CLI
# (aws-sam-cli's issue 3709). So it gets a folder of its own for what it remembers: it asked last in 2100 (read only as a float).
SAM_HOME := .venv/sam/home
SAM_QUIET := SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR="$(CURDIR)/$(SAM_HOME)" PATH="$(CURDIR)/.venv/bin:$$PATH"
SAM_CLI := $(SAM_QUIET) .venv/sam/bin/sam
CHECKOV := .venv/checkov.stamp
# A schema that is none would stop the push function: it is found here instead.
SCHEMAS := PYTHONPATH=layers/shared .venv/bin/python -m ops.schemas layers/schemas
ONEBOX := $(SAM_QUIET) .venv/bin/python -m onebox --sam .venv/sam/bin/sam

# `make up ARGS=…`: more for the command line of `python -m onebox`.
ARGS ?=

.PHONY: help demo up docker screenshot sam-local test foreign clients check format build key explain redrive torture previous hostile fuzz mutants bench throughput bench-fanout coldstart stadium soak pins openapi clean

# Whoever wants containers hears what is missing for them before a minute of set-up and build, not after it.
IN_CONTAINERS := $(DEV) docker build

help:
	@awk -f ops/help.awk $(MAKEFILE_LIST)

demo: $(if $(filter sam,$(FUNCTIONS)),$(IN_CONTAINERS),$(DEV)) ##first Two stories on simulated iPhones, checked (a minute)
	@$(ONEBOX) demo --functions $(FUNCTIONS) $(ARGS)

up: $(if $(filter sam,$(FUNCTIONS)),$(IN_CONTAINERS),$(DEV)) ##first The whole stack here, and a page to see it, until Ctrl-C
	@$(ONEBOX) up --functions $(FUNCTIONS) $(ARGS)

screenshot: $(DEV) ##change Take docs/page.png anew (needs Chromium; half a minute)
	.venv/bin/python -m onebox.page.screenshot docs/page.png

sam-local: $(IN_CONTAINERS) ##change Every event and route in Lambda's runtime (needs Docker)
	@$(ONEBOX) sam-local

docker: $(DEV)
	@$(ONEBOX) docker

test: $(DEV) $(SAM) ##first The tests, three at a time (ten minutes)
	.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

foreign: $(DEV) ##prove Other people's clients against the APNs simulator
	.venv/bin/python -m pytest tests/foreign

clients: $(DEV) ##prove Clients made of docs/openapi.json, and lockstep.publish
	.venv/bin/python -m pytest -rs tests/clients

check: $(DEV) $(SAM) $(CHECKOV) ##change Lint, type-check, validate; look for advisories
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml
	$(SAM_CLI) validate --lint
	CKV_SKIP_PACKAGE_UPDATE_CHECK=true .venv/checkov/bin/checkov --config-file .checkov.yaml
	$(SCHEMAS)
	.venv/bin/python -m ops.advisories

format: $(DEV) ##change Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# The layers get their bytecode here, for Lambda has no place to write it to: it would compile all anew at each cold start.
# `sam build` clears the folder each time, so that no bytecode outlives its source.
build: $(DEV) $(SAM) ##deploy Build what `sam deploy` uploads (ARCHITECTURE=arm64)
	@[[ "$(ARCHITECTURE)" =~ ^(x86_64|arm64)$$ ]] || { echo "ARCHITECTURE is x86_64 or arm64, not $(ARCHITECTURE)" >&2; exit 1; }
	@$(SCHEMAS)
	@mkdir -p .aws-sam
	sed 's/x86_64/$(ARCHITECTURE)/g' template.yaml > .aws-sam/template.yaml
	$(SAM_CLI) build --template-file .aws-sam/template.yaml --base-dir . --config-file "$(CURDIR)/samconfig.toml" --build-dir "$(BUILD_DIR)"
	for layer in DependenciesLayer SharedLayer; do \
		.venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -s "$(BUILD_DIR)/$$layer" -p /opt "$(BUILD_DIR)/$$layer" || exit 1; \
	done
	@command -v sam >/dev/null || echo "There is no sam on your PATH; this one will do: .venv/sam/bin/sam deploy --guided"

pins: $(DEV) ##change Pin the newest versions of the dependencies
	$(PIN) --output-file layers/dependencies/requirements.txt requirements/layer.in
	$(PIN) --output-file requirements/dev.txt requirements/dev.in
	$(PIN) --output-file requirements/sam.txt requirements/sam.in
	$(PIN) --output-file requirements/checkov.txt requirements/checkov.in
	$(PIN) --output-file requirements/peers.txt requirements/peers.in
	$(PIN) --output-file requirements/fuzz.txt requirements/fuzz.in
	$(PIN) --output-file requirements/clients.txt requirements/clients.in

# No addresses in the pins: whoever installs has an index of their own.
PIN := CUSTOM_COMPILE_COMMAND="make pins" .venv/bin/pip-compile --quiet --upgrade --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --annotation-style line

key: $(DEV) ##deploy Put the APNs key into a stack (P8=… TEAM_ID=… STACK=…)
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.key --p8 "$(P8)" --key-id "$(KEY_ID)" --team-id "$(TEAM_ID)" --stack "$(STACK)"

explain: $(DEV) ##deploy Why an activity shows, or not (STACK=… ACTIVITY=… STATE=1)
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.explain --stack "$(STACK)" --activity "$(ACTIVITY)" $(if $(filter 1,$(STATE)),--state) $(if $(filter 1,$(JSON)),--json)

redrive: $(DEV) ##deploy Send a stack's dead letters through once more (STACK=…)
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.redrive --stack "$(STACK)"

torture: $(DEV) ##prove Play the world against the promises (DURATION_S=1200)
	@PYTHONPATH=layers/shared .venv/bin/python -m tests.play.torture $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED)) $(if $(PLAYS),--plays $(PLAYS))

fuzz: $(DEV) ##prove Look for SQS messages that push can't bear (DURATION_S=60)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/fuzz.txt || echo "atheris can't be installed here"
	@PYTHONPATH=layers/shared .venv/bin/python -m tests.fuzz $(if $(DURATION_S),--duration-s $(DURATION_S))

hostile: $(DEV) ##prove Ask the API what no app would (EXAMPLES=100, SEED=N)
	@seed=$(or $(SEED),$$RANDOM); echo "SEED=$$seed"; HOSTILE_SEED=$$seed HOSTILE_EXAMPLES=$(EXAMPLES) \
		.venv/bin/python -m pytest tests/test_hostile_https.py tests/test_authorization.py

previous: $(DEV) ##change Say which release the next must go with (RELEASE=v1.0.0)
	.venv/bin/python -m tests.previous "$(RELEASE)"

mutants: $(DEV) ##prove Break the product; the tests must notice (five minutes)
	.venv/bin/python -m tests.mutants

bench: $(DEV) ##measure A push, ours and other clients' (RUNS=5; 15 minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench --runs $(RUNS) $(if $(ONLY),--only $(ONLY))

throughput: $(DEV) ##measure The whole push function (needs nghttpd; two minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.throughput

bench-fanout: $(DEV) ##measure An update to many cards (TOKENS=100000; needs nghttpd)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.fanout --tokens $(TOKENS)

coldstart: $(DEV) ##measure Cold starts (instructions need valgrind; four minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.coldstart

stadium: $(DEV) ##measure A big audience and many faults (PHONES=, CHANNEL=latest)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.stadium --phones $(PHONES) $(if $(CHANNEL),--channel $(CHANNEL))

soak: $(DEV) ##measure Everything at once (DURATION_S=600, SEED=N)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.soak --docs docs $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED))

openapi: $(DEV) ##change Write docs/openapi.json anew from the code
	PYTHONPATH=layers/shared .venv/bin/python -m docs.openapi > /dev/null

clean: ##change Remove all that the targets made
	rm -rf bench/peers/node_modules tests/clients/typescript/node_modules .venv .aws-sam .local .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): requirements/dev.txt
	@python=$$(ops/find-python "$(PYTHON)") && "$$python" -m ops.install .venv requirements/dev.txt
	@touch $@

$(SAM): requirements/sam.txt | $(DEV)
	@.venv/bin/python -m ops.install .venv/sam requirements/sam.txt
	@mkdir -p $(SAM_HOME)
	@echo '{"lastVersionCheck": 4102444800.0}' > $(SAM_HOME)/metadata.json
	@touch $@

$(CHECKOV): requirements/checkov.txt | $(DEV)
	@.venv/bin/python -m ops.install .venv/checkov requirements/checkov.txt
	@touch $@
