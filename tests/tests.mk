# What the generic rules for tests cannot know. Included by the Makefile.
$(BUILD)/tests/proxy/target_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=free
$(BUILD)/tests/proxy/target_test: $(BUILD)/san/tests/reuse.o
$(BUILD)/tests/proxy/alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
$(BUILD)/tests/backends/backend_kd_alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
$(BUILD)/tests/backends/kdnet_conform_test: LIBS += -Wl,--wrap=kdnet_random
$(BUILD)/tests/fuzz/backend_fuzz: LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=free
$(BUILD)/tests/fuzz/backend_kd_fuzz: LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=free
$(BUILD)/tests/fuzz/backend_kd_fuzz: $(BUILD)/cov/tests/reuse.o
$(BUILD)/tests/backends/link/serial_test: LIBS += -Wl,--wrap=ioctl,--wrap=fstat,--wrap=open,--wrap=sp_get_port_by_name,--wrap=sp_open
$(BUILD)/tests/backends/link/serial_test: LIBS += -Wl,--wrap=sp_set_config,--wrap=sp_close,--wrap=sp_free_port
$(BUILD)/tests/backends/link/usb_test: LIBS += -Wl,--wrap=usb_find,--wrap=open,--wrap=epoll_create1,--wrap=calloc,--wrap=malloc
USB_CALLS = set_option init exit get_pollfds free_pollfds set_pollfd_notifiers wrap_sys_device close get_device get_device_descriptor \
	    set_auto_detach_kernel_driver claim_interface release_interface set_interface_alt_setting clear_halt control_transfer \
	    alloc_transfer free_transfer submit_transfer cancel_transfer handle_events_timeout_completed
$(BUILD)/tests/backends/link/usb_test: LIBS += $(USB_CALLS:%=-Wl,--wrap=libusb_%)
$(BUILD)/tests/fuzz/usb_link_fuzz: LIBS += -Wl,--wrap=usb_find,--wrap=open $(USB_CALLS:%=-Wl,--wrap=libusb_%)

-include tests/e2e/e2e.mk
