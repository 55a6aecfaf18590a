# Midwatch needs python3 (3.11 or newer) and make; everything else is installed into .venv.
#   make run      start it            make test   prove it            make help   the rest

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
# More for pytest: make test PYTEST_ARGS="-x -k escalation"
PYTEST_ARGS ?=
WORKERS ?= 2
ARGS ?=

.PHONY: run test test-long sim bench lint format assets screenshots clean help python ready ready-to-test ready-for-interop

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

python:
	@test -n "$(PYTHON)" || { echo "Midwatch needs Python 3.11 or newer, and there is none here. On Debian 12 or newer, as root: apt-get install python3" >&2; exit 1; }

ready: python
	@$(PYTHON) scripts/environment.py run

ready-to-test: python
	@$(PYTHON) scripts/environment.py test

ready-for-interop: python
	@$(PYTHON) scripts/environment.py interop

run: ready ## start Midwatch; ARGS="--port 8123 --data /somewhere" go to `midwatch serve`
	@exec $(BIN)/midwatch serve $(ARGS)

lint: ready-to-test ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The stories run on both databases; PostgreSQL first, so that the last lines are the whole suite's.
test: lint ## everything but the slow ones, on SQLite, and the stories on PostgreSQL too
	MIDWATCH_TEST_DATABASE=postgresql $(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not slow" $(PYTEST_ARGS)
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not slow" $(PYTEST_ARGS)

test-long: ready-for-interop ## real Prometheus and Alertmanager, kill runs, soak
	$(BIN)/pytest -q -m slow $(PYTEST_ARGS)

sim: ready-to-test ## the simulation; ARGS="--seeds N", "--minutes M" or "--seed N"
	@$(BIN)/python -m midwatch.simulation $(ARGS)

bench: ready-to-test ## every benchmark, and what docs/reference/performance.md says; ARGS="--only intake --quick"
	$(BIN)/python benchmarks/run.py $(ARGS)

assets: ready ## build the front end again (make run and make test do it when its sources changed)
	$(BIN)/python frontend/hatch_build.py --again

screenshots: ready-to-test ## docs/img from the demo's data
	$(BIN)/python scripts/screenshots.py $(ARGS)

format: ready-to-test ## ruff format
	$(BIN)/ruff check --fix-only --select I .
	$(BIN)/ruff format .

clean: ## what was built and installed; never data
	rm -rf .venv build dist src/midwatch/web/static/dist frontend/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
