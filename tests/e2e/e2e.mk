# kdgate as it is once an intruder has it: the program's own objects, and its loop replaced. Included by tests/tests.mk.
$(BUILD)/kdgate-compromised: $(OBJ) $(BUILD)/tests/e2e/compromised.o
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LINK) -Wl,--wrap=loop_serve $^ $(LIBS) -o $@
