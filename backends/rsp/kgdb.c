/* kgdb.c - see kgdb.h. */
#include "backends/rsp/kgdb.h"

#include "backends/link/console.h"

#include <errno.h>

bool kgdb_understands(const struct rsp_cmd *cmd)
{
	static const bool known[RSP_OPS] = {
		[RSP_OP_STATUS] = true,       [RSP_OP_REGS_READ] = true,     [RSP_OP_REGS_WRITE] = true,    [RSP_OP_REG_READ] = true,
		[RSP_OP_REG_WRITE] = true,    [RSP_OP_MEM_READ] = true,      [RSP_OP_MEM_READ_BIN] = true,  [RSP_OP_MEM_WRITE] = true,
		[RSP_OP_MEM_WRITE_BIN] = true, [RSP_OP_BREAK_SET] = true,    [RSP_OP_BREAK_CLEAR] = true,   [RSP_OP_RESUME] = true,
		[RSP_OP_THREAD_ALIVE] = true, [RSP_OP_THREAD_CURRENT] = true, [RSP_OP_THREADS_FIRST] = true, [RSP_OP_THREADS_NEXT] = true,
		[RSP_OP_THREAD_EXTRA] = true, [RSP_OP_DETACH] = true,        [RSP_OP_RESTART] = true,       [RSP_OP_MONITOR] = true,
	};

	return known[cmd->op];
}

bool kgdb_confuses(const struct stub *s, const struct rsp_cmd *cmd)
{
	const struct stub_hardware *h = s->hardware, *end = h + s->hardware_n;

	if (cmd->op != RSP_OP_BREAK_SET || !cmd->num[0])
		return false;
	while (h < end && (h->addr != cmd->addr || (h->type == cmd->num[0] && h->kind == cmd->len)))
		h++;
	return h < end;
}

#define REG(name, bits, type) "<reg name=\"" name "\" bitsize=\"" #bits "\" type=\"" type "\"/>"

/* g ends behind es. What follows is there because gdb wants the whole of the feature; it is shown as unavailable. */
static const char x86_64[] =
	"<target><architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi><feature name=\"org.gnu.gdb.i386.core\">"
	REG("rax", 64, "int64") REG("rbx", 64, "int64") REG("rcx", 64, "int64") REG("rdx", 64, "int64") REG("rsi", 64, "int64")
	REG("rdi", 64, "int64") REG("rbp", 64, "data_ptr") REG("rsp", 64, "data_ptr") REG("r8", 64, "int64") REG("r9", 64, "int64")
	REG("r10", 64, "int64") REG("r11", 64, "int64") REG("r12", 64, "int64") REG("r13", 64, "int64") REG("r14", 64, "int64")
	REG("r15", 64, "int64") REG("rip", 64, "code_ptr") REG("eflags", 32, "int32") REG("cs", 32, "int32") REG("ss", 32, "int32")
	REG("ds", 32, "int32") REG("es", 32, "int32") REG("fs", 32, "int32") REG("gs", 32, "int32")
	REG("st0", 80, "i387_ext") REG("st1", 80, "i387_ext") REG("st2", 80, "i387_ext") REG("st3", 80, "i387_ext") REG("st4", 80, "i387_ext")
	REG("st5", 80, "i387_ext") REG("st6", 80, "i387_ext") REG("st7", 80, "i387_ext") REG("fctrl", 32, "int") REG("fstat", 32, "int")
	REG("ftag", 32, "int") REG("fiseg", 32, "int") REG("fioff", 32, "int") REG("foseg", 32, "int") REG("fooff", 32, "int") REG("fop", 32, "int")
	"</feature></target>";

static const struct {
	size_t g_len;
	const char *xml;
} known[] = {
	{ 17 * 8 + 5 * 4, x86_64 },
};

int kgdb_describe(struct tdesc *t, size_t g_len)
{
	int rc;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].g_len != g_len)
			continue;
		rc = tdesc_add(t, "target.xml", span_of(known[i].xml));
		return rc ? rc : tdesc_build(t);
	}
	return -ENOENT;
}

/* words do not begin again within themselves. */
static bool says(const char *words, size_t *at, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		*at = text.p[i] == (uint8_t)words[*at] ? *at + 1 : text.p[i] == (uint8_t)*words;
		if (!words[*at]) {
			*at = 0;
			return true;
		}
	}
	return false;
}

bool kgdb_boots(size_t *at, struct span text)
{
	return says("[    0.000000] Linux version ", at, text);
}

bool kgdb_heeds_sysrq(size_t *at, struct span text)
{
	return says("sysrq", at, text);
}

const char *kgdb_unheard(int mode, bool apart)
{
	switch (mode) {
	case CONSOLE_MODE_MASKED:
		return "kdgate: the kernel does not allow sysrq g: echo 1 > /proc/sys/kernel/sysrq, or boot with sysrq_always_enabled\n";
	case CONSOLE_MODE_NO_KEY:
		return "kdgate: the kernel knows no sysrq g: it is built without CONFIG_KGDB, or kgdboc= is not on its command line\n";
	default:
		break;
	}
	if (apart)
		return "kdgate: the kernel does not answer BREAK and g. Is the console line its console, and kgdboc= this one? Are the speeds right? "
		       "Is sysrq allowed, and the kernel alive? It is still waited for\n";
	return "kdgate: the kernel does not answer BREAK and g. Is this line its console, and kgdboc= the same port? Is the speed right? "
	       "Is sysrq allowed, and the kernel alive? It is still waited for\n";
}
