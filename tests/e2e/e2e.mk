# kdgate as it is once an intruder has it: the program's own objects, and its loop replaced. Included by tests/tests.mk.
$(BUILD)/kdgate-compromised: $(OBJ) $(BUILD)/tests/e2e/compromised.o
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LINK) -Wl,--wrap=loop_serve $^ $(LIBS) -o $@
# The telnet link alone, for a test with a real server.
TALK = base/buf.c base/clock.c $(addprefix backends/link/,link.c link_sock.c link_tcp.c link_telnet.c lookup.c) tests/e2e/telnet_talk.c
$(BUILD)/telnet-talk: $(TALK:%.c=$(BUILD)/%.o)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LINK) $^ $(LIBS) -o $@
