/* config_file_test.c - configuration files: what they mean, and that every mistake is told with its line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/config.h"
#include "tests/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* libconfig does not free a text where it expects none. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex";
}

static int parse(struct config *c, const char *text, char why[CONFIG_WHY])
{
	return config_load_text(c, "f", span_of(text), why, CONFIG_WHY);
}

static const char whole[] =
	"audit = \"/var/log/kdgate/audit.jsonl\" audit_failure = \"stop\"; # to the end of the line\n"
	"target: { dut1: { connect = \"rsp+tcp:127.0.0.1:1234\" on_disconnect = \"stay\", max_clients = 16 cache = false\n"
	"  listen: ( { address = \"tcp:127.0.0.1:2345\"  policy = \"observe\" allow = [ \"user=root\", \"group=root policy=student\" ] },\n"
	"  { address = \"unix:/run/kdgate/dut1.sock\" mode = \"0660\" group = \"root\" policy = \"student\" } ) }\n"
	"/* one of\n more lines */ two: { connect = \"rsp+unix:/run/two\" listen: ( { address = \"stdio\" }, { address = \"tcp:[::1]:7\"\n"
	"  allow = \"any\" } ) } }\n"
	"trace = true // another\n"
	"policy = { student = { rules = [ \"allow query reg.read run break\",\n"
	"  \"deny mem.read range 0xfffff78000000000-0xfffff78000000fff\", \"allow mem.read\" ] } }\n";

static void test_whole(void **state)
{
	struct config c = { 0 };
	const struct config_target *t;
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(parse(&c, whole, why), 0);
	assert_string_equal(why, "");
	assert_string_equal(c.audit, "/var/log/kdgate/audit.jsonl");
	assert_int_equal(c.audit_failure, AUDIT_FAILURE_STOP);
	assert_true(c.trace);
	assert_int_equal(c.policies_n, 5);
	assert_string_equal(c.policies[4].name, "student");
	assert_int_equal(c.policies[4].count, 3);
	assert_string_equal(c.policies[4].rules[2].text, "allow mem.read");
	assert_int_equal(c.targets_n, 2);

	t = &c.targets[0];
	assert_string_equal(t->name, "dut1");
	assert_string_equal(t->addr.port, "1234");
	assert_int_equal(t->on_disconnect, ON_DISCONNECT_STAY);
	assert_int_equal(t->max_clients, 16);
	assert_false(t->cache);
	assert_int_equal(t->listeners_n, 2);
	assert_int_equal(t->listeners[0].policy, 2);
	assert_int_equal(t->listeners[0].allow.count, 2);
	assert_int_equal(t->listeners[0].allow.entries[0].policy, -1);
	assert_int_equal(t->listeners[0].allow.entries[1].policy, 4);
	assert_int_equal(t->listeners[1].policy, 4);
	assert_int_equal(t->listeners[1].mode, 0660);
	assert_true(t->listeners[1].has_group);
	assert_false(t->listeners[1].allow_given);

	t = &c.targets[1];
	assert_int_equal(t->on_disconnect, ON_DISCONNECT_RUN);
	assert_int_equal(t->max_clients, 32);
	assert_true(t->cache);
	assert_int_equal(t->listeners[0].policy, 1);
	assert_int_equal(t->listeners[0].addr.kind, ADDR_STDIO);
	assert_int_equal(t->listeners[1].allow.entries[0].kind, ALLOW_ANYONE);
	assert_int_equal(config_check(&c, why, sizeof why), 0);
	config_fini(&c);
}

#define P "policy: { p: { rules = \"allow query\" } }\n"
#define T "target: { t: {\n connect = \"rsp+tcp:127.0.0.1:1\"\n"
#define K "target: { t: {\n connect = \"kgdb+unix:/x\"\n"
#define L " listen: {\n address = \"unix:/s\"\n"
#define SECURE "secure = true audit = \"/a\"\n"
#define LISTEN(address) "listen: { address = \"" address "\" } } }"
#define SYNTAX "syntax error; expected name = value, name: { ... } or ( ... )"

static const struct {
	const char *text, *why;
} bad[] = {
	{ "\naudit = \"x\"\naudti = \"x\"", "f:3: unknown name audti in the file; expected one of audit, secure, audit_failure, sandbox, record, trace, policy, target" },
	{ "control = \"/c\"", "f:1: this version does not have control yet; expected it to be left out" },
	{ "\nlearn = \"/l\"", "f:2: learn is for one session; expected --learn FILE on the command line" },
	{ "secure = \"yes\"", "f:1: secure is of another kind; expected secure = true or false" },
	{ "secure = 1", "f:1: secure is of another kind; expected secure = true or false" },
	{ "secure = true\nsecure = false", "f:2: duplicate setting name; expected each name once" },
	{ "\nsandbox = \"maybe\"", "f:2: unknown word \"maybe\"; expected try, must or off" },
	{ "sandbox = true", "f:1: sandbox is of another kind; expected sandbox = \"...\"" },
	{ "record = \"\"", "f:1: the recording has no name; expected a path" },
	{ "record = \"-\"", "f:1: a recording does not go to standard output; expected a path" },
	{ SECURE "audit_failure = \"continue\"",
	  "f:2: secure mode does not go on without its audit; expected audit_failure = \"stop\" (--audit-failure stop), or no word about it" },
	{ SECURE "sandbox = \"off\"", "f:2: secure mode has a sandbox; expected sandbox = \"must\" or \"try\" (--sandbox), or no word about it" },
	{ "policy: { p: { rules = [ ]\n paths = true } }\n" SECURE,
	  "f:2: policy p has paths = true, and in secure mode a target's names of files have no directories; expected paths = false, or no secure" },
	{ SECURE T "listen: { address = \"tcp:192.0.2.7:5\" allow = \"192.0.2.0/24\" plain = \"accept-the-risk\" } } }",
	  "f:4: tcp:192.0.2.7:5 is beyond loopback and plain, and secure mode has no such listener; expected a Unix socket, or loopback reached by "
	  "ssh -L (TLS in a later version)" },
	{ "policy: { p: { rules = [ ]\n paths = \"yes\" } }", "f:2: paths is of another kind; expected paths = true or false" },
	{ "audit = \"\"", "f:1: the audit file has no name; expected a path, or - for standard output" },
	{ "audit = \"a\"\n\naudit = \"b\"", "f:3: duplicate setting name; expected each name once" },
	{ "audit =\n\n", "f:3: " SYNTAX },
	{ "\naudit \"a\"", "f:2: " SYNTAX },
	{ "\naudit = a", "f:2: " SYNTAX },
	{ "\"audit\" = \"a\"", "f:1: " SYNTAX },
	{ "audit = 5", "f:1: audit is of another kind; expected audit = \"...\"" },
	{ "audit: { }", "f:1: audit is of another kind; expected audit = \"...\"" },
	{ "audit = [ \"a\" ]", "f:1: audit is of another kind; expected audit = \"...\"" },
	{ "audit = ( \"a\" )", "f:1: audit is of another kind; expected audit = \"...\"" },
	{ "# 1\n# 2\n/* 3\n4 */ // 4\naudti = 5", "f:5: unknown name audti in the file; expected one of audit, secure, audit_failure, sandbox, record, trace, policy, target" },
	{ "audit = \"x\"\n/* open\naudit_failure = \"stop\"", "f:2: a comment begins here and never ends; expected */" },
	{ "audit = \"x\"\n/*/", "f:2: a comment begins here and never ends; expected */" },
	{ "\naudit = \"x\\\"", "f:2: a text in quotes begins here and never ends; expected \"" },
	{ "\naudit_failure = \"panic\"", "f:2: unknown word \"panic\"; expected continue or stop" },
	{ "trace = 1", "f:1: trace is of another kind; expected trace = true or false" },
	{ "trace = \"yes\"", "f:1: trace is of another kind; expected trace = true or false" },
	{ "policy = \"debug\"", "f:1: policy is of another kind; expected policy: { ... }" },
	{ "policy: ( )", "f:1: policy is of another kind; expected policy: { ... }" },
	{ "policy: {\n p = 5 }", "f:2: p is of another kind; expected p: { ... }" },
	{ "policy: {\n *p: { rules = [ ] } }", "f:2: \"*p\" is not a name; expected 1 to 63 letters, digits, . _ -" },
	{ "policy: {\n p234567890123456789012345678901234567890123456789012345678901234: { rules = [ ] } }",
	  "f:2: \"p234567890123456789012345678901234567890\" is not a name; expected 1 to 63 letters, digits, . _ -" },
	{ "policy: {\n p: { } }", "f:2: p has no rules; expected rules = [ \"...\", ... ]" },
	{ "policy: { p: {\n rulez = [] } }", "f:2: unknown name rulez in p; expected one of rules, paths" },
	{ "policy: { p: {\n rules = 5 } }", "f:2: rules is of another kind; expected rules = [ \"...\", ... ]" },
	{ "policy: { p: {\n rules = ( \"allow run\" ) } }", "f:2: rules is of another kind; expected rules = [ \"...\", ... ]" },
	{ "policy: { p: {\n rules = [ 1, 2 ] } }", "f:2: number 1 of rules is no text; expected rules = [ \"...\", ... ]" },
	{ "policy: { p: {\n rules = [ \"allow run\", 2 ] } }", "f:2: mismatched element type in array; expected texts only" },
	{ "policy: { p: {\n rules = [ \"allow run\",\n ] } }", "f:3: " SYNTAX },
	{ "policy: { p: { rules = [\n \"allow query\",\n \"permit run\"\n ] } }",
	  "f:1: number 2 of rules: a rule begins with allow or deny, not \"permit\"" },
	{ "policy: { p: {\n rules = \"permit run\" } }", "f:2: a rule begins with allow or deny, not \"permit\"" },
	{ "policy: { p: { rules = [ ]\nrules = [ ] } }", "f:2: duplicate setting name; expected each name once" },
	{ "\npolicy: { debug: { rules = [] } }", "f:2: policy debug is built in and cannot be defined; expected another name" },
	{ "policy: {\n p: { rules = [] }\n p: { rules = [] } }", "f:3: duplicate setting name; expected each name once" },
	{ P "\n" P, "f:3: duplicate setting name; expected each name once" },
	{ "target: { t: {\n connect = \"rsp+unix:/t\"\n", "f:3: " SYNTAX },
	{ "target: { *: { } }", "f:1: \"*\" is not a name; expected 1 to 63 letters, digits, . _ -" },
	{ "target:\n{\nt: {\n} }", "f:3: t has no connect; expected connect = \"...\"" },
	{ T "} }", "f:1: t has no listen; expected listen: ( { ... }, ... )" },
	{ T "listen: ( ) } }", "f:3: listen is empty; expected listen: ( { address = \"...\" } )" },
	{ T "listen: ( {\n policy = \"debug\" } ) } }", "f:3: listen has no address; expected address = \"...\"" },
	{ T "listen: { } } }", "f:3: listen has no address; expected address = \"...\"" },
	{ T "listen: ( { address = \"stdio\" },\n 5 ) } }", "f:4: listen is of another kind; expected listen: { ... }" },
	{ T "listen = \"unix:/s\" } }", "f:3: listen is of another kind; expected listen: ( { ... }, ... )" },
	{ "target: { t: {\n connect = \"local+serial:/dev/x\" " LISTEN("stdio"),
	  "f:2: local+serial:/dev/x: this version does not have the protocol local yet; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "target: { t: {\n connect = \"rsp+unix:x\" " LISTEN("stdio"), "f:2: rsp+unix:x is relative; expected a path that begins with /" },
	{ "\n" T "console_to_debugger = true\n" LISTEN("stdio"),
	  "f:2: target t has no console, nor a way to break in by it; expected a target kgdb+LINK:ADDRESS, or for a console a Windows kernel's" },
	{ "target: {\n t: { connect = \"rsp+unix:/t\"\n key_file = \"/k\" " LISTEN("stdio"), "f:2: target t needs no key; expected one for kdnet:ADDRESS:PORT alone" },
	{ "target: { s: { connect = \"rsp+serial:/dev/x@9600\" listen: { address = \"unix:/s\" } }\n t: {\n connect = \"rsp+serial:/dev/x@9600\" " LISTEN("stdio"),
	  "f:2: target t: the line rsp+serial:/dev/x@9600 is that of target s; expected one of its own" },
	{ T "conect = 5\n} }", "f:3: unknown name conect in t; expected one of connect, on_disconnect, max_clients, cache, unconfirmed, console_line, break_in, key_file, console_log, console_to_debugger, listen, console" },
	{ T "on_disconnect = \"halt\" " LISTEN("stdio"), "f:3: unknown word \"halt\"; expected run or stay" },
	{ K "console_line = \"serial:/dev/x@0\"\n" LISTEN("stdio"), "f:3: serial:/dev/x@0 has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ K "console_line = \"unix:c\"\n" LISTEN("stdio"), "f:3: unix:c is relative; expected a path that begins with /" },
	{ K "console_line = \"kdnet:127.0.0.1:1\"\n" LISTEN("stdio"), "f:3: kdnet:127.0.0.1:1: a console speaks no protocol; expected serial:DEVICE@BAUD, rfc2217:HOST:PORT, telnet:HOST:PORT, tcp:HOST:PORT, unix:PATH or udp:HOST:PORT" },
	{ K "console_line = \"tcp:127.0.0.1:0\"\n" LISTEN("stdio"), "f:3: tcp:127.0.0.1:0: nothing can be reached at port 0; expected a number from 1 to 65535" },
	{ K "console_line = 5\n" LISTEN("stdio"), "f:3: console_line is of another kind; expected console_line = \"...\"" },
	{ T "max_clients = \"lots\"\n" LISTEN("stdio"), "f:3: max_clients is of another kind; expected max_clients = NUMBER" },
	{ T "cache = \"no\"\n" LISTEN("stdio"), "f:3: cache is of another kind; expected cache = true or false" },
	{ T "max_clients = 257\n" LISTEN("stdio"), "f:3: \"257\" is no number of clients; expected 1 to 256" },
	{ T "max_clients = -1\n" LISTEN("stdio"), "f:3: \"-1\" is no number of clients; expected 1 to 256" },
	{ T LISTEN("tcp:1"), "f:3: tcp:1 has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ T LISTEN("unix:s"), "f:3: unix:s is relative; expected a path that begins with /" },
	{ T L "polcy = \"debug\" } } }", "f:5: unknown name polcy in listen; expected one of address, policy, allow, mode, group, plain" },
	{ T "listen: ( {\n polcy = \"debug\" } ) } }",
	  "f:4: unknown name polcy in listen; expected one of address, policy, allow, mode, group, plain" },
	{ T L "policy = [ \"debug\" ] } } }", "f:5: policy is of another kind; expected policy = \"...\"" },
	{ P T L "policy = \"q\" } } }", "f:6: there is no policy \"q\"; expected one of full, debug, observe, none, p" },
	{ T L "allow = [ ] } } }", "f:5: allow is empty, so nobody could connect; expected who may, such as \"user=alice\"" },
	{ T L "allow = [ \"user=root\",\n \"group=root policy=x\" ] } } }",
	  "f:5: number 2 of allow: there is no policy \"x\"; expected one of full, debug, observe, none" },
	{ T L "allow = \"user=root x\" } } }", "f:5: \"x\" after user=root is not understood; expected policy=NAME, or nothing" },
	{ T L "mode = \"9\" } } }", "f:5: \"9\" is no mode of a socket; expected octal digits, such as 0660" },
	{ T L "mode = 0660 } } }", "f:5: mode is of another kind; expected mode = \"...\"" },
	{ T L "group = \"no-such-group\" } } }", "f:5: this system has no group \"no-such-group\"; expected the name or number of one" },
	{ T L "plain = \"yes\" } } }", "f:5: unknown word \"yes\"; expected accept-the-risk" },
	{ T "listen: ( { address = \"tcp:127.0.0.1:7\" },\n { address = \"tcp:localhost:7\" } ) } }",
	  "f:4: tcp:localhost:7 is taken by listener tcp:127.0.0.1:7 of target t; expected another address" },
	{ T L "} }\nu: { connect = \"rsp+unix:/u\"\n" L "} } }", "f:7: unix:/s is taken by listener unix:/s of target t; expected another address" },
	{ T "\n " LISTEN("tcp:127.0.0.1:1"),
	  "f:4: tcp:127.0.0.1:1 is where the target itself is; expected another address to listen at, such as tcp:127.0.0.1:2345" },
	{ "audit = \"-\"\n" T LISTEN("stdio"), "f:4: stdio needs standard output, and so does the audit; expected a file for the audit" },
	{ T "listen: { address = \"tcp:127.0.0.1:5\" mode = \"0660\" } } }",
	  "f:3: tcp:127.0.0.1:5 has no mode and no group; expected them with unix:PATH only" },
	{ "\n@include \"x\"", "f:2: @include is not possible here; expected everything in one text" },
	{ "\n@include x", "f:2: " SYNTAX },
	{ "\n@include", "f:2: " SYNTAX },
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config c = { 0 };
		char why[CONFIG_WHY] = "";

		assert_int_equal(parse(&c, bad[i].text, why), -EINVAL);
		assert_string_equal(why, bad[i].why);
		assert_null(c.targets);
	}
}

/* Wherever it stands in the file. Only the whole can tell that there is no audit. */
static void test_secure(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	if (parse(&c, "policy: { p: { rules = [ ] paths = false } }\n" T LISTEN("unix:/s") "record = \"/r\" sandbox = \"try\"\n" SECURE, why))
		fail_msg("%s", why);
	assert_true(c.secure);
	assert_false(c.policies[4].paths);
	assert_string_equal(c.record, "/r");
	assert_int_equal(config_sandbox(&c), SANDBOX_TRY);
	assert_int_equal(config_audit_failure(&c), AUDIT_FAILURE_STOP);
	assert_int_equal(config_check(&c, why, sizeof why), 0);
	assert_int_equal(parse(&c, "secure = true sandbox = \"must\"\n" T LISTEN("unix:/s"), why), 0);
	assert_int_equal(config_check(&c, why, sizeof why), -EINVAL);
	assert_string_equal(why, "secure mode needs an audit; expected audit = \"FILE\" (--audit FILE)");
	assert_int_equal(parse(&c, "secure = false policy: { p: { rules = [ ] paths = true } }\n" T LISTEN("unix:/s"), why), 0);
	assert_true(c.policies[4].paths);
	assert_false(c.secure);
	assert_int_equal(config_check(&c, why, sizeof why), 0);
	config_fini(&c);
}

static void test_unknown_user(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_true(parse(&c, T L "allow = [ \"any\", \"user=no-such-user\" ] } } }", why) < 0);
	assert_non_null(strstr(why, "f:5: "));
	assert_non_null(strstr(why, "no-such-user"));
}

static void test_plain(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(parse(&c, T "listen: { address = \"tcp:192.0.2.7:5\"\n allow = \"192.0.2.0/24\" } } }", why), -EINVAL);
	assert_non_null(strstr(why, "f:3: tcp:192.0.2.7:5 is beyond loopback and plain"));
	assert_non_null(strstr(why, "ssh -L"));
	assert_int_equal(parse(&c, T "listen: { address = \"tcp:192.0.2.7:5\"\n allow = \"192.0.2.0/24\" plain = \"accept-the-risk\" } } }", why), 0);
	assert_true(c.targets[0].listeners[0].plain_accepted);
	config_fini(&c);
}

/* A file that is refused changes nothing; one that is read replaces all, and leaks nothing. */
static void test_reload(void **state)
{
	struct config c;
	char why[CONFIG_WHY] = "";
	const struct config_target *before;

	(void)state;
	assert_int_equal(config_prepare(&c), 0);
	assert_int_equal(parse(&c, whole, why), 0);
	before = c.targets;
	assert_int_equal(parse(&c, P T L "policy = \"q\" } } }", why), -EINVAL);
	assert_ptr_equal(c.targets, before);
	assert_int_equal(c.targets_n, 2);
	assert_string_equal(c.policies[4].name, "student");
	assert_int_equal(parse(&c, P, why), 0);
	assert_int_equal(c.targets_n, 0);
	assert_string_equal(c.policies[4].name, "p");
	assert_string_equal(c.audit, "");
	assert_true(config_is_policies(&c));
	assert_int_equal(config_check(&c, why, sizeof why), -EINVAL);
	assert_string_equal(why, "there is no target; expected target: { NAME: { connect = ...; listen: ... } }, or for its policies alone "
				 "kdgate TARGET -c FILE --policy p");
	config_fini(&c);
}

/* What a command line adds to a file is at fault where the target is. */
static void test_place(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(parse(&c, "audit = \"/a\"\ntarget: {\n t: { connect = \"rsp+unix:/t\" listen: { address = \"tcp:192.0.2.7:5\" "
				   "allow = \"192.0.2.0/24\" plain = \"accept-the-risk\" } } }", why), 0);
	assert_string_equal(c.targets[0].place, "f:3");
	assert_int_equal(config_check(&c, why, sizeof why), 0);
	c.secure = true;
	assert_int_equal(config_check(&c, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "f:3: tcp:192.0.2.7:5 is beyond loopback and plain, and secure mode"));
	config_fini(&c);
}

/* Cut anywhere, it is an error, or it ended between two of its parts. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof whole - 2; n++) {
		struct config c = { 0 };
		struct span text = { guard_copy(whole, n), n };
		char why[CONFIG_WHY];

		if (!config_load_text(&c, "f", text, why, sizeof why))
			assert_int_not_equal(c.targets_n, 2);
		config_fini(&c);
	}
}

static void test_nul(void **state)
{
	static const char text[] = "audit = \"x\"\n\0trace = 5", quoted[] = "\naudit = \"x\0y\"";
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	assert_int_equal(config_load_text(&c, "f", (struct span){ (const uint8_t *)text, sizeof text - 1 }, why, sizeof why), -EINVAL);
	assert_string_equal(why, "f:2: a NUL byte is out of place; expected text");
	assert_int_equal(config_load_text(&c, "f", (struct span){ (const uint8_t *)quoted, sizeof quoted - 1 }, why, sizeof why), -EINVAL);
	assert_string_equal(why, "f:2: a NUL byte is out of place; expected text");
}

static void test_ceilings(void **state)
{
	static char text[65536];
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";
	int at = sprintf(text, "policy: {\n");

	(void)state;
	for (int i = 0; i < CONFIG_POLICIES - 3; i++)
		at += sprintf(text + at, "p%d: { rules = [] }\n", i);
	strcpy(text + at, "}");
	assert_int_equal(parse(&c, text, why), -EINVAL);
	assert_string_equal(why, "f:62: too many policies; expected at most 64, built-in ones included");
	at = sprintf(text, "target: {\n");
	for (int i = 0; i < CONFIG_TARGETS + 1; i++)
		at += sprintf(text + at, "t%d: { connect = \"rsp+unix:/t%d\" listen: { address = \"unix:/s%d\" } }\n", i, i, i);
	strcpy(text + at, "}");
	assert_int_equal(parse(&c, text, why), -EINVAL);
	assert_string_equal(why, "f:66: too many targets; expected at most 64");
	at = sprintf(text, "target: { t: { connect = \"rsp+unix:/t\" listen: (\n{ address = \"unix:/s\" }");
	for (int i = 0; i < CONFIG_LISTENERS; i++)
		at += sprintf(text + at, ",\n{ address = \"unix:/s%d\" }", i);
	strcpy(text + at, ") } }");
	assert_int_equal(parse(&c, text, why), -EINVAL);
	assert_string_equal(why, "f:10: too many listeners of one target; expected at most 8");
	at = sprintf(text, "policy: { p: { rules = [ \"allow query\"");
	for (int i = 0; i < POLICY_RULES; i++)
		at += sprintf(text + at, ",\n\"allow query\"");
	strcpy(text + at, "] } }");
	assert_int_equal(parse(&c, text, why), -EINVAL);
	assert_non_null(strstr(why, "f:1: number 257 of rules: "));
	memset(text, '(', sizeof text - 1);
	memcpy(text, "audit=", 6);
	assert_int_equal(parse(&c, text, why), -EINVAL);
	assert_string_equal(why, "f:1: memory exhausted; expected name = value, name: { ... } or ( ... )");
}

static void test_example(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";

	(void)state;
	if (config_load(&c, "scripts/kdgate.conf.example", why, sizeof why) < 0)
		fail_msg("%s", why);
	assert_string_equal(why, "");
	assert_int_equal(config_check(&c, why, sizeof why), 0);
	assert_int_equal(c.targets_n, 1);
	assert_int_equal(c.targets[0].listeners_n, 2);
	assert_int_equal(c.policies[4].count, 4);
	config_fini(&c);
}

static char dir[64];

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned turn;

	snprintf(paths[++turn % 4], sizeof paths[0], "%s/%s", dir, name);
	return paths[turn % 4];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kdgate-file-XXXXXX");
	return mkdtemp(dir) ? mkdir(path_of("conf.d"), 0700) : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "main", "other", "pipe", "conf.d/10.conf", "conf.d/20.conf", "conf.d", "" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		(void)!remove(path_of(names[i]));
	return 0;
}

/* Beside the first file, wherever it is included; in a group too; lines go on where they were. */
static void test_include(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", want[CONFIG_WHY];

	(void)state;
	put("main", "# main\npolicy: {\n  @include \"conf.d/10.conf\"\n}\n/*\n@include \"nowhere\"\n*/\naudit = \"@include\"\n"
		    "target: { t: {\n@include \"other\"\n listen: {\n address = \"unix:/s\" policy = \"b\" } } }\n");
	put("conf.d/10.conf", "/* ten\n */ a: { rules = \"allow run\" }\n@include \t\"conf.d/20.conf\"");
	put("conf.d/20.conf", "\nb: { rules = \"permit run\" }");
	put("other", "");
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), -EINVAL);
	snprintf(want, sizeof want, "%s:2: a rule begins with allow or deny, not \"permit\"", path_of("conf.d/20.conf"));
	assert_string_equal(why, want);

	put("conf.d/20.conf", "\nb: { rules = \"allow run\" }");
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), -EINVAL);
	snprintf(want, sizeof want, "%s:9: t has no connect; expected connect = \"...\"", path_of("main"));
	assert_string_equal(why, want);

	put("other", "\nconnect = \"rsp+unix:/t\"");
	if (config_load(&c, path_of("main"), why, sizeof why))
		fail_msg("%s", why);
	assert_string_equal(c.policies[4].name, "a");
	assert_string_equal(c.policies[5].name, "b");
	assert_int_equal(c.targets[0].listeners[0].policy, 5);
	assert_string_equal(c.targets[0].addr.path, "/t");
	assert_string_equal(c.audit, "@include");

	put("main", "@include \"other\"\n\naudti = 5");
	put("other", "# one\n\n\naudit = \"x\"");
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "/main:3: unknown name audti"));
	assert_int_equal(c.targets_n, 1);
	config_fini(&c);
}

/* A file named without a directory is in the current one, and so is what it includes. */
static void test_include_here(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", *before = getcwd(NULL, 0);

	(void)state;
	put("main", "@include \"other\"\n");
	put("other", "audit = \"x\"\naudti = 5");
	assert_non_null(before);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(config_load(&c, "main", why, sizeof why), -EINVAL);
	assert_int_equal(chdir(before), 0);
	assert_non_null(strstr(why, "./other:2: unknown name audti"));
	free(before);
}

/* An included file's mistakes are told with that file's name, meaning included. */
static void test_include_mistakes(void **state)
{
	static const struct {
		const char *text, *why;
	} other[] = {
		{ "\n\n\ntarget: { t: { connect = \"rsp+unix:/t\"\n listen: { address = \"unix:/s\"\n policy = \"q\" } } }",
		  "other:6: there is no policy \"q\"; expected one of full, debug, observe, none" },
		{ "\ntarget: { t: { } }", "other:2: t has no connect; expected connect = \"...\"" },
		{ "\naudit\n= b", "other:3: " SYNTAX },
		{ "\naudit = \"x\"\nfoo = 5", "other:3: unknown name foo in the file; expected one of audit, secure, audit_failure, sandbox, record, trace, policy, target" },
		{ "audit = \"x\"\naudit = \"y\"", "other:2: duplicate setting name; expected each name once" },
		{ "\n/* audit", "other:2: a comment begins here and never ends; expected */" },
		{ "\n# audit", "other:2: a comment begins here and never ends; expected a new line" },
		{ "\naudit = \"x", "other:2: a text in quotes begins here and never ends; expected \"" },
		{ "@include \"nowhere\"", "other:1: cannot include %s/nowhere: No such file or directory" },
		{ "\n@include \"conf.d\"", "other:2: cannot include %s/conf.d: a directory; expected a file" },
		{ "\n@include \"\"", "other:2: cannot include %s/: a directory; expected a file" },
		{ "\n@include \"pipe\"", "other:2: cannot include %s/pipe: not a regular file; expected one" },
		{ "@include \"other\"\n", "other:1: too many files are included (does %s/other include itself?); expected at most 64" },
		{ "@include \"/dev/null\"", "other:1: the name of an included file begins with / or holds \\; expected a file in %s" },
		{ "@include \"o\\\\ther\"", "other:1: the name of an included file begins with / or holds \\; expected a file in %s" },
	};
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", what[CONFIG_WHY];

	(void)state;
	put("main", "# main\n@include \"other\"\n");
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	for (size_t i = 0; i < COUNT(other); i++) {
		const char *in = strstr(other[i].why, "%s");
		int at = in ? (int)(in - other[i].why) : (int)strlen(other[i].why);

		put("other", other[i].text);
		assert_true(config_load(&c, path_of("main"), why, sizeof why) < 0);
		snprintf(what, sizeof what, "%.*s%s%s", at, other[i].why, in ? dir : "", in ? in + 2 : "");
		assert_memory_equal(why, dir, strlen(dir));
		assert_string_equal(why + strlen(dir) + 1, what);
	}
	put("other", "audit = \"x\"");
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), 0);
	config_fini(&c);
}

static void test_many_includes(void **state)
{
	static char text[4096];
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", name[32], include[64];
	int at = 0;

	(void)state;
	put("other", "# nothing\n");
	for (int i = 0; i < 64; i++)
		at += sprintf(text + at, "@include \"other\"\n");
	put("main", text);
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), 0);
	sprintf(text + at, "@include \"other\"\n");
	put("main", text);
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "/main:65: too many files"));

	put("main", "@include \"conf.d/0\"\n");
	for (int i = 0; i < 12; i++) {
		sprintf(name, "conf.d/%d", i);
		sprintf(include, "@include \"conf.d/%d\"\n", i + 1);
		put(name, i < 11 ? include : "");
	}
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, ":1: include file nesting too deep; expected at most 10 levels"));
	for (int i = 0; i < 12; i++) {
		sprintf(name, "conf.d/%d", i);
		(void)!remove(path_of(name));
	}
	config_fini(&c);
}

static void test_files(void **state)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", want[CONFIG_WHY];

	(void)state;
	assert_int_equal(config_load(&c, path_of("nowhere"), why, sizeof why), -ENOENT);
	snprintf(want, sizeof want, "%s/nowhere: No such file or directory", dir);
	assert_string_equal(why, want);
	assert_int_equal(config_load(&c, path_of("conf.d"), why, sizeof why), -EINVAL);
	snprintf(want, sizeof want, "%s/conf.d: a directory; expected a file", dir);
	assert_string_equal(why, want);
	assert_null(c.targets);
	put("main", "");
	assert_int_equal(config_load(&c, path_of("main"), why, sizeof why), 0);
	assert_int_equal(c.policies_n, 4);
	config_fini(&c);
}

/* What is wrong is told by why alone. */
static void test_quiet(void **state)
{
	FILE *seen = tmpfile();
	int out = dup(1), err = dup(2);

	(void)state;
	fflush(NULL);
	dup2(fileno(seen), 1);
	dup2(fileno(seen), 2);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config c = { 0 };
		char why[CONFIG_WHY];

		(void)!parse(&c, bad[i].text, why);
	}
	fflush(NULL);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	assert_int_equal(lseek(fileno(seen), 0, SEEK_END), 0);
	fclose(seen);
}

/* why may be short; nothing is written beyond. */
static void test_short_why(void **state)
{
	struct config c = { 0 };
	char why[64];

	(void)state;
	for (size_t size = 1; size < sizeof why; size++) {
		memset(why, 'x', sizeof why);
		assert_int_equal(config_load_text(&c, "name", span_of(size % 3 ? size % 3 == 1 ? "a = 5" : "a = b" : "/* a"), why, size), -EINVAL);
		assert_int_equal(why[size], 'x');
		assert_true(strlen(why) < size);
	}
}

/* What is printed has every one of the lines (or, with a - before it, not that). */
static void prints(const char *conf, const char *const *lines, size_t n)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "", *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_int_equal(parse(&c, conf, why), 0);
	config_print(&c, to);
	fclose(to);
	for (size_t i = 0; i < n; i++)
		if (*lines[i] == '-' ? strstr(text, lines[i] + 1) != NULL : !strstr(text, lines[i]))
			fail_msg("expected: %s\nin: %s", lines[i], text);
	free(text);
	config_fini(&c);
}

static void test_print(void **state)
{
	static const char *const lines[] = {
		"sandbox: as much of one as this kernel has\n",
		"-secure mode", "-recording", "-keep their directories",
		"audit: to /var/log/kdgate/audit.jsonl; if that fails, kdgate stops\n",
		"\ntarget dut1\n  is at rsp+tcp:127.0.0.1:1234\n  takes at most 16 clients; when whoever controls it vanishes, it stays as it is\n  is asked again for what it has said already\n",
		"  listens at tcp:127.0.0.1:2345; it lets in:\n    user=root: policy observe\n    group=root: policy student\n    nobody else\n",
		"  listens at unix:/run/kdgate/dut1.sock, mode 0660, group root; it lets in:\n    only user root and the user kdgate runs as (",
		"\npolicy full, built in, not used\n",
		"\npolicy observe, built in\n",
		"\npolicy student\n    1  allow query reg.read run break\n    2  deny mem.read range 0xfffff78000000000-0xfffff78000000fff\n",
		"0fff\n    3  allow mem.read\n  else deny\n",
	};

	(void)state;
	prints(whole, lines, COUNT(lines));
}

static void test_print_lines(void **state)
{
	static const char *const two[] = { "\ntarget t\n  is at kgdb+unix:/x\n  has its console on a line of its own, telnet:127.0.0.1:4001\n  takes" };
	static const char *const one[] = { "-line of its own" };

	(void)state;
	prints(K "console_line = \"telnet:127.0.0.1:4001\"\n" LISTEN("stdio"), two, COUNT(two));
	prints(K LISTEN("stdio"), one, COUNT(one));
}

static void test_print_secure(void **state)
{
	static const char *const secure[] = {
		"secure mode: on, until kdgate ends; whatever a policy allows, these do not pass:\n",
		"audit: to /a; if that fails, kdgate stops\n", "sandbox: all of it, or kdgate does not start\n",
		"recording: every conversation, to /r\n", "flash config trace console  (in secure mode: no monitor)\n",
		"    1  allow monitor match 'info *'\n", "    2  allow monitor match '*'  (in secure mode: no monitor)\n",
		"    3  deny monitor\n",
	};
	static const char *const open[] = { "audit: none\n", "sandbox: none\n", "-secure mode", "  else deny\n  names of files that the target tells keep their" };

	(void)state;
	prints(SECURE "record = \"/r\" policy: { p: { rules = [ \"allow monitor match 'info *'\", \"allow monitor match '*'\", \"deny monitor\" ] } }",
	       secure, COUNT(secure));
	prints("sandbox = \"off\" policy: { p: { rules = [ ] paths = true } }", open, COUNT(open));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_example),
		cmocka_unit_test_setup_teardown(test_include, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_include_here, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_include_mistakes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_many_includes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_files, make_dir, remove_dir),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_short_why),
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_lines),
		cmocka_unit_test(test_print_secure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
