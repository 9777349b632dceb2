# Everything is set up in .venv by the targets themselves; a second run costs nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.13 || command -v python3)
DEV := .venv/dev.stamp
SAM := .venv/sam.stamp
# The SAM CLI can be told not to report what is done with it, but not to stop asking each week for a newer SAM CLI
# (aws-sam-cli's issue 3709). So it gets a folder of its own for what it remembers: it asked last in 2100 (read only as a float).
SAM_HOME := .venv/sam/home
SAM_CLI := SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR="$(CURDIR)/$(SAM_HOME)" PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/sam/bin/sam

.PHONY: help demo up test check format build key redrive pins openapi clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(DEV) ## Play one order on simulated iPhones, and check it
	.venv/bin/python -m onebox demo

up: $(DEV) ## Keep the whole stack running on this machine
	.venv/bin/python -m onebox up

test: $(DEV) ## Run the tests
	.venv/bin/python -m pytest

check: $(DEV) $(SAM) ## Lint, type-check and validate
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/cfn-lint template.yaml
	$(SAM_CLI) validate --lint

format: $(DEV) ## Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

build: $(DEV) $(SAM) ## Build what `sam deploy` uploads
	$(SAM_CLI) build

pins: $(DEV) ## Pin the newest versions of the dependencies
	$(PIN) --output-file layers/dependencies/requirements.txt requirements/layer.in
	$(PIN) --output-file requirements/dev.txt requirements/dev.in
	$(PIN) --output-file requirements/sam.txt requirements/sam.in

# No addresses in the pins: whoever installs has an index of their own.
PIN := CUSTOM_COMPILE_COMMAND="make pins" .venv/bin/pip-compile --quiet --upgrade --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --annotation-style line

key: $(DEV) ## Put the APNs key into a stack: make key P8=AuthKey_X.p8 KEY_ID=X TEAM_ID=Y STACK=lockstep
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.key --p8 "$(P8)" --key-id "$(KEY_ID)" --team-id "$(TEAM_ID)" --stack "$(STACK)"

redrive: $(DEV) ## Send a stack's dead letters through once more: make redrive STACK=lockstep
	@PYTHONPATH=layers/shared .venv/bin/python -m ops.redrive --stack "$(STACK)"

openapi: $(DEV) ## Write docs/openapi.json anew from the code
	PYTHONPATH=layers/shared .venv/bin/python -m docs.openapi > /dev/null

clean: ## Remove all that the targets made
	rm -rf .venv .aws-sam .local .hypothesis .mypy_cache .pytest_cache .ruff_cache
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
