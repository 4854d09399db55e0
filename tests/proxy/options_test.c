/* options_test.c - command lines: what they ask for, and what is said of those that make no sense. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { WORDS = 320 };

/* A command line in one text: blanks part its words. */
struct line {
	char text[4096];
	char *argv[WORDS + 1];
	int argc;
	char why[CONFIG_WHY];
	struct options o;
};

static int parse(struct line *l, const char *text)
{
	char *save = NULL;

	*l = (struct line){ .argc = 0 };
	snprintf(l->text, sizeof l->text, "kdgate %s", text);
	for (char *word = strtok_r(l->text, " ", &save); word && l->argc < WORDS; word = strtok_r(NULL, " ", &save))
		l->argv[l->argc++] = word;
	return options_parse(&l->o, l->argc, l->argv, l->why, sizeof l->why);
}

static void good(struct line *l, const char *text)
{
	if (parse(l, text) < 0)
		fail_msg("%s: %s", text, l->why);
}

static const struct config_listener *listener(const struct line *l, size_t i)
{
	assert_true(i < l->o.config.targets[0].listeners_n);
	return &l->o.config.targets[0].listeners[i];
}

static const char *policy_of(const struct line *l, size_t i)
{
	return l->o.config.policies[listener(l, i)->policy].name;
}

static void test_defaults(void **state)
{
	static struct line l;
	const struct config_target *t;

	(void)state;
	good(&l, "rsp+tcp:192.0.2.1:1234");
	t = &l.o.config.targets[0];
	assert_int_equal(l.o.mode, OPTIONS_RUN);
	assert_int_equal(l.o.level, LOG_LEVEL_INFO);
	assert_int_equal(l.o.config.targets_n, 1);
	assert_string_equal(t->name, "rsp+tcp:192.0.2.1:1234");
	assert_string_equal(t->addr.host, "192.0.2.1");
	assert_int_equal(t->listeners_n, 1);
	assert_string_equal(listener(&l, 0)->addr.text, "tcp:127.0.0.1:1234");
	assert_string_equal(policy_of(&l, 0), "debug");
	assert_false(listener(&l, 0)->allow_given);
	assert_int_equal(t->max_clients, 32);
	assert_true(t->cache);
	assert_int_equal(t->on_disconnect, ON_DISCONNECT_RUN);
	assert_string_equal(l.o.config.audit, "");
	assert_int_equal(l.o.config.audit_failure, AUDIT_FAILURE_CONTINUE);
	assert_false(l.o.config.trace);
	assert_false(l.o.config.secure);
	assert_int_equal(l.o.config.sandbox, SANDBOX_DEFAULT);
	assert_int_equal(config_sandbox(&l.o.config), SANDBOX_TRY);
	assert_string_equal(l.o.config.record, "");
	assert_string_equal(l.o.config.learn, "");
	options_fini(&l.o);
}

static void test_program(void **state)
{
	static struct line l;

	(void)state;
	good(&l, "rsp+unix:/x --secure --audit /a --record /r --sandbox try");
	assert_true(l.o.config.secure);
	assert_int_equal(config_audit_failure(&l.o.config), AUDIT_FAILURE_STOP);
	assert_int_equal(config_sandbox(&l.o.config), SANDBOX_TRY);
	assert_string_equal(l.o.config.record, "/r");
	options_fini(&l.o);
	good(&l, "--secure rsp+unix:/x --audit /a --audit-failure stop");
	assert_int_equal(config_sandbox(&l.o.config), SANDBOX_MUST);
	options_fini(&l.o);
	good(&l, "rsp+unix:/x --learn - --sandbox off");
	assert_string_equal(l.o.config.learn, "-");
	assert_int_equal(config_sandbox(&l.o.config), SANDBOX_OFF);
	assert_int_equal(config_audit_failure(&l.o.config), AUDIT_FAILURE_CONTINUE);
	options_fini(&l.o);
}

/* serve: on top of a file, which is read later. What the file says of secure mode is not taken back. */
static void test_added(void **state)
{
	static struct line l;
	struct config c;

	(void)state;
	assert_int_equal(config_prepare(&c), 0);
	good(&l, "serve");
	c.secure = c.trace = true;
	c.sandbox = SANDBOX_MUST;
	strcpy(c.record, "/of-the-file");
	options_add(&l.o, &c);
	assert_true(c.secure);
	assert_true(c.trace);
	assert_int_equal(c.sandbox, SANDBOX_MUST);
	assert_string_equal(c.record, "/of-the-file");
	assert_string_equal(c.learn, "");
	options_fini(&l.o);
	c.secure = c.trace = false;
	good(&l, "serve --secure --sandbox off --record /r --learn /l");
	options_add(&l.o, &c);
	assert_true(c.secure);
	assert_false(c.trace);
	assert_int_equal(c.sandbox, SANDBOX_OFF);
	assert_string_equal(c.record, "/r");
	assert_string_equal(c.learn, "/l");
	options_fini(&l.o);
	config_fini(&c);
}

/* gdb's own port may be where the target's stub listens already. */
static void test_default_listener(void **state)
{
	static const char *const cases[][2] = {
		{ "rsp+tcp:127.0.0.1:1234", "tcp:127.0.0.1:2345" },
		{ "rsp+tcp:[::1]:1234", "tcp:127.0.0.1:2345" },
		{ "rsp+tcp:127.0.0.1:3333", "tcp:127.0.0.1:1234" },
		{ "rsp+unix:/x", "tcp:127.0.0.1:1234" },
	};
	static struct line l;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		good(&l, cases[i][0]);
		assert_string_equal(listener(&l, 0)->addr.text, cases[i][1]);
		options_fini(&l.o);
	}
}

static void test_everything(void **state)
{
	static struct line l;
	const struct config_target *t;

	(void)state;
	good(&l, "--on-disconnect stay -v --no-cache --max-clients=3 rsp+unix:/x --audit /a --audit-failure stop --trace --listen stdio");
	t = &l.o.config.targets[0];
	assert_int_equal(t->on_disconnect, ON_DISCONNECT_STAY);
	assert_int_equal(t->max_clients, 3);
	assert_false(t->cache);
	assert_string_equal(t->addr.path, "/x");
	assert_string_equal(l.o.config.audit, "/a");
	assert_int_equal(l.o.config.audit_failure, AUDIT_FAILURE_STOP);
	assert_true(l.o.trace);
	assert_true(l.o.config.trace);
	assert_int_equal(l.o.level, LOG_LEVEL_DEBUG);
	assert_int_equal(t->listeners_n, 1);
	assert_int_equal(listener(&l, 0)->addr.kind, ADDR_STDIO);
	options_fini(&l.o);
	good(&l, "--console-line rfc2217:[::1]:4001@9600 kgdb+serial:/dev/ttyUSB0");
	t = &l.o.config.targets[0];
	assert_true(t->has_console_line);
	assert_int_equal(t->console_line.kind, ADDR_RFC2217);
	assert_int_equal(t->console_line.mode.baud, 9600);
	assert_string_equal(t->console_line.host, "::1");
	options_fini(&l.o);
	good(&l, "-q rsp+unix:/x");
	assert_int_equal(l.o.level, LOG_LEVEL_WARNING);
	options_fini(&l.o);
	good(&l, "rsp+unix:/x -qq");
	assert_int_equal(l.o.level, LOG_LEVEL_ERROR);
	options_fini(&l.o);
}

/* Before the first --listen it is for all, after one for that one. */
static void test_each_its_own(void **state)
{
	static struct line l;

	(void)state;
	good(&l, "--policy observe --socket-mode 0640 --allow user=root rsp+unix:/x --listen tcp:127.0.0.1:1 --policy full "
		 "--listen unix:/s --socket-mode 0660 --socket-group root --allow user=4242,policy=none --listen unix:/t");
	assert_string_equal(policy_of(&l, 0), "full");
	assert_string_equal(policy_of(&l, 1), "observe");
	assert_string_equal(policy_of(&l, 2), "observe");
	assert_int_equal(listener(&l, 0)->mode, 0600);
	assert_int_equal(listener(&l, 1)->mode, 0660);
	assert_int_equal(listener(&l, 2)->mode, 0640);
	assert_true(listener(&l, 1)->has_group);
	assert_false(listener(&l, 2)->has_group);
	assert_int_equal(listener(&l, 0)->allow.count, 1);
	assert_int_equal(listener(&l, 1)->allow.count, 2);
	assert_int_equal(listener(&l, 2)->allow.count, 1);
	assert_int_equal(listener(&l, 1)->allow.entries[1].policy, config_policy_find(&l.o.config, "none"));
	options_fini(&l.o);

	good(&l, "rsp+unix:/x --policy observe --allow any"); /* for the listener that nobody named */
	assert_string_equal(policy_of(&l, 0), "observe");
	assert_int_equal(listener(&l, 0)->allow.entries[0].kind, ALLOW_ANYONE);
	options_fini(&l.o);

	good(&l, "rsp+unix:/x --listen tcp:192.0.2.1:3 --accept-plain-risk --allow 192.0.2.0/24 --listen tcp:127.0.0.1:4");
	assert_true(listener(&l, 0)->plain_accepted);
	assert_false(listener(&l, 1)->plain_accepted);
	assert_false(listener(&l, 1)->allow_given);
	options_fini(&l.o);
}

static void test_commands(void **state)
{
	static struct line l;

	(void)state;
	good(&l, "serve");
	assert_int_equal(l.o.mode, OPTIONS_SERVE);
	assert_string_equal(l.o.file, OPTIONS_CONFIG_FILE);
	assert_false(l.o.trace);
	options_fini(&l.o);
	good(&l, "-c /f serve --trace -q");
	assert_int_equal(l.o.mode, OPTIONS_SERVE);
	assert_string_equal(l.o.file, "/f");
	assert_true(l.o.trace);
	assert_int_equal(l.o.level, LOG_LEVEL_WARNING);
	options_fini(&l.o);
	good(&l, "check --config=/f");
	assert_int_equal(l.o.mode, OPTIONS_CHECK);
	assert_string_equal(l.o.file, "/f");
	options_fini(&l.o);
	good(&l, "explain m0,4 --policy observe ? -- -x");
	assert_int_equal(l.o.mode, OPTIONS_EXPLAIN);
	assert_string_equal(l.o.policy, "observe");
	assert_int_equal(l.o.packets_n, 3);
	assert_string_equal(l.o.packets[0], "m0,4");
	assert_string_equal(l.o.packets[1], "?");
	assert_string_equal(l.o.packets[2], "-x");
	options_fini(&l.o);
	good(&l, "--recording /r explain -v");
	assert_int_equal(l.o.mode, OPTIONS_LEARNED);
	assert_string_equal(l.o.file, "/r");
	options_fini(&l.o);
	good(&l, "decode -q /r");
	assert_int_equal(l.o.mode, OPTIONS_DECODE);
	assert_string_equal(l.o.file, "/r");
	assert_false(l.o.json);
	assert_null(l.o.key);
	options_fini(&l.o);
	good(&l, "decode /r --json --key 1.2.3.4");
	assert_true(l.o.json);
	assert_string_equal(l.o.key, "1.2.3.4");
	options_fini(&l.o);
	good(&l, "decode /r --key-file /k");
	assert_string_equal(l.o.config.targets[0].key_file, "/k");
	options_fini(&l.o);
	good(&l, "replay /r --key-file /k");
	assert_int_equal(l.o.mode, OPTIONS_REPLAY);
	assert_string_equal(l.o.file, "/r");
	assert_string_equal(l.o.config.targets[0].key_file, "/k");
	assert_string_equal(l.o.config.targets[0].listeners[0].addr.text, "tcp:127.0.0.1:1234");
	assert_int_equal(l.o.config.targets[0].listeners[0].policy, config_policy_find(&l.o.config, "observe"));
	options_fini(&l.o);
	good(&l, "replay /r --policy full --listen unix:/s");
	assert_int_equal(l.o.config.targets[0].listeners[0].policy, config_policy_find(&l.o.config, "full"));
	options_fini(&l.o);
}

static void test_texts(void **state)
{
	static const struct {
		const char *line, *part;
		enum options_mode mode;
	} texts[] = {
		{ "--help", "kdgate TARGET [OPTION]...", OPTIONS_HELP },
		{ "-h", "kdgate TARGET [OPTION]...", OPTIONS_HELP },
		{ "rsp+unix:/x --help", "kdgate TARGET [OPTION]...", OPTIONS_HELP },
		{ "serve --help", "kdgate serve [-c FILE]", OPTIONS_HELP },
		{ "check --help extra", "kdgate check [-c FILE]\n", OPTIONS_HELP },
		{ "--help explain", "kdgate explain --policy NAME [-c FILE] PACKET...", OPTIONS_HELP },
		{ "explain -h", "kdgate explain --policy NAME [-c FILE] PACKET...", OPTIONS_HELP },
		{ "explain --recording /r --help", "kdgate explain --recording FILE\n", OPTIONS_HELP },
		{ "decode --help", "kdgate decode FILE [OPTION]...\n", OPTIONS_HELP },
		{ "--help", "  --secure ", OPTIONS_HELP },
		{ "serve --help", "  --sandbox try|must|off ", OPTIONS_HELP },
		{ "--version", "kdgate " OPTIONS_VERSION "\n", OPTIONS_VERSION_TEXT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		static struct line l;

		good(&l, texts[i].line);
		assert_int_equal(l.o.mode, texts[i].mode);
		assert_non_null(strstr(l.o.text, texts[i].part));
		options_fini(&l.o);
	}
}

static const struct {
	const char *line, *why;
} bad[] = {
	{ "", "no target; expected kdgate TARGET, such as rsp+tcp:127.0.0.1:1234; see kdgate --help" },
	{ "-v", "no target; expected kdgate TARGET, such as rsp+tcp:127.0.0.1:1234; see kdgate --help" },
	{ "sevre", "\"sevre\" is neither a command nor a target; expected serve, check, explain, decode, replay, ls, keygen, or PROTOCOL+LINK:ADDRESS, such as rsp+tcp:127.0.0.1:1234; see kdgate --help" },
	{ "ctl status", "this version does not have kdgate ctl yet; see kdgate --help" },
	{ "rsp+unix:/x rsp+unix:/y", "\"rsp+unix:/y\" is one word too many; expected one target (for several: kdgate serve)" },
	{ "serve rsp+unix:/y", "\"rsp+unix:/y\" is one word too many; expected options only, such as -c FILE" },
	{ "check /etc/x", "\"/etc/x\" is one word too many; expected options only, such as -c FILE" },
	{ "rsp+unix:/x --bogus", "unknown or ambiguous option --bogus; see kdgate --help" },
	{ "rsp+unix:/x --au f", "unknown or ambiguous option --au; see kdgate --help" },
	{ "rsp+unix:/x -x", "unknown option -x; see kdgate --help" },
	{ "rsp+unix:/x --trace=yes", "--trace=yes takes no value; see kdgate --help" },
	{ "rsp+unix:/x --listen", "--listen needs a value after it; see kdgate --help" },
	{ "rsp+unix:/x -c", "-c needs a value after it; see kdgate --help" },
	{ "serve -c a -c b", "--config is given a second time; expected one file" },
	{ "serve --listen stdio", "--listen is not an option of kdgate serve; see kdgate serve --help" },
	{ "kd+usb:debug", "target kd+usb:debug: how Windows speaks KD over USB is not confirmed, and kdgate would take it for a plain stream; expected --unconfirmed, or unconfirmed = true, to try that" },
	{ "serve --no-cache", "--no-cache is not an option of kdgate serve; see kdgate serve --help" },
	{ "rsp+unix:/x --no-cache=1", "--no-cache=1 takes no value; see kdgate --help" },
	{ "check --trace", "--trace is not an option of kdgate check; see kdgate check --help" },
	{ "explain --policy none m0,1 --allow any", "--allow is not an option of kdgate explain; see kdgate explain --help" },
	{ "explain --policy none", "no packet; expected kdgate explain --policy NAME PACKET..., such as m1000,40" },
	{ "explain m0,1", "no policy; expected kdgate explain --policy NAME PACKET..." },
	{ "explain --policy x m0,1", "--policy: there is no policy \"x\"; expected one of full, debug, observe, none" },
	{ "rsp+unix:/x --policy x", "--policy: there is no policy \"x\"; expected one of full, debug, observe, none" },
	{ "rsp+unix:/x --console stdio", "--console stdio: standard input and output are for a debugger, not a console; expected tcp:127.0.0.1:5550 or unix:PATH" },
	{ "rsp+unix:/x --console unix:/c", "target rsp+unix:/x has no console, nor a way to break in by it; expected a target kgdb+LINK:ADDRESS, or for a console a Windows kernel's" },
	{ "rsp+unix:/x --audit-failure stop", "there is no audit that could fail; expected audit = \"FILE\" (--audit FILE), or no audit_failure" },
	{ "rsp+unix:/x --break-in x", "target rsp+unix:/x has no console, nor a way to break in by it; expected a target kgdb+LINK:ADDRESS, or for a console a Windows kernel's" },
	{ "rsp+unix:/x --console-line unix:/c", "target rsp+unix:/x has no console on a line of its own; expected --console-line, or console_line = ..., with a target kgdb+LINK:ADDRESS alone" },
	{ "kd+unix:/x --console-line unix:/c", "target kd+unix:/x has no console on a line of its own; expected --console-line, or console_line = ..., with a target kgdb+LINK:ADDRESS alone" },
	{ "kgdb+unix:/x --console-line unix:/x", "target kgdb+unix:/x: its console line unix:/x is the debugger's line; expected another one, or no word about it: kdgate takes console and debugger apart that share a line" },
	{ "kgdb+unix:/x --console-line kgdb+unix:/y", "--console-line: kgdb+unix:/y: a console speaks no protocol; expected serial:DEVICE@BAUD, rfc2217:HOST:PORT, telnet:HOST:PORT, tcp:HOST:PORT, unix:PATH or udp:HOST:PORT" },
	{ "kgdb+unix:/x --console-line stdio", "--console-line: stdio: unknown kind of link \"stdio\"; expected serial:DEVICE@BAUD, rfc2217:HOST:PORT, telnet:HOST:PORT, tcp:HOST:PORT, unix:PATH or udp:HOST:PORT" },
	{ "kgdb+unix:/x --console-line /dev/ttyUSB1", "--console-line: /dev/ttyUSB1: unknown kind of link \"/dev/ttyUSB1\"; expected serial:DEVICE@BAUD, rfc2217:HOST:PORT, telnet:HOST:PORT, tcp:HOST:PORT, unix:PATH or udp:HOST:PORT" },
	{ "kgdb+unix:/x --console-line", "--console-line needs a value after it; see kdgate --help" },
	{ "serve --console-line unix:/x", "--console-line is not an option of kdgate serve; see kdgate serve --help" },
	{ "kgdb+unix:/x --console-line unix:/c --console unix:/c", "--console unix:/c is where the target itself is; expected another address to listen at, such as unix:/run/kdgate/gate.sock" },
	{ "rsp+unix:/x --secure", "secure mode needs an audit; expected audit = \"FILE\" (--audit FILE)" },
	{ "rsp+unix:/x --secure=false --audit /a", "--secure=false takes no value; see kdgate --help" },
	{ "rsp+unix:/x --no-secure", "unknown or ambiguous option --no-secure; see kdgate --help" },
	{ "rsp+unix:/x --secure --audit /a --audit-failure continue", "secure mode does not go on without its audit; expected audit_failure = \"stop\" (--audit-failure stop), or no word about it" },
	{ "rsp+unix:/x --sandbox off --secure --audit /a", "secure mode has a sandbox; expected sandbox = \"must\" or \"try\" (--sandbox), or no word about it" },
	{ "rsp+unix:/x --secure --audit /a --learn /l", "secure mode does not learn; expected --learn in a session without --secure, before" },
	{ "rsp+unix:/x --secure --audit /a --listen tcp:0.0.0.0:1 --allow 192.0.2.7 --accept-plain-risk",
	  "--listen tcp:0.0.0.0:1 is beyond loopback and plain, and secure mode has no such listener; expected a Unix socket, or loopback reached by ssh -L (TLS in a later version)" },
	{ "rsp+unix:/x --sandbox on", "--sandbox: unknown word \"on\"; expected try, must or off" },
	{ "rsp+unix:/x --record -", "--record: a recording does not go to standard output; expected a path" },
	{ "rsp+unix:/x --record=", "--record: the recording has no name; expected a path" },
	{ "rsp+unix:/x --learn=", "--learn: the file for what is learned has no name; expected a path, or - for standard output" },
	{ "rsp+unix:/x --learn - --listen stdio", "what is learned needs standard output, and so does a listener; expected --learn FILE" },
	{ "rsp+unix:/x --learn - --audit -", "what is learned needs standard output, and so does the audit; expected --learn FILE" },
	{ "serve --sandbox maybe", "--sandbox: unknown word \"maybe\"; expected try, must or off" },
	{ "serve --recording /r", "--recording is not an option of kdgate serve; see kdgate serve --help" },
	{ "rsp+unix:/x --recording /r", "--recording is not an option of kdgate TARGET; see kdgate --help" },
	{ "explain --policy none ? --recording /r", "--policy is not an option of kdgate explain --recording; see kdgate explain --help" },
	{ "explain ? --recording /r", "\"?\" is one word too many; expected no packets beside a recording" },
	{ "explain --recording /r --recording /s", "--recording is given a second time; expected one file" },
	{ "check --secure", "--secure is not an option of kdgate check; see kdgate check --help" },
	{ "decode", "no capture; expected kdgate decode FILE, such as a file of --record" },
	{ "decode /r /s", "\"/s\" is one word too many; expected one capture" },
	{ "decode /r --key 1.2.3.4 --key-file /k", "--key and --key-file are both given; expected one of them" },
	{ "replay", "no recording; expected kdgate replay FILE, such as a capture of KDNET" },
	{ "replay /r /s", "\"/s\" is one word too many; expected one recording" },
	{ "replay /r --json", "--json is not an option of kdgate replay; see kdgate replay --help" },
	{ "decode /r -c /f", "--config is not an option of kdgate decode; see kdgate decode --help" },
	{ "rsp+unix:/x --max-clients 0", "--max-clients: \"0\" is no number of clients; expected 1 to 256" },
	{ "rsp+unix:/x --on-disconnect halt", "--on-disconnect: unknown word \"halt\"; expected run or stay" },
	{ "rsp+unix:/x --socket-mode 0660", "--socket-mode and --socket-group are for Unix sockets; expected --listen unix:PATH" },
	{ "rsp+unix:/x --listen stdio --socket-mode 0660", "--listen stdio has no mode and no group; expected them with unix:PATH only" },
	{ "rsp+unix:/x --listen tls:0.0.0.0:1", "--listen: tls:0.0.0.0:1: this version does not have tls yet; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
	{ "local+serial:/dev/x", "local+serial:/dev/x: this version does not have the protocol local yet; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp+tcp:127.0.0.1:1234 --listen tcp:127.0.0.1:1234", "--listen tcp:127.0.0.1:1234 is where the target itself is; expected another address to listen at, such as tcp:127.0.0.1:2345" },
	{ "rsp+tcp:127.0.0.1:2345 --listen tcp:127.0.0.1:2345", "--listen tcp:127.0.0.1:2345 is where the target itself is; expected another address to listen at, such as tcp:127.0.0.1:1234" },
	{ "kgdb+unix:/x --console unix:/a --listen unix:/a", "--listen unix:/a is taken by listener unix:/a of target kgdb+unix:/x; expected another address" },
	{ "kgdb+unix:/x --listen unix:/a --listen unix:/ab --console unix:/a", "--console unix:/a is taken by listener unix:/a of target kgdb+unix:/x; expected another address" },
	{ "rsp+unix:/x --listen stdio --listen stdio", "--listen stdio is taken by listener stdio of target rsp+unix:/x; expected another address" },
	{ "kdnet:127.0.0.1:50000 --key 1.2.3.4", "--key: a key on a command line can be seen by everybody on this machine, with ps; expected --key-file FILE" },
	{ "kdnet:127.0.0.1:50000 --key-file credential:a/b", "--key-file: no usable name of a file; expected a path, or credential:NAME of systemd's LoadCredential=" },
	{ "kdnet:127.0.0.1:50000 --listen stdio --key-file /dev/null", "target kdnet:127.0.0.1:50000: the key in /dev/null cannot be used: it is no regular file; expected one with the key in it" },
	{ "kdnet:127.0.0.1:50000 --listen stdio --key-file /no/such/file", "target kdnet:127.0.0.1:50000: the key in /no/such/file cannot be used: No such file or directory" },
	{ "kd+unix:/x --listen stdio --key-file /k", "target kd+unix:/x needs no key; expected one for kdnet:ADDRESS:PORT alone" },
	{ "keygen now", "\"now\" is one word too many; expected options only" },
	{ "rsp+unix:/x --listen stdio --audit -", "--listen stdio needs standard output, and so does the audit; expected a file for the audit" },
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		static struct line l;

		assert_int_equal(parse(&l, bad[i].line), -EINVAL);
		assert_string_equal(l.why, bad[i].why);
		options_fini(&l.o);
	}
}

static void test_plain(void **state)
{
	static struct line l;

	(void)state;
	assert_int_equal(parse(&l, "rsp+unix:/x --listen tcp:0.0.0.0:1234"), -EINVAL);
	assert_non_null(strstr(l.why, "beyond loopback"));
	options_fini(&l.o);
	assert_int_equal(parse(&l, "rsp+unix:/x --listen tcp:0.0.0.0:1234 --allow any --accept-plain-risk"), -EINVAL);
	options_fini(&l.o);
	good(&l, "rsp+unix:/x --listen tcp:0.0.0.0:1234 --allow 192.0.2.7 --accept-plain-risk");
	options_fini(&l.o);
}

static void test_too_many(void **state)
{
	static struct line l;
	char text[2048] = "rsp+unix:/x";

	(void)state;
	for (int i = 0; i < CONFIG_LISTENERS + 1; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), " --listen unix:/%d", i);
	assert_int_equal(parse(&l, text), -EINVAL);
	assert_string_equal(l.why, "--listen: too many listeners; expected at most 8");
	options_fini(&l.o);
	strcpy(text, "rsp+unix:/x");
	for (int i = 0; i < 257; i++)
		strcat(text, " -v");
	assert_int_equal(parse(&l, text), -EINVAL);
	assert_string_equal(l.why, "too many options; expected at most 256");
	options_fini(&l.o);
}

/* A file's secure mode holds for a target of the command line too, and with it what it excludes. */
static void test_secure_of_a_file(void **state)
{
	static const struct {
		const char *conf, *options, *why; /* why: a part of it; NULL: fine */
	} cases[] = {
		{ "secure = true", "--audit /a", NULL },
		{ "secure = true audit = \"/a\"", "", NULL },
		{ "secure = true", "", "secure mode needs an audit" },
		{ "secure = false", "--secure --audit /a", NULL },
		{ "secure = true", "--audit /a --learn /l", "secure mode does not learn" },
		{ "secure = true", "--audit /a --sandbox off", "secure mode has a sandbox" },
		{ "sandbox = \"off\"", "--audit /a --secure", "secure mode has a sandbox" },
		{ "sandbox = \"off\"", "--audit /a --secure --sandbox must", NULL },
		{ "audit_failure = \"continue\"", "--audit /a --secure", "does not go on without its audit" },
		{ "policy: { own: { rules = [] paths = true } }", "--audit /a --secure", "policy own has paths = true" },
		{ "policy: { own: { rules = [] paths = true } }", "", NULL },
	};
	char file[] = "/tmp/kdgate-options-XXXXXX", text[256];
	int fd = mkstemp(file);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct line l;
		int rc;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].conf, strlen(cases[i].conf), 0), strlen(cases[i].conf));
		snprintf(text, sizeof text, "rsp+unix:/x %s -c %s", cases[i].options, file);
		rc = parse(&l, text);
		if (cases[i].why ? !strstr(l.why, cases[i].why) : rc != 0)
			fail_msg("%s %s: %d %s", cases[i].conf, cases[i].options, rc, l.why);
		assert_int_equal(rc, cases[i].why ? -EINVAL : 0);
		options_fini(&l.o);
	}
	close(fd);
	unlink(file);
}

/* -c may stand behind what needs it; its targets are left alone. */
static void test_policies_of_a_file(void **state)
{
	static struct line l;
	char file[] = "/tmp/kdgate-options-XXXXXX", text[256];
	int fd = mkstemp(file);
	static const char conf[] = "audit = \"/a\" policy: { own: { rules = \"allow query\" } }\n"
				   "target: { t: { connect = \"rsp+unix:/t\" listen: { address = \"unix:/s\" } } }";

	(void)state;
	assert_int_equal(write(fd, conf, sizeof conf - 1), sizeof conf - 1);
	snprintf(text, sizeof text, "rsp+unix:/x --policy own --allow user=root,policy=own -c %s --listen unix:/s", file);
	good(&l, text);
	assert_string_equal(policy_of(&l, 0), "own");
	assert_int_equal(l.o.config.targets_n, 1);
	assert_string_equal(l.o.config.targets[0].addr.path, "/x");
	assert_string_equal(l.o.config.audit, "/a");
	options_fini(&l.o);
	snprintf(text, sizeof text, "explain --policy own ? -c %s", file);
	good(&l, text);
	options_fini(&l.o);
	assert_int_equal(pwrite(fd, "audti", 5, 0), 5);
	snprintf(text, sizeof text, "rsp+unix:/x -c %s", file);
	assert_int_equal(parse(&l, text), -EBADMSG);
	assert_non_null(strstr(l.why, ":1: unknown name audti"));
	options_fini(&l.o);
	close(fd);
	unlink(file);
	assert_int_equal(parse(&l, text), -ENOENT);
	options_fini(&l.o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_program), cmocka_unit_test(test_added), cmocka_unit_test(test_secure_of_a_file),
		cmocka_unit_test(test_default_listener), cmocka_unit_test(test_everything), cmocka_unit_test(test_each_its_own), cmocka_unit_test(test_commands),
		cmocka_unit_test(test_texts),    cmocka_unit_test(test_refuses),    cmocka_unit_test(test_plain),        cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_policies_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
