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

-include tests/e2e/e2e.mk
