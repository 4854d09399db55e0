/* tdesc_test.c - target descriptions: a real one, small ones, hostile ones; each whole and cut at every byte. */
#include "rsp/tdesc.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"

static struct tdesc t;

static int set_up(void **state)
{
	(void)state;
	return tdesc_init(&t);
}

static int tear_down(void **state)
{
	(void)state;
	tdesc_fini(&t);
	return 0;
}

static int add(const char *name, const char *doc, size_t n)
{
	return tdesc_add(&t, name, (struct span){ guard_copy(doc, n), n });
}

/* The whole of one document. */
static int one(const char *doc, size_t n)
{
	int rc;

	tdesc_clear(&t);
	rc = add("target.xml", doc, n);
	return rc ? rc : tdesc_build(&t);
}

static void reads(const char *doc, const char *want)
{
	int rc = one(doc, strlen(doc));
	char *whole = NULL;

	assert_true(asprintf(&whole, HEAD "%s</target>\n", want) > 0);
	if (rc || !span_is(buf_span(&t.xml), whole))
		fail_msg("%s\ngave %d %s\n%.*s", doc, rc, t.why, (int)t.xml.len, (const char *)buf_data(&t.xml));
	free(whole);
}

/* In a feature of a target of which nothing else is known. */
static void feature_reads(const char *in, const char *want)
{
	char *doc = NULL, *flat = NULL;

	assert_true(asprintf(&doc, "<target><feature name='f'>%s</feature></target>", in) > 0);
	assert_true(asprintf(&flat, "  <feature name=\"f\">\n%s  </feature>\n", want) > 0);
	reads(doc, flat);
	free(doc);
	free(flat);
}

static void refuses(const char *doc, int want, const char *why)
{
	int rc = one(doc, strlen(doc));

	if (rc != want || !strstr(t.why, why))
		fail_msg("%s\ngave %d %s", doc, rc, t.why);
	assert_int_equal(t.xml.len, 0);
	assert_int_equal(t.regs_n, 0);
}

static void feature_refuses(const char *in, const char *why)
{
	char *doc = NULL;

	assert_true(asprintf(&doc, "<target><feature name='f'>%s</feature></target>", in) > 0);
	refuses(doc, -EBADMSG, why);
	free(doc);
}

static char *load(const char *name, size_t *n)
{
	static char bytes[65536];
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "tests/golden/tdesc/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	*n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return bytes;
}

static void add_golden(const char *name)
{
	size_t n;
	char *bytes = load(name, &n);

	assert_int_equal(add(name, bytes, n), 0);
}

static void qemu(void **state)
{
	(void)state;
	tdesc_clear(&t);
	add_golden("target.xml");
	assert_string_equal(tdesc_missing(&t), "i386-64bit.xml");
	assert_int_equal(tdesc_build(&t), -EBADMSG);
	assert_string_equal(t.why, "target.xml, line 1: an included document is missing");
	add_golden("i386-64bit.xml");
	assert_null(tdesc_missing(&t));
	assert_int_equal(tdesc_build(&t), 0);
	assert_string_equal(t.arch, "i386:x86-64");
	assert_int_equal(t.regs_n, 66);
	assert_int_equal(t.g_bytes, 608); /* as its g packet has it */
	assert_int_equal(tdesc_pc(&t)->num, 16);
	assert_string_equal(tdesc_reg(&t, 16)->name, "rip");
	assert_int_equal(tdesc_g_offset(&t, 16), 128);
	assert_int_equal(tdesc_g_offset(&t, 18), 140);
	assert_int_equal(tdesc_reg(&t, 33)->bits, 80);
	assert_null(tdesc_reg(&t, 66));
	assert_int_equal(tdesc_g_offset(&t, 66), -1);
	assert_null(t.odd);
}

/* What was written reads back as itself. */
static void written_again(void **state)
{
	char *flat;
	size_t n;

	qemu(state);
	n = t.xml.len;
	flat = strndup((const char *)buf_data(&t.xml), n);
	assert_non_null(flat);
	assert_int_equal(one(flat, n), 0);
	assert_int_equal(t.xml.len, n);
	assert_memory_equal(buf_data(&t.xml), flat, n);
	assert_int_equal(t.g_bytes, 608);
	free(flat);
}

/* A document cut short is never one. */
static void real_one_cut(void **state)
{
	size_t n;
	char *bytes = load("i386-64bit.xml", &n);

	(void)state;
	while (bytes[n - 1] == '\n')
		n--;
	for (size_t cut = 0; cut < n; cut += 7) {
		tdesc_clear(&t);
		assert_int_equal(add("target.xml", "<target><xi:include href='a'/></target>", 39), 0);
		assert_int_equal(add("a", bytes, cut), -EBADMSG);
		assert_string_equal(tdesc_missing(&t), "a");
		assert_true(strstr(t.why, "a, line ") == t.why);
	}
}

static void small_ones(void **state)
{
	(void)state;
	reads("<target/>", "");
	reads("<target version='1.0'><!-- no --><?no no?><architecture> arm </architecture><osabi>GNU/Linux</osabi>"
	      "<compatible>a&amp;b</compatible></target>",
	      "  <architecture>arm</architecture>\n  <osabi>GNU/Linux</osabi>\n  <compatible>a&amp;b</compatible>\n");
	assert_string_equal(t.arch, "arm");
	assert_string_equal(t.osabi, "GNU/Linux");
	reads("<!DOCTYPE target SYSTEM 'http://127.0.0.1:1/gdb-target.dtd'><target/>", "");
	reads("<target><bomb><feature name='x'><reg name='r' bitsize='8'/></feature></bomb><reg name='r' bitsize='8'/></target>", "");
	feature_reads("", "");
	feature_reads("<reg name='r&quot;&apos;&lt;' bitsize='0x20' regnum='7' group='g' save-restore='no' altname='x'/><target/>",
		      "    <reg name=\"r&quot;&apos;&lt;\" bitsize=\"32\" regnum=\"7\" save-restore=\"no\" group=\"g\"/>\n");
	feature_reads("<reg name='r' bitsize='32' save-restore='&lt;'/>", "    <reg name=\"r\" bitsize=\"32\" regnum=\"0\"/>\n");
}

static void types(void **state)
{
	(void)state;
	feature_reads("<vector id='v' type='uint8' count='16'/><union id='u'><field name='a' type='v'/><field name='b' type='uint128'/></union>"
		      "<reg name='r' bitsize='128' type='u'/>",
		      "    <vector id=\"v\" type=\"uint8\" count=\"16\"/>\n    <union id=\"u\">\n      <field name=\"a\" type=\"v\"/>\n"
		      "      <field name=\"b\" type=\"uint128\"/>\n    </union>\n    <reg name=\"r\" bitsize=\"128\" regnum=\"0\" type=\"u\"/>\n");
	feature_reads("<struct id='s'><field name='a' type='uint8'/><field name='b' type='uint32'/></struct>"
		      "<reg name='r' bitsize='40' type='s'/>",
		      "    <struct id=\"s\">\n      <field name=\"a\" type=\"uint8\"/>\n      <field name=\"b\" type=\"uint32\"/>\n"
		      "    </struct>\n    <reg name=\"r\" bitsize=\"40\" regnum=\"0\" type=\"s\"/>\n");
	feature_reads("<enum id='e' size='4'><evalue name='one' value='1'/></enum>"
		      "<flags id='g' size='4'><field name='' start='0'/><field name='m' start='1' end='2' type='e'/></flags>"
		      "<struct id='s' size='8'><field name='a' start='0' end='63'/></struct>"
		      "<reg name='r' bitsize='32' type='g'/>",
		      "    <enum id=\"e\" size=\"4\">\n      <evalue name=\"one\" value=\"1\"/>\n    </enum>\n    <flags id=\"g\" size=\"4\">\n"
		      "      <field name=\"\" start=\"0\" end=\"0\"/>\n      <field name=\"m\" type=\"e\" start=\"1\" end=\"2\"/>\n    </flags>\n"
		      "    <struct id=\"s\" size=\"8\">\n      <field name=\"a\" start=\"0\" end=\"63\"/>\n    </struct>\n"
		      "    <reg name=\"r\" bitsize=\"32\" regnum=\"0\" type=\"g\"/>\n");
}

/* gdb lays out a register by its type: one that is not of the register's size must not be told. */
static void types_that_do_not_fit(void **state)
{
	static const char *const pairs[][2] = {
		{ "bitsize='64'", "bitsize=\"64\" regnum=\"0\"" },
		{ "bitsize='64' type='int'", "bitsize=\"64\" regnum=\"0\" type=\"int\"" },
		{ "bitsize='128' type='int'", "bitsize=\"128\" regnum=\"0\" type=\"uint128\"" },
		{ "bitsize='128'", "bitsize=\"128\" regnum=\"0\" type=\"uint128\"" },
		{ "bitsize='64' type='float'", "bitsize=\"64\" regnum=\"0\" type=\"ieee_double\"" },
		{ "bitsize='32' type='float'", "bitsize=\"32\" regnum=\"0\" type=\"ieee_single\"" },
		{ "bitsize='64' type='uint32'", "bitsize=\"64\" regnum=\"0\" type=\"uint64\"" },
		{ "bitsize='32' type='uint64'", "bitsize=\"32\" regnum=\"0\" type=\"uint32\"" },
		{ "bitsize='32' type='nothing'", "bitsize=\"32\" regnum=\"0\" type=\"uint32\"" },
		{ "bitsize='64' type='data_ptr'", "bitsize=\"64\" regnum=\"0\" type=\"uint64\"" }, /* of an unknown architecture */
		{ "bitsize='1' type='int8'", "bitsize=\"8\" regnum=\"0\" type=\"int8\"" },
		{ "bitsize='80' type='i387_ext'", "bitsize=\"80\" regnum=\"0\" type=\"i387_ext\"" },
	};
	char in[128], want[128];

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		snprintf(in, sizeof in, "<reg name='r' %s/>", pairs[i][0]);
		snprintf(want, sizeof want, "    <reg name=\"r\" %s/>\n", pairs[i][1]);
		feature_reads(in, want);
	}
	feature_reads("<reg name='r' bitsize='80'/><reg name='s' bitsize='76' type='uint8'/>",
		      "    <vector id=\"raw10\" type=\"uint8\" count=\"10\"/>\n"
		      "    <reg name=\"r\" bitsize=\"80\" regnum=\"0\" type=\"raw10\"/>\n    <reg name=\"s\" bitsize=\"80\" regnum=\"1\" type=\"raw10\"/>\n");
}

static void pointers(void **state)
{
	(void)state;
	reads("<target><architecture>i386:x86-64</architecture><feature name='f'><reg name='r' bitsize='64' type='code_ptr'/>"
	      "<reg name='s' bitsize='32' type='code_ptr'/></feature></target>",
	      "  <architecture>i386:x86-64</architecture>\n  <feature name=\"f\">\n    <reg name=\"r\" bitsize=\"64\" regnum=\"0\" type=\"code_ptr\"/>\n"
	      "    <reg name=\"s\" bitsize=\"32\" regnum=\"1\" type=\"uint32\"/>\n  </feature>\n");
}

/* A type of one feature is none in another. */
static void types_by_feature(void **state)
{
	(void)state;
	reads("<target><feature name='a'><vector id='v' type='uint8' count='4'/></feature><feature name='b'><reg name='r' bitsize='32' type='v'/>"
	      "</feature></target>",
	      "  <feature name=\"a\">\n    <vector id=\"v\" type=\"uint8\" count=\"4\"/>\n  </feature>\n"
	      "  <feature name=\"b\">\n    <reg name=\"r\" bitsize=\"32\" regnum=\"0\" type=\"uint32\"/>\n  </feature>\n");
}

static void numbering(void **state)
{
	const char *doc = "<target><feature name='a'><reg name='a' bitsize='8' regnum='5'/><reg name='b' bitsize='16'/></feature>"
			  "<feature name='b'><reg name='c' bitsize='32'/><reg name='pc' bitsize='64' regnum='0'/></feature></target>";

	(void)state;
	assert_int_equal(one(doc, strlen(doc)), 0);
	assert_int_equal(t.regs_n, 4);
	assert_string_equal(tdesc_reg(&t, 5)->name, "a");
	assert_string_equal(tdesc_reg(&t, 7)->name, "c");
	assert_int_equal(tdesc_pc(&t)->num, 0);
	assert_int_equal(tdesc_g_offset(&t, 0), 0);
	assert_int_equal(tdesc_g_offset(&t, 5), 8);
	assert_int_equal(tdesc_g_offset(&t, 6), 9);
	assert_int_equal(tdesc_g_offset(&t, 7), 11);
	assert_int_equal(t.g_bytes, 15);
}

/* Of whatever form their names have that gdb, QEMU and other stubs say. */
static void architectures(void **state)
{
	static const char *const good[] = {
		"i386", "i386:x86-64", "i386:x64-32:intel", "i8086", "arm", "armv8.1-m.main", "iwmmxt2", "aarch64", "aarch64:ilp32",
		"alpha:ev6", "am33-2", "ARC600", "HS", "avr:107", "avr:xmega7", "bfin", "bpf", "cris:common_v10_v32", "ez80-adl", "ft32b",
		"h8300sxn", "hppa2.0w", "ia64-elf64", "iq2000", "Loongarch64", "m68k:isa-aplus:emac", "m68k:cpu32:fido", "MicroBlaze",
		"mips", "mips:isa64r6", "mips:octeon+", "mips:loongson_3a", "moxie", "n1h_v3m", "nios2:r2", "or1k", "or1knd", "powerpc:common64",
		"powerpc:e500mc64", "riscv:rv32", "riscv:rv64", "rs6000:6000", "rx:v2", "s390:31-bit", "s390:64-bit",
		"sh2a-nofpu-or-sh4-nommu-nofpu", "sparc:v8plusb", "sparc:sparclite_le", "spu:256K", "tic6x", "v850:rh850", "xscale", "xtensa", "z80-any",
	};
	static const char *const bad[] = {
		"a b", "a/b", "a\\b", "a;b", "a&amp;b", "a&lt;b", "a'b", "a\"b", "|a", "a,b", "a(b)", "a%n", "$(a)", "`a`", "a=b", "a@b", "a#b", "a*b", "a~b",
		"a\nb", "a\tb", "a\xc3\xa9",
	};
	char doc[128];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(doc, sizeof doc, "<target><architecture>%s</architecture></target>", good[i]);
		assert_int_equal(one(doc, strlen(doc)), 0);
		assert_string_equal(t.arch, good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(doc, sizeof doc, "<target><architecture>%s</architecture></target>", bad[i]);
		refuses(doc, -EBADMSG, "an architecture");
		assert_string_equal(t.arch, "");
	}
}

static void every_byte_in_an_architecture(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char doc[] = "<target><architecture>a?b</architecture></target>";
		bool good = c < 0x80 && (strchr(":._+-", (int)c) || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));

		*strchr(doc, '?') = (char)c;
		assert_int_equal(one(doc, strlen(doc)), good ? 0 : -EBADMSG);
	}
}

static bool odd(const char *doc)
{
	assert_int_equal(one(doc, strlen(doc)), 0);
	return t.odd != NULL;
}

#define REG(name) "<reg name='" name "' bitsize='8'/>"

/* gdb takes the first of them; it is told, and the rest are what they are. */
static void registers_of_one_name(void **state)
{
	static const char twice[] = "<target><feature name='f'>" REG("a") REG("b") REG("a") "</feature></target>";

	(void)state;
	assert_true(odd(twice));
	assert_string_equal(t.odd, "two registers of one name in the description");
	assert_int_equal(t.regs_n, 3);
	assert_string_equal(tdesc_reg(&t, 2)->name, "a");
	assert_int_equal(tdesc_g_offset(&t, 2), 2);
	assert_true(odd("<target><feature name='f'>" REG("a") "</feature><feature name='g'>" REG("a") "</feature></target>"));
	assert_true(odd("<target><feature name='f'>" REG("") REG("b") REG("") "</feature></target>"));
	assert_true(odd("<target><feature name='f'><reg name='z' bitsize='8' regnum='9'/>" REG("y")
			"<reg name='z' bitsize='16' regnum='3'/></feature></target>"));
	assert_false(odd("<target><feature name='f'>" REG("a") REG("A") REG("aa") REG("a ") "</feature></target>"));
	assert_false(odd("<target><feature name='f'>" REG("a") "</feature></target>"));
	assert_false(odd("<target/>"));
	assert_true(odd(twice)); /* and it is not remembered */
	refuses("<target>", -EBADMSG, "");
	assert_null(t.odd);
	assert_true(odd(twice));
	tdesc_clear(&t);
	assert_null(t.odd);
	refuses("<target><feature name='f'>" REG("a") REG("a") "<reg name='b' bitsize='8' regnum='1'/></feature></target>", -EBADMSG, "twice, to");
	assert_null(t.odd);
}

/* As many as there may be, the first and the last of one name. */
static void many_registers(void **state)
{
	for (int same = 0; same < 2; same++) {
		char *doc = malloc(TDESC_DOC_MAX), *p = doc + sprintf(doc, "<target><feature name='f'>");

		(void)state;
		assert_non_null(doc);
		for (unsigned i = 0; i < TDESC_REGS; i++)
			p += sprintf(p, "<reg name='r%u' bitsize='8'/>", same && i == TDESC_REGS - 1 ? 0 : i);
		strcpy(p, "</feature></target>");
		assert_int_equal(odd(doc), same);
		free(doc);
	}
}

static void hostile_xml(void **state)
{
	(void)state;
	refuses("", -EBADMSG, "line 1");
	refuses("<target>", -EBADMSG, "line 1");
	refuses("<target></targ>", -EBADMSG, "mismatched");
	refuses("<feature name='f'/>", -EBADMSG, "no target");
	refuses("<target/><target/>", -EBADMSG, "junk");
	refuses("<target version='2.0'/>", -EBADMSG, "version");
	refuses("<!DOCTYPE target [ <!ENTITY a 'aaaaaaaaaa'> <!ENTITY b '&a;&a;&a;&a;'> ]><target>&b;</target>", -EBADMSG, "DTD");
	refuses("<!DOCTYPE target [ <!ENTITY a SYSTEM 'file:///etc/passwd'> ]><target>&a;</target>", -EBADMSG, "DTD");
	refuses("<!DOCTYPE target [ ]><target/>", -EBADMSG, "DTD");
	refuses("<!DOCTYPE target SYSTEM 'x' [<!ENTITY % a SYSTEM 'file:///dev/zero'> %a;]><target/>", -EBADMSG, "DTD");
	refuses("<!DOCTYPE target SYSTEM 'x'><target><architecture>&a;</architecture></target>", -EBADMSG, "entity");
	refuses("<target><architecture>&a;</architecture></target>", -EBADMSG, "entity");
	refuses("<target><architecture></architecture></target>", -EBADMSG, "architecture");
	refuses("<target><architecture>a</architecture><architecture>b</architecture></target>", -EBADMSG, "twice");
	refuses("<target><architecture>a&#27;[2J</architecture></target>", -EBADMSG, "invalid");
	refuses("<target><architecture>a\xc2\x9b</architecture></target>", -EBADMSG, "an architecture that is none");
	refuses("<target><osabi>a\xc2\x9b</osabi></target>", -EBADMSG, "not printable");
	refuses("<target><architecture>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</architecture></target>", -EBADMSG, "an architecture that is none");
	refuses("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>", -EBADMSG, "deep");
	refuses("<target><xi:include href='target.xml'/></target>", -EBADMSG, "includes itself");
	refuses("<target><xi:include/></target>", -EBADMSG, "missing");
	refuses("<target><xi:include href='a:b'/></target>", -EBADMSG, "name of an included");
	refuses("<target><xi:include href='a#b'/></target>", -EBADMSG, "name of an included");
	refuses("<target><xi:include href=''/></target>", -EBADMSG, "name of an included");
	refuses("<target><xi:include href='1234567890123456789012345678901234567890123456789012345678901234'/></target>", -EBADMSG, "name of an");
	refuses("<target><xi:include href='123456789012345678901234567890123456789012345678901234567890123'/></target>", -EBADMSG, "missing");
}

static void hostile_features(void **state)
{
	(void)state;
	refuses("<target><feature/></target>", -EBADMSG, "missing");
	refuses("<target><feature name='\n\xc3\xa9'/></target>", -EBADMSG, "not printable");
	feature_refuses("<reg bitsize='8'/>", "missing");
	feature_refuses("<reg name='r'/>", "missing");
	feature_refuses("<reg name='r' bitsize='0'/>", "size");
	feature_refuses("<reg name='r' bitsize='-8'/>", "number");
	feature_refuses("<reg name='r' bitsize='0x'/>", "number");
	feature_refuses("<reg name='r' bitsize='8 '/>", "number");
	feature_refuses("<reg name='r' bitsize='18446744073709551616'/>", "number");
	feature_refuses("<reg name='r' bitsize='18446744073709551615'/>", "size");
	feature_refuses("<reg name='r' bitsize='524289'/>", "size");
	feature_refuses("<reg name='r' bitsize='8' regnum='65536'/>", "number too large");
	feature_refuses("<reg name='r' bitsize='8' regnum='65535'/><reg name='s' bitsize='8'/>", "number too large");
	feature_refuses("<reg name='r' bitsize='8' regnum='5'/><reg name='s' bitsize='8' regnum='5'/>", "twice, to s");
	feature_refuses("<vector id='v' type='v' count='2'/>", "unknown type");
	feature_refuses("<vector id='v' type='uint8' count='0'/>", "elements");
	feature_refuses("<vector id='v' type='uint8' count='65537'/>", "elements");
	feature_refuses("<vector id='v' type='uint8' count='65536'/><vector id='w' type='v' count='65536'/>", "too large");
	feature_refuses("<vector id='raw3' type='uint8' count='4'/><vector id='raw3' type='raw3' count='65536'/>", "too large");
	feature_refuses("<vector id='v' type='uint8' count='65536'/><union id='u'><field name='a' type='v'/></union>"
			"<struct id='s'><field name='a' type='v'/><field name='b' type='u'/></struct>", "too large");
	feature_refuses("<union id='u'/>", "without size");
	feature_refuses("<union id='u'><field name='a' type='u'/></union>", "unknown");
	feature_refuses("<union id='u'><field name='a'/></union>", "unknown");
	feature_refuses("<union id='u'><field name='a' start='0' end='1'/></union>", "within");
	feature_refuses("<struct id='s'><field name='a' start='0' end='1'/></struct>", "within");
	feature_refuses("<struct id='s' size='4'><field name='a' type='uint8'/></struct>", "place");
	feature_refuses("<struct id='s' size='4'><field name='a' start='0' end='32'/></struct>", "within");
	feature_refuses("<struct id='s' size='99999999999'/>", "too large");
	feature_refuses("<struct id='s'><field name='a' end='3'/></struct>", "place");
	feature_refuses("<flags id='g' size='0'/>", "strange");
	feature_refuses("<flags id='g' size='9'/>", "strange");
	feature_refuses("<flags id='g' size='4'><field name='a' type='uint8'/></flags>", "place");
	feature_refuses("<flags id='g' size='4'><field name='a' start='3' end='2'/></flags>", "within");
	feature_refuses("<flags id='g' size='4'><field name='a' start='3' end='4' type='uint128'/></flags>", "large type");
	feature_refuses("<flags id='g' size='4'><field name='a' start='3' end='4' type='gone'/></flags>", "unknown");
	feature_refuses("<enum id='e' size='4'><evalue name='a' value='4294967296'/></enum>", "too large");
}

/* All of it at once, and too many of each. */
static char *repeated(const char *head, const char *each, size_t n, const char *tail)
{
	char *doc = malloc(strlen(head) + n * (strlen(each) + 8) + strlen(tail) + 1), *p = doc;

	assert_non_null(doc);
	p += sprintf(p, "%s", head);
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s", each);
	strcpy(p, tail);
	return doc;
}

static void too_many(const char *head, const char *each, size_t n, const char *tail, int want, const char *why)
{
	char *doc = repeated(head, each, n, tail);

	refuses(doc, want, why);
	free(doc);
}

static void ceilings(void **state)
{
	const char *head = "<target><feature name='f'>", *tail = "</feature></target>";

	(void)state;
	too_many("<target>", " ", TDESC_DOC_MAX, "</target>", -E2BIG, "too long");
	too_many(head, "<reg name='r' bitsize='8'/>", TDESC_REGS + 1, tail, -E2BIG, "too many registers");
	too_many(head, "<reg name='r' bitsize='524288'/>", 17, tail, -E2BIG, "together");
	too_many(head, "<vector id='v' type='uint8' count='1'/>", 513, tail, -E2BIG, "too many types");
}

/* What is escaped grows. */
static void output_ceiling(void **state)
{
	(void)state;
	too_many("<target><feature name='f'>", "<reg name='>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>' bitsize='8'/>", 1000,
		 "</feature></target>", -E2BIG, "the whole is too long");
}

/* target.xml includes a, which is as given. */
static int included(const char *a)
{
	tdesc_clear(&t);
	assert_int_equal(add("target.xml", "<target><xi:include href='a'/></target>", 39), 0);
	assert_int_equal(add("a", a, strlen(a)), 0);
	return tdesc_build(&t);
}

static void includes(void **state)
{
	(void)state;
	tdesc_clear(&t);
	assert_int_equal(add("target.xml", "<target><xi:include href='a.xml'/></target>", 43), 0);
	assert_int_equal(add("a.xml", "<feature name='a'><xi:include href='r.xml'/></feature>", 54), 0);
	assert_string_equal(tdesc_missing(&t), "r.xml");
	assert_int_equal(add("r.xml", "<reg name='r' bitsize='8'/>", 27), 0);
	assert_int_equal(tdesc_build(&t), 0);
	assert_int_equal(t.regs_n, 1);
	assert_int_equal(add("r.xml", "<reg name='r' bitsize='8'/>", 27), -EBADMSG);
	assert_int_equal(add("a b", "<reg name='r' bitsize='8'/>", 27), -EBADMSG);
	assert_int_equal(included("<feature name='a'/>"), 0);
}

static void hostile_includes(void **state)
{
	(void)state;
	assert_int_equal(included("<feature name='f'>\n<xi:include href='target.xml'/></feature>"), -EBADMSG);
	assert_string_equal(t.why, "a, line 2: a document that includes itself");
	assert_int_equal(included("<feature name='f'><xi:include href='a'/></feature>"), -EBADMSG);
	assert_int_equal(included("<xi:include href='a'/>"), -EBADMSG);
	tdesc_clear(&t);
	assert_int_equal(add("target.xml", "<target><xi:include href='a'/><xi:include href='a'/></target>", 61), 0);
	assert_int_equal(add("a", "<feature name='a'/>", 19), 0);
	assert_int_equal(tdesc_build(&t), -EBADMSG);
	assert_string_equal(t.why, "target.xml, line 1: a document included twice");
}

static void includes_too_deep(void **state)
{
	char doc[64], name[16];

	(void)state;
	tdesc_clear(&t);
	assert_int_equal(add("target.xml", "<target><feature name='f'><xi:include href='d1'/></feature></target>", 68), 0);
	for (int i = 1; i <= TDESC_DEPTH; i++) {
		snprintf(name, sizeof name, "d%d", i);
		snprintf(doc, sizeof doc, "<xi:include href='d%d'/>", i + 1);
		assert_int_equal(add(name, doc, strlen(doc)), 0);
	}
	assert_int_equal(add("d5", "<reg name='r' bitsize='8'/>", 27), 0);
	assert_int_equal(tdesc_build(&t), -EBADMSG);
	assert_string_equal(t.why, "d4, line 1: includes nested too deep");
}

static void too_many_documents(void **state)
{
	char doc[2048] = "<target>";

	(void)state;
	tdesc_clear(&t);
	for (int i = 0; i < TDESC_DOCS; i++)
		sprintf(doc + strlen(doc), "<xi:include href='d%d'/>", i);
	strcat(doc, "</target>");
	assert_int_equal(add("target.xml", doc, strlen(doc)), -E2BIG);
	assert_int_equal(t.docs_n, 0);
	assert_int_equal(tdesc_build(&t), -EBADMSG);
}

static void cut_everywhere(void **state)
{
	const char *doc = "<target><architecture>a</architecture><feature name='f'><flags id='g' size='4'><field name='x' start='0'/></flags>"
			  "<reg name='r' bitsize='32' type='g'/></feature></target>";

	(void)state;
	for (size_t n = 0; n < strlen(doc); n++)
		assert_int_equal(one(doc, n), -EBADMSG);
	assert_int_equal(one(doc, strlen(doc)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu),
		cmocka_unit_test(written_again),
		cmocka_unit_test(real_one_cut),
		cmocka_unit_test(small_ones),
		cmocka_unit_test(types),
		cmocka_unit_test(types_that_do_not_fit),
		cmocka_unit_test(pointers),
		cmocka_unit_test(types_by_feature),
		cmocka_unit_test(numbering),
		cmocka_unit_test(architectures),
		cmocka_unit_test(every_byte_in_an_architecture),
		cmocka_unit_test(registers_of_one_name),
		cmocka_unit_test(many_registers),
		cmocka_unit_test(hostile_xml),
		cmocka_unit_test(hostile_features),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(output_ceiling),
		cmocka_unit_test(includes),
		cmocka_unit_test(hostile_includes),
		cmocka_unit_test(includes_too_deep),
		cmocka_unit_test(too_many_documents),
		cmocka_unit_test(cut_everywhere),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
