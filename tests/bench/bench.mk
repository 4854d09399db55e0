# make bench: what kdgate costs, as ratios within one run. Included by the Makefile.
PYTHON ?= /usr/bin/python3
include tests/sim/sim.mk

bench: $(BUILD)/kdgate $(SIM) ## what kdgate costs: round trips, bulk reads, instructions, memory, a slow line
	$(PYTHON) tests/bench/bench.py --out $(BUILD)/bench.json

.PHONY: bench
