# The KD target that executes: a small Windows-like kernel and driver for two architectures, and the machine that runs them.
# Included by sim.mk: make -f tests/sim/sim.mk kdtarget
KDTARGET = tests/sim/kdtarget
KDIMAGES = $(foreach arch,amd64 i386,$(addprefix $(BUILD)/$(KDTARGET)/$(arch)/,ntoskrnl.exe kddriver.sys))

# Kept debuggable: no optimisation, frames, DWARF whose paths begin at the top of the tree.
KDIMAGE_FLAGS = -std=c17 -ffreestanding -nostdlib -O0 -gdwarf-4 -fno-omit-frame-pointer -mgeneral-regs-only -fno-stack-protector -fno-ident \
                -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Wshadow -Wundef -Wvla -Werror -Wl,--no-insert-timestamp -Wl,--dynamicbase
KDKERNEL_C = $(addprefix $(KDTARGET)/image/,kernel.c io.c kd.c print.c module.c bugcheck.c command.c)
KDIMAGE_H  = $(KDTARGET)/image/ke.h $(KDTARGET)/command.h

# An image: its compiler, what decorates names there, and where kernel and driver want to be. i386's in the lower half, as Windows' own
# files have it: gdb takes the addresses in a 32-bit PE file's symbols with their sign, and finds nothing in one that wants to be above.
amd64_CC = x86_64-w64-mingw32-gcc
i386_CC  = i686-w64-mingw32-gcc
i386_    = _
amd64_BASE = 0x140000000
i386_BASE  = 0x400000
amd64_DRIVER = 0x180000000
i386_DRIVER  = 0x600000

define kdimages
$(BUILD)/$(KDTARGET)/$(1)/ntoskrnl.exe: $(KDKERNEL_C) $(KDTARGET)/image/$(1).S $(KDTARGET)/image/kernel.def $(KDIMAGE_H) $(KDTARGET)/kdtarget.mk
	@mkdir -p $$(@D)
	$($(1)_CC) $(KDIMAGE_FLAGS) $$(filter %.c %.S %.def,$$^) -o $$@ -Wl,--subsystem,native -Wl,--entry,$($(1)_)KiSystemStartup \
		-Wl,--image-base,$($(1)_BASE) -Wl,--out-implib,$$(@D)/ntoskrnl.lib
$(BUILD)/$(KDTARGET)/$(1)/kddriver.sys: $(KDTARGET)/image/driver.c $(KDIMAGE_H) $(BUILD)/$(KDTARGET)/$(1)/ntoskrnl.exe
	$($(1)_CC) $(KDIMAGE_FLAGS) -shared $$< $$(@D)/ntoskrnl.lib -o $$@ -Wl,--subsystem,native -Wl,--entry,$($(1)_)DriverEntry \
		-Wl,--image-base,$($(1)_DRIVER) -Wl,--exclude-all-symbols
endef
$(foreach arch,amd64 i386,$(eval $(call kdimages,$(arch))))

kdimages: $(KDIMAGES)

# The machine: also for its own test, which boots both images.
KDGUEST_C = $(addprefix $(KDTARGET)/,guest.c guest_child.c guest_pe.c guest_regs.c guest_trap.c)
$(BUILD)/$(KDTARGET)/guest_test: $(KDGUEST_C:%.c=$(BUILD)/san/%.o) | $(KDIMAGES)

# Its datagrams, closed and opened.
$(BUILD)/$(KDTARGET)/net_seal_test: $(BUILD)/san/$(KDTARGET)/net_seal.o
$(BUILD)/$(KDTARGET)/net_seal_test: LIBS += -lcrypto

# The program: what speaks KD is every other source beside them.
KDTARGET_C = $(sort $(KDGUEST_C) $(filter-out %_test.c,$(wildcard $(KDTARGET)/*.c)))
$(BUILD)/$(KDTARGET)/kdtarget: $(KDTARGET_C) $(wildcard $(KDTARGET)/*.h) | $(KDIMAGES)
	@mkdir -p $(@D)
	$(CC) $(SIMFLAGS) $(filter %.c,$^) -lcrypto -o $@

kdtarget: $(BUILD)/$(KDTARGET)/kdtarget

.PHONY: kdimages kdtarget
