# Everything the project does. A fresh machine needs Python >= 3.11 and make; uv is fetched into .cache when it is not there.
SHELL := /bin/bash
UV := $(shell command -v uv 2>/dev/null || echo .cache/uv/bin/uv)
RUN := $(UV) run --quiet
export UV_PROJECT_ENVIRONMENT ?= .venv

SEEDS ?= 200
FIRST ?= 1

.PHONY: help setup demo test airflow airflow-figures lint types contracts docs wheel ways causality clients check bench screenshots record system
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready ## install what the targets need
.venv/.ready: pyproject.toml uv.lock
	@command -v uv >/dev/null || test -x .cache/uv/bin/uv || { python3 -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv; }
	$(UV) sync --quiet --locked --compile-bytecode
	@$(UV_PROJECT_ENVIRONMENT)/bin/python -m compileall -q src
	@touch $@

demo: setup ## a simulated dbt Cloud, the monitor and the web application; prints the address
	$(RUN) headwater demo

system: ## Debian packages the tests use: PostgreSQL, chromium and, only unpacked, nginx, caddy and tinyproxy
	@bash tests/system.sh

test: setup system ## every test, on every core; a file stays together
	$(RUN) pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

airflow: setup ## a real Airflow 2.11 and 3 with the dbt Cloud provider; part of test
	$(RUN) pytest tests/airflow

airflow-figures: setup ## what a call of the SDK costs an Airflow task
	$(RUN) python bench/airflow.py

lint: setup
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: setup
	$(RUN) mypy

contracts: setup ## who may import whom
	$(RUN) lint-imports --no-cache

docs: setup ## the reference pages match the code
	$(RUN) python docs/generate.py --check

wheel: setup ## build the wheel and try it, with and without the server extra
	@bash tests/wheel.sh

ways: setup system ## SEEDS histories from seed FIRST on with all ways in at once, on both databases, against the truth
	$(RUN) python tests/ways/play.py --seeds $(SEEDS) --first $(FIRST)

causality: setup ## SEEDS histories from seed FIRST on in which real dbt runs into faults, against the truth
	$(RUN) python bench/causality/play.py --seeds $(SEEDS) --first $(FIRST)

clients: setup ## real dbt Cloud clients against the simulator, each in an environment of its own
	@bash tests/clients/run.sh

check: lint types contracts docs test wheel clients ## what CI runs

bench: setup ## ratios against named peers, in one run
	$(UV) run --quiet --group bench python bench/read_artifacts.py
	$(RUN) python bench/ingest.py
	$(RUN) python bench/lineage.py
	$(RUN) python bench/verdicts.py

screenshots: setup system ## pictures of every page in light, dark and narrow, to docs/images
	$(UV) run --quiet --with pillow==12.0.0 python docs/screenshots.py

record: ## run the demo projects with real dbt and record their artifacts into the package
	$(UV) run --no-project --python 3.11 --with-requirements demo/requirements.txt python demo/record.py
