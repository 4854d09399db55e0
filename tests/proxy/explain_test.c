/* explain_test.c - what kdgate explain says: the verdict is the policy's own, the reason is the true one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/explain.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const rules[] = {
	"allow query reg.read run",
	"deny mem.read mem.write range 0xf000-0xffff",
	"allow mem.read",
	"allow mem.write range 0x1000-0x1fff",
	"allow break",
	"deny monitor match 'help secret'",
	"allow monitor match 'modules' 'help *'",
};

static const struct {
	const char *packet;
	int rc;
	const char *text;
} vectors[] = {
	{ "m1000,40", 0,
	  "m1000,40: allowed by policy p\n"
	  "  it accesses 0x1000-0x103f\n"
	  "  mem.read: allowed by rule 3, \"allow mem.read\": it is about every such access\n"
	  "    not rule 2, \"deny mem.read mem.write range 0xf000-0xffff\": the access touches none of its ranges\n" },
	{ "$m1000,40#be", 0,
	  "m1000,40: allowed by policy p\n"
	  "  it accesses 0x1000-0x103f\n"
	  "  mem.read: allowed by rule 3, \"allow mem.read\": it is about every such access\n"
	  "    not rule 2, \"deny mem.read mem.write range 0xf000-0xffff\": the access touches none of its ranges\n" },
	{ "meff0,11", 1,
	  "meff0,11: denied by policy p\n"
	  "  it accesses 0xeff0-0xf000\n"
	  "  mem.read: denied by rule 2, \"deny mem.read mem.write range 0xf000-0xffff\": the access touches a denied range\n" },
	{ "M1000,1:00", 0, NULL },
	{ "M1fff,2:0000", 1,
	  NULL },
	{ "c", 0, "c: allowed by policy p\n  run: allowed by rule 1, \"allow query reg.read run\": it is about every such access\n" },
	{ "$c#63", 0, "c: allowed by policy p\n  run: allowed by rule 1, \"allow query reg.read run\": it is about every such access\n" },
	{ "$c#64", 1, "$c#64: denied\n  its checksum is wrong, expected #63: kdgate asks for it again, and the target never sees it\n" },
	{ "$#01", 1, "$#01: denied\n  its checksum is wrong, expected #00: kdgate asks for it again, and the target never sees it\n" },
	{ "$m1000,40#BE", 0, NULL },
	{ "ctrl-c", 0, "vCtrlC: allowed by policy p\n  run: allowed by rule 1, \"allow query reg.read run\": it is about every such access\n" },
	{ "\x03", 0, "vCtrlC: allowed by policy p\n  run: allowed by rule 1, \"allow query reg.read run\": it is about every such access\n" },
	{ "C05", 1,
	  "C05: denied by policy p\n"
	  "  run: allowed by rule 1, \"allow query reg.read run\": it is about every such access\n"
	  "  signal: denied: no rule allows it, and what no rule allows is denied\n"
	  "    policy p has no rule about signal\n" },
	{ "monitor help me", 0, NULL },
	{ "monitor help secret", 1, NULL },
	{ "monitor quit", 1, NULL },
	{ "qRcmd,6d6f64756c6573", 0, NULL },
	{ "Zx,1", 1, "Zx,1: denied by policy p\n"
		     "  it is not a packet that kdgate knows\n"
		     "  opaque: denied: no rule allows it, and what no rule allows is denied\n"
		     "    policy p has no rule about opaque\n" },
	{ "mxyz", 1, "mxyz: denied\n  its arguments are malformed: it is answered with an error, and the target never sees it\n" },
	{ "", 1, NULL },
};

static void make(struct policy *p)
{
	char why[256];

	assert_int_equal(policy_init(p, "p"), 0);
	for (size_t i = 0; i < COUNT(rules); i++)
		assert_int_equal(policy_add(p, rules[i], why, sizeof why), 0);
}

static char *explain(const struct policy *p, const char *packet, int want)
{
	char copy[256], *packets[] = { copy }, *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	snprintf(copy, sizeof copy, "%s", packet);
	assert_int_equal(explain_packets(p, NULL, packets, 1, to), want);
	fclose(to);
	return text;
}

static void test_vectors(void **state)
{
	struct policy p;

	(void)state;
	make(&p);
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char *text = explain(&p, vectors[i].packet, vectors[i].rc);

		if (vectors[i].text)
			assert_string_equal(text, vectors[i].text);
		assert_int_equal(!!strstr(text, ": denied"), vectors[i].rc);
		free(text);
	}
	policy_fini(&p);
}

static void test_reasons(void **state)
{
	static const struct {
		const char *packet;
		int rc;
		const char *part;
	} reasons[] = {
		{ "M1000,1:00", 0, "allowed by rule 4, \"allow mem.write range 0x1000-0x1fff\": the access lies wholly inside an allowed range" },
		{ "M1fff,2:0000", 1, "not rule 4, \"allow mem.write range 0x1000-0x1fff\": the access does not lie wholly inside one of its ranges" },
		{ "monitor help secret", 1, "denied by rule 6, \"deny monitor match 'help secret'\": the text fits it" },
		{ "monitor help me", 0, "not rule 6, \"deny monitor match 'help secret'\": the text does not fit it" },
		{ "monitor quit", 1, "not rule 7," },
		{ "monitor help me; quit", 1, "the text does not fit it: in a permission no wildcard stands for ; or [" },
		{ "monitor quit [x]", 1, "'help secret'\": the text does not fit it\n" },
		{ "monitor kdgate status", 0, "kdgate answers it itself; the target never sees it" },
		{ "monitor kdgate x", 0, "query: allowed by rule 1" },
		{ "monitor help", 0, "kdgate answers it itself; the target's own help follows" },
		{ "Zf,f", 1, "not a packet" },
		{ "Z0,f000,1", 1, "its bytes in memory are judged too:\n  mem.write: denied by rule 2" },
		{ "Z0,1000,1", 0, "break: allowed by rule 5" },
	};
	struct policy p;

	(void)state;
	make(&p);
	for (size_t i = 0; i < COUNT(reasons); i++) {
		char *text = explain(&p, reasons[i].packet, reasons[i].rc);

		if (!strstr(text, reasons[i].part))
			fail_msg("\"%s\" is not in:\n%s", reasons[i].part, text);
		free(text);
	}
	policy_fini(&p);
}

/* The last line of defence: whatever the table has, what is said is what the policy does. */
static void test_says_what_is_done(void **state)
{
	static const char *const names[] = { "full", "debug", "observe", "none" };
	static const char *const packets[] = { "?", "g", "G00", "p1", "P1=00", "m0,1", "M0,1:00", "c", "s", "k", "D", "vCont;c", "Z0,0,1", "z1,0,1", "R00", "QFrame:1" };

	(void)state;
	for (size_t n = 0; n < COUNT(names); n++) {
		for (size_t i = 0; i < COUNT(packets); i++) {
			const struct policy *p = policy_builtin(names[n]);
			static struct rsp_cmd cmd;
			uint8_t body[64];
			bool allowed;

			memcpy(body, packets[i], strlen(packets[i]));
			allowed = !rsp_cmd_parse(body, strlen(packets[i]), &cmd) && policy_judge(p, &cmd).verdict == VERDICT_ALLOW;
			free(explain(p, packets[i], !allowed));
		}
	}
}

static void test_several(void **state)
{
	char read[] = "m0,4", write[] = "M0,1:00", *packets[] = { read, write, read }, *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(explain_packets(policy_builtin("observe"), NULL, packets, 3, to), 1);
	assert_int_equal(explain_packets(policy_builtin("observe"), NULL, packets, 1, to), 0);
	assert_int_equal(explain_packets(policy_builtin("debug"), NULL, packets, 3, to), 0);
	fclose(to);
	free(text);
}

static void test_a_command_without_quotes(void **state)
{
	char monitor[] = "monitor", help[] = "help", *packets[] = { monitor, help, monitor }, *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(explain_packets(policy_builtin("full"), NULL, packets, 3, to), 1);
	fclose(to);
	assert_non_null(strstr(text, "in quotes: \"monitor help\"\nhelp: "));
	assert_null(strstr(strstr(text, "\nhelp: "), "quotes"));
	free(text);
}

/* Policy grants all of these; secure mode does not. */
static void test_secure(void **state)
{
	static const struct latch secure = { .secure = true };
	char program[] = "vRun;2f", monitor[] = "monitor info", read[] = "m0,4", *packets[] = { program, monitor, read }, *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(explain_packets(policy_builtin("full"), NULL, packets, 3, to), 0);
	assert_int_equal(explain_packets(policy_builtin("full"), &secure, packets + 2, 1, to), 0);
	assert_int_equal(fflush(to), 0);
	assert_null(strstr(text, "denied"));
	assert_int_equal(explain_packets(policy_builtin("full"), &secure, packets, 1, to), 1);
	assert_int_equal(explain_packets(policy_builtin("full"), &secure, packets + 1, 1, to), 1);
	fclose(to);
	assert_non_null(strstr(text, ": denied by policy full\n  policy would allow it, but: "));
	free(text);
}

static void test_too_long(void **state)
{
	char *packet = malloc(EXPLAIN_PACKET + 2), *packets[] = { packet }, *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	memset(packet, 'm', EXPLAIN_PACKET + 1);
	packet[EXPLAIN_PACKET + 1] = 0;
	assert_int_equal(explain_packets(policy_builtin("full"), NULL, packets, 1, to), 1);
	fclose(to);
	assert_non_null(strstr(text, "too long to be a packet"));
	free(text);
	free(packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_reasons),  cmocka_unit_test(test_says_what_is_done),
		cmocka_unit_test(test_a_command_without_quotes),
		cmocka_unit_test(test_several), cmocka_unit_test(test_secure), cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
