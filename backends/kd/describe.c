/* describe.c - see describe.h. Names and types are those gdb's own features have: gdb manual, "Standard Target Features". */
#include "backends/kd/describe.h"

#include <errno.h>
#include <string.h>

static const char x86_types[] =
	"<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	"<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	"<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"VIF\" start=\"19\" end=\"19\"/>"
	"<field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";

static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n"
	"<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
	"<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
	"<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
	"<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
	"<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
	"</flags>\n";

static const char arm64_types[] =
	"<flags id=\"cpsr_flags\" size=\"4\"><field name=\"SP\" start=\"0\" end=\"0\"/><field name=\"EL\" start=\"2\" end=\"3\"/>"
	"<field name=\"nRW\" start=\"4\" end=\"4\"/><field name=\"F\" start=\"6\" end=\"6\"/><field name=\"I\" start=\"7\" end=\"7\"/>"
	"<field name=\"A\" start=\"8\" end=\"8\"/><field name=\"D\" start=\"9\" end=\"9\"/><field name=\"IL\" start=\"20\" end=\"20\"/>"
	"<field name=\"SS\" start=\"21\" end=\"21\"/><field name=\"V\" start=\"28\" end=\"28\"/><field name=\"C\" start=\"29\" end=\"29\"/>"
	"<field name=\"Z\" start=\"30\" end=\"30\"/><field name=\"N\" start=\"31\" end=\"31\"/></flags>\n";

static const char fpu_types[] =
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/><vector id=\"v2u\" type=\"uint64\" count=\"2\"/>"
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v4u\" type=\"uint32\" count=\"4\"/>"
	"<vector id=\"v8u\" type=\"uint16\" count=\"8\"/><vector id=\"v16u\" type=\"uint8\" count=\"16\"/>\n"
	"<union id=\"aarch64v\"><field name=\"d\" type=\"v2d\"/><field name=\"ud\" type=\"v2u\"/><field name=\"f\" type=\"v4f\"/>"
	"<field name=\"us\" type=\"v4u\"/><field name=\"uh\" type=\"v8u\"/><field name=\"ub\" type=\"v16u\"/>"
	"<field name=\"uq\" type=\"uint128\"/></union>\n";

/* In the order of the registers: a feature goes on to where the next begins. gdb finds its own by name, in whatever order. */
struct feature {
	const char *name, *first, *types;
};

enum { FEATURES = 5 };

static const struct machine {
	const char *architecture;
	struct feature features[FEATURES];
} machines[KD_MACHINES] = {
	[KD_I386] = { "i386",
		      { { "org.gnu.gdb.i386.core", "eax", x86_types },
			{ "org.gnu.gdb.i386.sse", "xmm0", sse_types },
			{ "org.kdgate.kd.system", "cr0", "" } } },
	[KD_AMD64] = { "i386:x86-64",
		       { { "org.gnu.gdb.i386.core", "rax", x86_types },
			 { "org.gnu.gdb.i386.sse", "xmm0", sse_types },
			 { "org.kdgate.kd.system", "k_gs_base", "" },
			 { "org.gnu.gdb.i386.segments", "gs_base", "" },
			 { "org.kdgate.kd.msr", "efer", "" } } },
	[KD_ARM64] = { "aarch64",
		       { { "org.gnu.gdb.aarch64.core", "x0", arm64_types },
			 { "org.gnu.gdb.aarch64.fpu", "v0", fpu_types },
			 { "org.kdgate.kd.system", "elr_el1", "" } } },
};

static const struct feature *feature_of(enum kd_machine machine, const char *reg)
{
	for (const struct feature *f = machines[machine].features; f < machines[machine].features + FEATURES && f->name; f++)
		if (!strcmp(f->first, reg))
			return f;
	return NULL;
}

static int put_feature(const struct feature *f, unsigned num, struct buf *out)
{
	int rc = buf_printf(out, "%s<feature name=\"%s\">\n", num ? "</feature>\n" : "", f->name);

	return rc ? rc : buf_put_text(out, f->types);
}

static int put_attr(const char *name, const char *value, struct buf *out)
{
	return value ? buf_printf(out, " %s=\"%s\"", name, value) : 0;
}

static int put_reg(const struct kd_reg *reg, unsigned num, struct buf *out)
{
	int rc = buf_printf(out, "<reg name=\"%s\" bitsize=\"%u\" regnum=\"%u\"", reg->name, reg->bits, num);

	rc = rc ? rc : put_attr("type", reg->type, out);
	rc = rc ? rc : put_attr("group", reg->group, out);
	return rc ? rc : buf_put_text(out, "/>\n");
}

static int put_regs(enum kd_machine machine, struct buf *out)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < kd_reg_count(machine); i++) {
		const struct kd_reg *reg = kd_reg(machine, i);
		const struct feature *f = feature_of(machine, reg->name);

		rc = f ? put_feature(f, i, out) : 0;
		rc = rc ? rc : put_reg(reg, i, out);
	}
	return rc;
}

/* The OS ABI is not "Windows": a gdb that was built without it (Debian's) then refuses amd64's registers. "none" has no such
 * needs, and every gdb asks for libraries with it; one that knows Windows takes it from the image, or from "set osabi". */
int kd_describe(enum kd_machine machine, struct buf *out)
{
	int rc;

	if (!kd_reg_count(machine))
		return -ENOTSUP;
	rc = buf_printf(out, "<?xml version=\"1.0\"?>\n<target version=\"1.0\">\n<architecture>%s</architecture>\n<osabi>none</osabi>\n",
			machines[machine].architecture);
	rc = rc ? rc : put_regs(machine, out);
	return rc ? rc : buf_put_text(out, "</feature>\n</target>\n");
}
