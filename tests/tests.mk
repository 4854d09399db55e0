# What the generic rules for tests cannot know. Included by the Makefile.
$(BUILD)/tests/proxy/target_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=free
$(BUILD)/tests/proxy/target_test: $(BUILD)/san/tests/reuse.o
$(BUILD)/tests/proxy/alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
$(BUILD)/tests/backends/link/console_apart_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
$(BUILD)/tests/backends/backend_kd_alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
$(BUILD)/tests/backends/kdnet_conform_test: LIBS += -Wl,--wrap=kdnet_random
# A whole conversation is many packets. What they are compared with the parsers' own targets find out; to watch for it here as well took most
# of the time, and so did watching the far end.
TALKS = $(patsubst %,$(BUILD)/tests/fuzz/%_fuzz,backend backend_kd guard kd_wire usb_link)
$(BUILD)/edge/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CLANG) $(ALL) $(SAN) -fsanitize-coverage=inline-8bit-counters,pc-table -O2 -g -c $< -o $@
$(BUILD)/far/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CLANG) $(ALL) $(SAN) -O2 -g -c $< -o $@
$(TALKS): $(BUILD)/tests/fuzz/%: $(CORE:%.c=$(BUILD)/edge/%.o) $(BUILD)/far/tests/fuzz/%.o
	@mkdir -p $(@D)
	$(call say,fuzz)
	$(Q)$(CLANG) $(SAN) -fsanitize=fuzzer -g $(filter %.o,$^) $(LIBS) -o $@
REUSING = $(filter-out %/guard_fuzz %/kd_wire_fuzz,$(TALKS))
$(REUSING): $(BUILD)/far/tests/reuse.o
$(REUSING): LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=free
$(BUILD)/tests/fuzz/backend_kd_fuzz: LIBS += -Wl,--wrap=tdesc_build
$(BUILD)/tests/backends/link/serial_test: LIBS += -Wl,--wrap=ioctl,--wrap=fstat,--wrap=open,--wrap=sp_get_port_by_name,--wrap=sp_open
$(BUILD)/tests/backends/link/serial_test: LIBS += -Wl,--wrap=sp_set_config,--wrap=sp_close,--wrap=sp_free_port
$(BUILD)/tests/backends/link/usb_test: LIBS += -Wl,--wrap=usb_find,--wrap=open,--wrap=epoll_create1,--wrap=calloc,--wrap=malloc
USB_CALLS = set_option init exit get_pollfds free_pollfds set_pollfd_notifiers wrap_sys_device close get_device get_device_descriptor \
	    set_auto_detach_kernel_driver claim_interface release_interface set_interface_alt_setting clear_halt control_transfer \
	    alloc_transfer free_transfer submit_transfer cancel_transfer handle_events_timeout_completed
$(BUILD)/tests/backends/link/usb_test: LIBS += $(USB_CALLS:%=-Wl,--wrap=libusb_%)
$(BUILD)/tests/fuzz/usb_link_fuzz: LIBS += -Wl,--wrap=usb_find,--wrap=open $(USB_CALLS:%=-Wl,--wrap=libusb_%)

-include tests/e2e/e2e.mk
