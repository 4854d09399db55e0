# What the generic rule for unit tests cannot know. Included by the Makefile.
# The program in an intruder's hands.
-include tests/e2e/e2e.mk
$(BUILD)/tests/proxy/alloc_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc
