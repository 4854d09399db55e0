# The KD target that executes: a small Windows-like kernel and driver for two architectures, and the machine that runs them.
# Included by the Makefile's part for tests, and usable alone: make -f tests/sim/kdtarget/kdtarget.mk kdtarget
ifndef KDTARGET
BUILD ?= build
CC    ?= cc
KDTARGET = tests/sim/kdtarget
KDIMAGES = $(foreach arch,amd64 i386,$(addprefix $(BUILD)/$(KDTARGET)/$(arch)/,ntoskrnl.exe kddriver.sys))

# Kept debuggable: no optimisation, frames, DWARF whose paths begin at the top of the tree.
KDIMAGE_FLAGS = -std=c17 -ffreestanding -nostdlib -O0 -g -fno-omit-frame-pointer -mgeneral-regs-only -fno-stack-protector -fno-ident \
                -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Wshadow -Wundef -Wvla -Werror -Wl,--no-insert-timestamp -Wl,--dynamicbase
KDKERNEL_C = $(addprefix $(KDTARGET)/image/,kernel.c io.c kd.c print.c module.c bugcheck.c command.c)
KDIMAGE_H  = $(KDTARGET)/image/ke.h $(KDTARGET)/command.h

# An image: its compiler, what decorates names there, and where kernel and driver want to be.
amd64_CC = x86_64-w64-mingw32-gcc
i386_CC  = i686-w64-mingw32-gcc -Wl,--large-address-aware
i386_    = _
amd64_BASE = 0x140000000
i386_BASE  = 0x80400000
amd64_DRIVER = 0x180000000
i386_DRIVER  = 0x90000000

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

.PHONY: kdimages
endif
