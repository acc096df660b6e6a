.DEFAULT_GOAL := help
.PHONY: help paper memory migrate test check replay simulate chaos live-day reliability bench bench-flatten flatten burnin-report

# The first interpreter that runs, is new enough and not too new for the pinned wheels.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.installed-runtime
TESTS := $(VENV)/.installed-tests
DATA ?= ../shared/market-data
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

PAPER = $(if $(SPEED),--speed $(SPEED)) $(if $(MARKET),--market $(MARKET)) $(if $(DAY),--day $(DAY)) \
	$(if $(FROM),--from $(FROM)) $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED)) \
	$(if $(PORT),--port $(PORT)) $(if $(FILE),--file "$(FILE)") $(if $(filter replay,$(MARKET)),--data "$(DATA)")

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

paper: $(RUNTIME) ## trade on paper: private servers, the paper exchange and every process
	@$(PY) manage.py paper $(PAPER) $(ARGS)

memory: $(RUNTIME) ## what the running system uses: proportional set size by process, MB
	@$(PY) manage.py paper --memory

migrate: $(RUNTIME) ## bring the database up to date
	@$(PY) manage.py migrate $(ARGS)

test: $(TESTS) ## the whole test suite
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 4 --dist loadgroup $(ARGS)  # more than cores: three of them mostly wait

check: $(TESTS) ## style, types, import rules, migrations and Django's own checks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check

replay: $(RUNTIME) ## replay a recorded day: make replay DAY=2022-03-15 [DATA=folder]
	@test -n "$(DAY)" || { echo "Say which day: make replay DAY=2022-03-15" >&2; exit 2; }
	@$(PY) manage.py replay_day --data "$(DATA)" --date "$(DAY)" $(ARGS) || test $$? -eq 3  # 3: a criterion failed, which the report says

simulate: $(TESTS) ## the fault simulation: make simulate [ARGS="--seeds 40 --jobs 2 --json"]
	@$(PY) manage.py simulate $(ARGS)

chaos: $(TESTS) ## the kill test on real processes [SEED=1] [MINUTES=1] [ARGS=--json]
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

live-day: $(TESTS) ## a whole LIVE day against the exchange that plays PRODUCTION, with its troubles [SPEED=60]
	@SPEED=$(or $(SPEED),60) $(PY) -m pytest -s tests/live_day/live_day.py $(ARGS)

reliability: $(TESTS) ## the fault campaign and its defects, written to RELIABILITY.md [SEEDS=2000]
	@$(PY) manage.py simulate --sheet RELIABILITY.md --seeds $(or $(SEEDS),40) $(ARGS)

bench-flatten: $(TESTS) ## how long a flatten takes, request to verdict [POSITIONS=20] [RUNS=20] [ARGS=--json]
	@$(PY) -m tests.benchmarks.flatten $(if $(POSITIONS),--positions $(POSITIONS)) $(if $(RUNS),--runs $(RUNS)) $(ARGS)

bench: $(TESTS) ## speed beside the peer of the same run: make bench NAME=decode (console, exchange, feed, lists, risk) [ARGS=--json]
	@$(PY) manage.py bench $(or $(NAME),decode) $(ARGS) || test $$? -eq 3  # 3: below its bar, which it says

flatten: $(RUNTIME) ## close every position of ours and take no new one
	@$(PY) manage.py flatten $(ARGS)

burnin-report: $(RUNTIME) ## today's burn-in report
	@$(PY) manage.py burnin_report $(ARGS) || test $$? -eq 3

$(PY):
	@test -n "$(PYTHON)" || { echo "AITRAPP needs Python 3.11, 3.12 or 3.13.  Debian, Ubuntu: apt-get install python3 python3-venv   macOS: brew install python@3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks its venv module.  Debian, Ubuntu: apt-get install python3-venv (or $(notdir $(PYTHON))-venv)" >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(PY)
	@echo "Installing the pinned packages (about a minute the first time)"
	@$(PIP) -r requirements.txt
	@touch $@

$(TESTS): tests/requirements.txt $(RUNTIME) | $(PY)
	@echo "Installing the test tools"
	@$(PIP) --no-compile -r tests/requirements.txt
	@touch $@
