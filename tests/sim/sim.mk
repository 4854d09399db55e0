# The programs to test against. Included by the Makefile's part for benches, and usable alone: make -f tests/sim/sim.mk sim
ifndef SIM
BUILD ?= build
CC    ?= cc
SIM    = $(BUILD)/tests/sim/stub $(BUILD)/tests/sim/flood $(BUILD)/tests/sim/attacker $(BUILD)/tests/bench/rtt $(BUILD)/tests/bench/udp_way
SIMFLAGS = -std=c17 -D_GNU_SOURCE -I. -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
           -Wpointer-arith -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Wwrite-strings -Wswitch-enum -Werror
SIMWIRE  = tests/sim/wire.c tests/sim/wire.h

sim: $(SIM)

$(BUILD)/tests/sim/stub: $(addprefix tests/sim/,stub.c answers.c profiles.c machine.c record.c wire.c stub.h machine.h record.h wire.h)
$(BUILD)/tests/sim/flood: tests/sim/flood.c tests/sim/catalogue.c tests/sim/catalogue.h $(SIMWIRE)
$(BUILD)/tests/sim/attacker: tests/sim/attacker.c
$(BUILD)/tests/bench/rtt: tests/bench/rtt.c $(SIMWIRE)
$(BUILD)/tests/bench/udp_way: tests/bench/udp_way.c
$(SIM):
	@mkdir -p $(@D)
	$(CC) $(SIMFLAGS) $(filter %.c,$^) -o $@

include tests/sim/kdtarget/kdtarget.mk

# For the machine with USB. What its debug server debugs is kept debuggable, and loads nothing.
USB = $(addprefix $(BUILD)/tests/,sim/gadget sim/debuggee bench/usb_loop)
$(BUILD)/tests/sim/gadget: tests/sim/gadget.c
$(BUILD)/tests/sim/debuggee: tests/sim/debuggee.c
$(BUILD)/tests/sim/debuggee: SIMFLAGS += -O0 -static -no-pie
$(BUILD)/tests/bench/usb_loop: tests/bench/usb_loop.c
$(USB):
	@mkdir -p $(@D)
	$(CC) $(SIMFLAGS) $(filter %.c,$^) -lusb-1.0 -o $@

usb: $(USB) $(BUILD)/tests/sim/stub $(BUILD)/tests/bench/rtt kdtarget

.PHONY: sim usb
endif
