# What `make` can do besides building. Included by the Makefile.
DESTDIR ?=
FUZZ_LONG ?= 600

ifeq ($(filter %bench.mk,$(MAKEFILE_LIST)),)
-include tests/bench/bench.mk
endif

demo: ## stock gdb and lldb on a kernel, through kdgate, with a running commentary
	scripts/demo

test: ## every test, after installing what is missing; the last line counts them
	scripts/test

quick: ## the tests that need no kernel: unit tests, fuzz targets (bounded), checks
	$(PYTHON) tests/run.py unit fuzz python checks

e2e: ## stock debuggers on a real kernel
	$(PYTHON) tests/run.py e2e

unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)

fuzz: $(FUZZ) ## every fuzz target for FUZZ_LONG seconds; what they find is kept in build/fuzz, and gone on from there
	FUZZ_RUNS=-1 FUZZ_SECONDS=$(FUZZ_LONG) FUZZ_KEEP=$(BUILD)/fuzz $(PYTHON) tests/run.py fuzz

lint: ## text, documents, includes; clang-tidy, cppcheck, shellcheck where installed
	scripts/lint

boundaries: ## includes point one way, each library has one door
	scripts/boundaries

lengths: ## how long the functions are
	scripts/lengths

install: $(BUILD)/kdgate ## program, manual pages, service unit, udev rules, examples, under DESTDIR and PREFIX
	install -D -m 755 $(BUILD)/kdgate "$(DESTDIR)$(PREFIX)/bin/kdgate"
	for page in $(wildcard docs/*.[1-8]); do \
		install -D -m 644 $$page "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}" || exit 1; done
	install -D -m 644 scripts/kdgate.conf.example "$(DESTDIR)$(PREFIX)/share/doc/kdgate/kdgate.conf.example"
	install -D -m 644 scripts/99-kdgate.rules "$(DESTDIR)$(PREFIX)/share/doc/kdgate/99-kdgate.rules"
	install -D -m 644 scripts/70-kdgate.rules "$(DESTDIR)$(PREFIX)/lib/udev/rules.d/70-kdgate.rules"
	install -D -m 644 scripts/lldb_images.py "$(DESTDIR)$(PREFIX)/share/kdgate/lldb_images.py"
	install -D -m 644 scripts/kdgate.service "$(DESTDIR)$(PREFIX)/lib/systemd/system/kdgate.service"
	sed -i 's|/usr/local/|$(PREFIX)/|' "$(DESTDIR)$(PREFIX)/lib/systemd/system/kdgate.service"

.PHONY: demo test quick e2e fuzz lint boundaries lengths install unit-programs fuzz-programs
