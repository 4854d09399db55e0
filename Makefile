# kdgate - see README.md.  make help
CC     ?= cc
CLANG  ?= clang
CFLAGS ?= -O3 -g
PREFIX ?= /usr/local
PYTHON ?= /usr/bin/python3
BUILD  ?= build

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wpointer-arith \
       -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -Wwrite-strings -Wswitch-enum -Werror
HARD = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
LINK = -pie -Wl,-z,relro,-z,now,--as-needed
SAN  = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL  = -std=c17 -D_GNU_SOURCE -I. -MMD -MP $(WARN)
LIBS = -lev -lconfig -lexpat -ljansson -lpcap -lseccomp -lserialport -lusb-1.0 -lcrypto -lz

CORE  = $(filter-out proxy/loop.c proxy/main.c,$(wildcard base/*.c rsp/*.c filters/*.c backends/*.c backends/*/*.c proxy/*.c))
PROG  = $(CORE) proxy/loop.c proxy/main.c
OBJ   = $(PROG:%.c=$(BUILD)/%.o)
UNIT  = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/*/*_test.c tests/*/*/*_test.c))
FUZZ  = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/*_fuzz.c))
STAGE = $(wildcard tests/stage.c tests/talk.c tests/peer.c)
SANOBJ = $(CORE:%.c=$(BUILD)/san/%.o) $(STAGE:%.c=$(BUILD)/san/%.o)
FUZZOBJ = $(CORE:%.c=$(BUILD)/cov/%.o)

all: $(BUILD)/kdgate

# V=1 shows the commands
Q = $(if $(V),,@)
say = @echo "  $(1)	$(patsubst $(BUILD)/%,%,$@)"

-include scripts/targets.mk tests/tests.mk

help: ## this list
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 14

$(BUILD)/kdgate: $(OBJ)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LINK) $^ $(LIBS) -o $@
$(BUILD)/kdgate-san: $(CORE:%.c=$(BUILD)/san/%.o) $(BUILD)/san/proxy/loop.o $(BUILD)/san/proxy/main.o
	$(call say,link)
	$(Q)$(CC) -g $(SAN) $^ $(LIBS) -o $@

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(ALL) $(HARD) $(CFLAGS) -c $< -o $@
$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(ALL) $(SAN) -O1 -g -c $< -o $@
$(BUILD)/cov/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CLANG) $(ALL) $(SAN) -fsanitize=fuzzer-no-link -O1 -g -c $< -o $@

$(BUILD)/tests/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(FUZZOBJ)
	@mkdir -p $(@D)
	$(call say,fuzz)
	$(Q)$(CLANG) $(ALL) $(SAN) -fsanitize=fuzzer -O1 -g $(filter %.c %.o,$^) $(LIBS) -o $@
$(BUILD)/tests/%_test: tests/%_test.c $(SANOBJ)
	@mkdir -p $(@D)
	$(call say,test)
	$(Q)$(CC) $(ALL) $(SAN) -O1 -g $(filter %.c %.o,$^) -lcmocka $(LIBS) -o $@

clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: all help clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
