# What the generic rule for unit tests cannot know. Included by the Makefile.
$(BUILD)/tests/proxy/alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc

-include tests/e2e/e2e.mk
