# The same words everywhere: on a laptop, in a hook, in CI. `make` alone lists them.

PYTHON ?= python3
PORT   ?= 8080
DATA   ?= emporion-data
SPLIT_DATA ?= emporion-split

VENV  := .venv
STAMP := $(VENV)/.stamps
BIN   := $(VENV)/bin
PIP   := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip -qq
LOCK  := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
         --no-emit-index-url --no-emit-find-links --no-header $(UPGRADE)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

.PHONY: help
help: ## List these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- to use it ---------------------------------------------------------------------------------

.PHONY: install
install: $(STAMP)/package ## Install the locked dependencies and the package: .venv/bin/emporion
	@echo "Installed: $(BIN)/emporion"

.PHONY: run
run: $(STAMP)/package ## Start the shop on http://127.0.0.1:8080 (PORT=, DATA=)
	@$(BIN)/emporion up --port $(PORT) --data $(DATA)

.PHONY: split
split: $(STAMP)/engines ## Start it split: a process a service, PostgreSQL, MongoDB, NATS, Envoy
	@$(BIN)/emporion split --port $(PORT) --data $(SPLIT_DATA)

# --- to change it ------------------------------------------------------------------------------

.PHONY: test
test: lint types imports ## Lint, types, import rules and all tests, on other engines in a short form
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "not engines and not cdk"

.PHONY: engines
engines: $(STAMP)/dev $(STAMP)/timescale $(STAMP)/axe ## The rest of the tests: every suite on PostgreSQL, TimescaleDB, MongoDB, SNS and SQS, Envoy; pages in Chromium (minutes; needs Node.js 20 and chromium)
	@$(BIN)/pytest -q -n 2 --dist worksteal -m engines

.PHONY: browser
browser: $(STAMP)/dev $(STAMP)/axe ## Storefront and console in a real Chromium, with and without JavaScript, judged by axe (needs npm and chromium)
	@$(BIN)/pytest -q tests/browser

.PHONY: screenshots
screenshots: $(STAMP)/dev ## A picture of every page, light and dark, desktop and phone: build/screenshots, docs/images (needs chromium)
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: check
check: lint types imports ## The same without starting or killing real processes: under a minute
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "not crash and not system and not engines and not cdk"

.PHONY: lint
lint: $(STAMP)/dev ## Check style, format, spelling and unused dependencies
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format" >&2; exit 1; }
	@$(BIN)/codespell
	@$(BIN)/complexipy src --max-complexity-allowed 17 --failed --plain
	@$(BIN)/deptry src > $(STAMP)/deptry.log 2>&1 || { cat $(STAMP)/deptry.log; exit 1; }

.PHONY: dead
dead: $(STAMP)/dev ## Code that nothing names
	@! $(BIN)/vulture | grep '^src/'

.PHONY: format
format: $(STAMP)/dev ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix --quiet --exit-zero .
	@$(BIN)/ruff format --quiet .

.PHONY: types
types: $(STAMP)/dev ## Check types, strictly
	@$(BIN)/mypy --no-error-summary

.PHONY: imports
imports: $(STAMP)/dev ## Check who may import whom
	@$(BIN)/lint-imports --no-logo > $(STAMP)/imports.log || { cat $(STAMP)/imports.log; exit 1; }

.PHONY: planted
planted: $(STAMP)/dev ## Put every known defect back and see its test fail (minutes)
	@$(BIN)/python -m tests.defects.planted

.PHONY: crash
crash: $(STAMP)/dev ## The whole crash matrix: kill a real process at every step, then audit (minutes)
	@$(BIN)/python -m tests.crash.matrix

.PHONY: drills
drills: $(STAMP)/dev ## Oversell, double pay, start, memory, idle: measured into docs/drills.md
	@$(BIN)/python -m tests.system.drills

.PHONY: reliability
reliability: $(STAMP)/dev ## Break a split shop under load, part by part, then audit: docs/reliability.md (minutes)
	@$(BIN)/python -m tests.reliability.drills

.PHONY: fuzz
fuzz: $(STAMP)/dev ## Fuzz a whole shop by its API description, longer and by chance (EXAMPLES=)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/pytest -q -n 2 --timeout 1800 tests/api/test_openapi_fuzz.py

.PHONY: bench
bench: $(STAMP)/bench ## Measure orders per second beside this machine's own limits (minutes)
	@$(BIN)/python -m bench

.PHONY: bench-split
bench-split: $(STAMP)/bench ## Measure the split shop beside pgbench and the one process (minutes)
	@$(BIN)/python -m bench.split

.PHONY: coverage
coverage: $(STAMP)/dev $(STAMP)/timescale $(STAMP)/axe ## Which branches no test takes
	@$(BIN)/coverage erase
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "not cdk" --cov --cov-report=term-missing:skip-covered

.PHONY: docs
docs: $(STAMP)/dev ## Draw the pictures of ARCHITECTURE.md and the tables of docs/ from the code
	@$(BIN)/python -m emporion.platform.docs

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20,v20

.PHONY: synth
synth: $(STAMP)/deploy ## Write deploy/cloudformation from topology and manifests (needs Node.js)
	@$(BIN)/emporion deploy synth

.PHONY: deploy-check
deploy-check: $(STAMP)/dev $(STAMP)/deploy ## Whether deploy/cloudformation is fresh; what cfn-lint and our own rules find (needs Node.js)
	@$(BIN)/cfn-lint deploy/cloudformation/*.yaml
	@$(BIN)/emporion deploy check
	@$(BIN)/pytest -q -m cdk

.PHONY: sbom
sbom: $(STAMP)/package ## Print what is in the image as a bill of materials (CycloneDX)
	@$(BIN)/emporion deploy sbom

.PHONY: aws-rehearsal
aws-rehearsal: $(STAMP)/dev ## Sell bakery baskets over an emulator's SNS, SQS, Cloud Map and Secrets Manager, then audit (BASKETS=300, or all)
	@$(BIN)/python -m tests.platform.ecs.rehearsal $(or $(BASKETS),300)

.PHONY: audit-deps
audit-deps: $(STAMP)/dev ## Look the locked dependencies up in the advisory database (needs network)
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/runtime.lock

.PHONY: lock
lock: $(STAMP)/dev ## Resolve the locks again (UPGRADE=--upgrade for newer versions)
	@$(LOCK) pyproject.toml -o requirements/runtime.lock
	@$(LOCK) pyproject.toml --group engines -c requirements/runtime.lock -o requirements/engines.lock
	@$(LOCK) pyproject.toml --group dev --group build -c requirements/engines.lock -o requirements/dev.lock
	@$(LOCK) pyproject.toml --extra mongo --extra stripe -c requirements/dev.lock -o requirements/image.lock
	@$(LOCK) pyproject.toml --group deploy -c requirements/dev.lock -o requirements/deploy.lock
	@$(LOCK) pyproject.toml --group bench -c requirements/runtime.lock -o requirements/bench.lock
	@$(LOCK) --group build -c requirements/dev.lock -o requirements/build.lock

.PHONY: clean
clean: ## Remove the environment, the caches and everything built
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- stamps: what is installed is not installed twice --------------------------------------------

$(STAMP)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 install" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/runtime: $(STAMP)/venv requirements/runtime.lock requirements/build.lock
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/runtime.lock -r requirements/build.lock
	@touch $@

$(STAMP)/package: $(STAMP)/runtime pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP)/engines: $(STAMP)/package requirements/engines.lock
	@echo "Installing the locked engines into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/engines.lock
	@touch $@

$(STAMP)/dev: $(STAMP)/package requirements/dev.lock
	@echo "Installing the locked tools into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.lock
	@touch $@

$(STAMP)/timescale: tests/engines/timescale/package-lock.json
	@command -v npm > /dev/null || { echo "Node.js 20 with npm is needed: TimescaleDB runs on it in the tests" >&2; exit 1; }
	@echo "Installing the locked TimescaleDB of the tests ..."
	@npm ci --silent --ignore-scripts --no-audit --no-fund --prefix tests/engines/timescale
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/deploy: $(STAMP)/package requirements/deploy.lock
	@command -v node > /dev/null || { echo "Node.js is needed (22 or newer): the AWS CDK runs on it" >&2; exit 1; }
	@echo "Installing the locked AWS CDK and cfn-lint into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/deploy.lock
	@touch $@

$(STAMP)/axe: tests/browser/package-lock.json
	@command -v npm > /dev/null || { echo "npm is needed: the pages are judged by axe-core, which it brings" >&2; exit 1; }
	@echo "Installing the locked axe-core of the tests ..."
	@npm ci --silent --ignore-scripts --no-audit --no-fund --prefix tests/browser
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/bench: $(STAMP)/dev requirements/bench.lock
	@$(PIP) install --no-deps --require-hashes -r requirements/bench.lock
	@touch $@
