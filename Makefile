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

PYTHON ?= $(shell command -v python3.13 || command -v python3)
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

.PHONY: help demo up screenshot sam-local test foreign clients check format build key redrive torture previous hostile fuzz mutants bench throughput bench-fanout coldstart stadium soak pins openapi clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(DEV) $(if $(filter sam,$(FUNCTIONS)),build) ## Play one order on simulated iPhones, and check it (FUNCTIONS=sam: in Lambda's runtime)
	$(ONEBOX) demo --functions $(FUNCTIONS)

up: $(DEV) $(if $(filter sam,$(FUNCTIONS)),build) ## Keep the whole stack running on this machine, with a page to see it (FUNCTIONS=sam: in Lambda's runtime)
	$(ONEBOX) up --functions $(FUNCTIONS)

screenshot: $(DEV) ## Take docs/page.png anew: the page of lock screens (needs Chromium; half a minute)
	.venv/bin/python -m onebox.page.screenshot docs/page.png

sam-local: $(DEV) build ## Run every event and route in Lambda's runtime, and check what they did (needs Docker)
	$(ONEBOX) sam-local

test: $(DEV) $(SAM) ## Run the tests, two at a time
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

foreign: $(DEV) ## Push to the APNs simulator with other people's clients (those of npm and PyPI, curl, h2load; a minute)
	.venv/bin/python -m pytest tests/foreign

clients: $(DEV) ## Generate clients from docs/openapi.json (Python, TypeScript), install lockstep.publish as a producer would, and use them (a minute)
	.venv/bin/python -m pytest -rs tests/clients

check: $(DEV) $(SAM) $(CHECKOV) ## Lint, type-check and validate; ask for advisories against the pins, if anybody can be asked
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml
	$(SAM_CLI) validate --lint
	CKV_SKIP_PACKAGE_UPDATE_CHECK=true .venv/checkov/bin/checkov --config-file .checkov.yaml
	$(SCHEMAS)
	.venv/bin/python -m ops.advisories

format: $(DEV) ## Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# The layers get their bytecode here, for Lambda has no place to write it to: it would compile all anew at each cold start.
# `sam build` clears the folder each time, so that no bytecode outlives its source.
build: $(DEV) $(SAM) ## Build what `sam deploy` uploads (ARCHITECTURE=arm64 or x86_64)
	@[[ "$(ARCHITECTURE)" =~ ^(x86_64|arm64)$$ ]] || { echo "ARCHITECTURE is x86_64 or arm64, not $(ARCHITECTURE)" >&2; exit 1; }
	@$(SCHEMAS)
	@mkdir -p .aws-sam
	sed 's/x86_64/$(ARCHITECTURE)/g' template.yaml > .aws-sam/template.yaml
	$(SAM_CLI) build --template-file .aws-sam/template.yaml --base-dir . --config-file "$(CURDIR)/samconfig.toml" --build-dir "$(BUILD_DIR)"
	for layer in DependenciesLayer SharedLayer; do \
		.venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -s "$(BUILD_DIR)/$$layer" -p /opt "$(BUILD_DIR)/$$layer"; \
	done

pins: $(DEV) ## Pin the newest versions of the dependencies
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

key: $(DEV) ## Put the APNs key into a stack: make key P8=AuthKey_X.p8 KEY_ID=X TEAM_ID=Y STACK=lockstep
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.key --p8 "$(P8)" --key-id "$(KEY_ID)" --team-id "$(TEAM_ID)" --stack "$(STACK)"

redrive: $(DEV) ## Send a stack's dead letters through once more: make redrive STACK=lockstep
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.redrive --stack "$(STACK)"

torture: $(DEV) ## Play the world against the promises: make torture DURATION_S=1200, or SEED=N
	@PYTHONPATH=layers/shared .venv/bin/python -m tests.play.torture $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED)) $(if $(PLAYS),--plays $(PLAYS))

fuzz: $(DEV) ## Look for SQS messages that push can't bear, guided by coverage where atheris can be installed (DURATION_S=60)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/fuzz.txt || echo "atheris can't be installed here"
	@PYTHONPATH=layers/shared .venv/bin/python -m tests.fuzz $(if $(DURATION_S),--duration-s $(DURATION_S))

hostile: $(DEV) ## Ask the API what no app would, of another seed each time (EXAMPLES=100 per route; SEED=N to repeat; some minutes)
	@seed=$(or $(SEED),$$RANDOM); echo "SEED=$$seed"; HOSTILE_SEED=$$seed HOSTILE_EXAMPLES=$(EXAMPLES) \
		.venv/bin/python -m pytest tests/test_hostile_https.py tests/test_authorization.py

previous: $(DEV) ## Call a release the previous one, which the next must get along with: make previous RELEASE=v1.0.0
	.venv/bin/python -m tests.previous "$(RELEASE)"

mutants: $(DEV) ## Break the product on purpose, and see that the tests notice (five minutes)
	.venv/bin/python -m tests.mutants

bench: $(DEV) ## Measure a push, ours and every other client's, and judge what we claim of it (RUNS=5, ONLY="engine bare"; a quarter of an hour)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench --runs $(RUNS) $(if $(ONLY),--only $(ONLY))

throughput: $(DEV) ## Measure what a push costs the whole push function (needs nghttpd; two minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.throughput

bench-fanout: $(DEV) ## Update 100,000 cards, by one function and by four (TOKENS=100000; needs nghttpd; six minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.fanout --tokens $(TOKENS)

coldstart: $(DEV) ## Measure what a cold start costs each function (instructions need valgrind; four minutes)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.coldstart

stadium: $(DEV) ## Start an activity for 30,156 followers and update it ten times while much goes wrong (PHONES=30156, CHANNEL=latest or frequent)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.stadium --phones $(PHONES) $(if $(CHANNEL),--channel $(CHANNEL))

soak: $(DEV) ## Bear everything at once for ten minutes, and write docs/reliability.md (DURATION_S=600, SEED=N)
	@PYTHONPATH=layers/shared .venv/bin/python -m bench.soak --docs docs $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED))

openapi: $(DEV) ## Write docs/openapi.json anew from the code
	PYTHONPATH=layers/shared .venv/bin/python -m docs.openapi > /dev/null

clean: ## Remove all that the targets made
	rm -rf bench/peers/node_modules tests/clients/typescript/node_modules .venv .aws-sam .local .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		|| { echo "Lockstep needs Python 3.13 (found: $$("$(PYTHON)" --version 2>&1)). Name one: make PYTHON=/path/to/python3.13 …" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

$(DEV): requirements/dev.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	touch $@

$(SAM): requirements/sam.txt | .venv/bin/python
	.venv/bin/python -m venv .venv/sam
	.venv/sam/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/sam.txt
	mkdir -p $(SAM_HOME)
	echo '{"lastVersionCheck": 4102444800.0}' > $(SAM_HOME)/metadata.json
	touch $@

$(CHECKOV): requirements/checkov.txt | .venv/bin/python
	.venv/bin/python -m venv .venv/checkov
	.venv/checkov/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/checkov.txt
	touch $@
