# Two commands: `make reproduce` (SCALE=quick|standard|paper) and `make test`.
SHELL := /bin/bash
SCALE ?= standard
CORES ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NEEDS := git g++ $(PYTHON)

.PHONY: reproduce test lint format workflow-test bench bench-numpyro bench-stan environment clean

reproduce: environment
	@$(BIN)/python -m pipeline.reproduce --scale $(SCALE) --cores $(CORES)

test: environment
	$(BIN)/python -m pytest -q -m "not slow and not workflow" -n $(CORES)

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# the whole workflow once, at a tiny scale, through to the report
workflow-test: environment
	$(BIN)/python -m pytest -q -m workflow

# Half an hour on one idle core; BENCH_PEERS=short gives the slow designs of bench/peers fewer draws.
bench: export BENCH_PEERS ?= full
bench: environment bench-numpyro bench-stan
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.run

# Designs that `make bench` compares with, each in an environment of its own (an extra of pyproject.toml), which neither
# `reproduce` nor `test` needs. One that cannot be installed is no failure: the benchmark says why and goes on.
bench-numpyro: .venv-bench/.complete
bench-stan: .venv-stan/.complete
.venv-bench/.complete: EXTRA := bench
.venv-stan/.complete: EXTRA := stan
.venv-bench/.complete .venv-stan/.complete: pyproject.toml constraints.txt | environment
	@echo "installing $(@D) (once)"
	@mkdir -p $(@D) && rm -f $@ $(@D)/failed.txt
	@if { test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D); } >$(@D)/install.txt 2>&1 && \
	  $(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	    $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(EXTRA)"])') \
	    >>$(@D)/install.txt 2>&1; \
	then touch $@; else mv $(@D)/install.txt $(@D)/failed.txt; echo "not installed: see $(@D)/failed.txt"; fi

environment: $(VENV)/.complete

# The environment is complete only once everything is installed: an interrupted installation starts again.
$(VENV)/.complete: pyproject.toml constraints.txt
	@missing=""; for tool in $(NEEDS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then echo "missing:$$missing. On Debian or Ubuntu: sudo apt install make git python3-venv g++" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "Python 3.11 to 3.13 is needed, and %s is %s; name another with: make PYTHON=python3.11 …" % (sys.executable, sys.version.split()[0]))'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "missing: python3-venv. On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "installing the environment into $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf results reports/quick reports/standard reports/paper logs benchmarks .snakemake
