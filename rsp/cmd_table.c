/* cmd_table.c - every client packet: how it reads, what it can do, how it is answered and denied.
 *
 * A schema is read from left to right. Punctuation stands for itself; a letter is one argument:
 *
 *	a  address, 1 to 16 digits: addr            l  length, 1 to 8 digits: len
 *	r  1 to 4 digits: num                       n  1 to 8 digits: num
 *	w  1 to 16 digits: num                      f  0 or 1: num
 *	1 2 8 6  exactly 1, 2, 8, 16 digits: num    s  signal, 1 or 2 digits: actions[0].sig
 *	t  thread id: thread                        P  process id, 1 to 16 digits: thread.pid
 *	T  ";thread:ID;", or nothing: thread        h  bytes in hex: data
 *	H  the same, at least one byte              x  the same, exactly len bytes
 *	q  printable text in hex: data              b  escaped bytes to the end: data
 *	B  the same, exactly len bytes              o  text: text
 *	O  the same, not empty                      u  text: annex
 *	v  hex digits with , and ; between: text    j  JSON, escaped: text
 *	A  actions of vCont                         R  list of address,length: ranges
 *	?  all that follows may be absent; present if its first argument is
 *
 * h H q o O u reach to the punctuation that comes next in the schema, or to the end; h H before T to a ; or the end.
 * Every digit is a hex digit. num[] is filled from left to right. A name speaks too: Z and z say their type in num[0], D1 a 1
 * there; H says which; qXfer its object as text; c s C S the verb of actions[0]. No schema touches what the name has said.
 *
 * Rows are in the order of their bytes. NOTHING is never sent to a target: what clients ask unbidden is query there,
 * because an empty answer does nothing; what no client sends any more keeps its effect, so that it shows. */
#include "rsp/cmd_table.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

enum {
	QUERY = RSP_EFF_QUERY,
	RM = RSP_EFF_MEM_READ,
	WM = RSP_EFF_MEM_WRITE,
	RR = RSP_EFF_REG_READ,
	WR = RSP_EFF_REG_WRITE,
	BREAK = RSP_EFF_BREAK,
	RUN = RSP_EFF_RUN,
	SIGNAL = RSP_EFF_SIGNAL,
	PROCESS = RSP_EFF_PROCESS,
	MONITOR = RSP_EFF_MONITOR,
	FILES = RSP_EFF_FILE,
	FLASH = RSP_EFF_FLASH,
	CONFIG = RSP_EFF_CONFIG,
	TRACE = RSP_EFF_TRACE,
	OPAQUE = RSP_EFF_OPAQUE,
};

#define ROW(name, schema, op, effects, form, denial) \
	{ name, schema, RSP_OP_##op, effects, RSP_FORM_##form == RSP_FORM_STOP, RSP_FORM_##form, RSP_DENY_##denial }

static const struct rsp_spec rows[] = {
	ROW("!", "", EXTENDED, QUERY, OK, EMPTY),
	ROW("3", "", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("?", "", STATUS, QUERY, STOP, ERROR),
	ROW("A", "v", PLAIN, PROCESS, OK, ERROR),
	ROW("B", "a,O", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("C", "s?;a", RESUME, RUN | SIGNAL, STOP, RESUME),
	ROW("D", "?;P", DETACH, QUERY, OK, LOCAL),
	ROW("D1", "?;P", DETACH, QUERY, OK, LOCAL),
	ROW("E", "2", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("F", "O", NOTHING, FILES, TEXT, EMPTY),
	ROW("G", "HT", REGS_WRITE, WR, OK, ERROR),
	ROW("Hc", "t", THREAD_SELECT, QUERY, OK, ERROR),
	ROW("Hg", "t", THREAD_SELECT, QUERY, OK, ERROR),
	ROW("Hs", "t", THREAD_SELECT, QUERY, OK, ERROR),
	ROW("I", "h", NOTHING, RUN, TEXT, EMPTY),
	ROW("Jc", "n", NOTHING, CONFIG, OK, EMPTY),
	ROW("M", "a,l:x", MEM_WRITE, WM, OK, ERROR),
	ROW("MultiMemRead:ranges:", "R;", NOTHING, RM, BINARY, EMPTY),
	ROW("P", "r=HT", REG_WRITE, WR, OK, ERROR),
	ROW("QAgent:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QAllow:", "o", ALLOW, QUERY, OK, EMPTY),
	ROW("QCatchSyscalls:", "v", PLAIN, SIGNAL, OK, EMPTY),
	ROW("QConfigureDarwinLog:", "j", NOTHING, QUERY, OK, EMPTY),
	ROW("QDisableRandomization:", "f", PLAIN, PROCESS, OK, ERROR),
	ROW("QEnableCompression:", "o", NOTHING, CONFIG, OK, EMPTY),
	ROW("QEnableErrorStrings", "", ERROR_STRINGS, QUERY, OK, EMPTY),
	ROW("QEnvironment:", "O", PLAIN, PROCESS, OK, ERROR),
	ROW("QEnvironmentHexEncoded:", "H", PLAIN, PROCESS, OK, ERROR),
	ROW("QEnvironmentReset", "", PLAIN, PROCESS, OK, ERROR),
	ROW("QEnvironmentUnset:", "H", PLAIN, PROCESS, OK, ERROR),
	ROW("QLaunchArch:", "O", PLAIN, PROCESS, OK, ERROR),
	ROW("QListThreadsInStopReply", "", LIST_THREADS, QUERY, OK, EMPTY),
	ROW("QMemTags:", "a,l:n:h", PLAIN, WM, OK, ERROR),
	ROW("QNonStop:", "f", NOTHING, CONFIG, OK, EMPTY),
	ROW("QPassSignals:", "v", PLAIN, SIGNAL, OK, EMPTY),
	ROW("QProgramSignals:", "v", PLAIN, SIGNAL, OK, EMPTY),
	ROW("QRestoreRegisterState:", "nT", PLAIN, WR, OK, ERROR),
	ROW("QSaveRegisterState", "T", PLAIN, RR | WR, TEXT, EMPTY),
	ROW("QSetDetachOnError:", "f", NOTHING, CONFIG, OK, EMPTY),
	ROW("QSetDisableASLR:", "f", PLAIN, PROCESS, OK, ERROR),
	ROW("QSetEnableAsyncProfiling;", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("QSetIgnoredExceptions:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("QSetLogging:", "o", NOTHING, CONFIG, OK, EMPTY),
	ROW("QSetMaxPacketSize:", "n", NOTHING, CONFIG, OK, EMPTY),
	ROW("QSetMaxPayloadSize:", "n", NOTHING, CONFIG, OK, EMPTY),
	ROW("QSetProcessEvent:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("QSetSTDERR:", "H", PLAIN, PROCESS, OK, ERROR),
	ROW("QSetSTDIN:", "H", PLAIN, PROCESS, OK, ERROR),
	ROW("QSetSTDOUT:", "H", PLAIN, PROCESS, OK, ERROR),
	ROW("QSetWorkingDir:", "h", PLAIN, PROCESS, OK, ERROR),
	ROW("QStartNoAckMode", "", NO_ACK, QUERY, OK, EMPTY),
	ROW("QStartupWithShell:", "f", PLAIN, PROCESS, OK, ERROR),
	ROW("QSyncThreadState:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("QTBuffer:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTDP:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTDPsrc:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTDV:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTDisable:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTDisconnected:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTEnable:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTFrame:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTNotes:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("QTSave:", "H", PLAIN, TRACE | FILES, OK, EMPTY),
	ROW("QTStart", "", PLAIN, TRACE, OK, EMPTY),
	ROW("QTStop", "", PLAIN, TRACE, OK, EMPTY),
	ROW("QThreadEvents:", "f", NOTHING, CONFIG, OK, EMPTY),
	ROW("QThreadOptions;", "o", NOTHING, CONFIG, OK, EMPTY),
	ROW("QThreadSuffixSupported", "", THREAD_SUFFIX, QUERY, OK, EMPTY),
	ROW("QTinit", "", PLAIN, TRACE, OK, EMPTY),
	ROW("QTro:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("Qbtrace-conf:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("Qbtrace:", "o", PLAIN, TRACE, OK, EMPTY),
	ROW("Qqemu.PhyMemMode:", "f", PLAIN, CONFIG, OK, EMPTY),
	ROW("Qqemu.sstep:", "n", PLAIN, CONFIG, OK, EMPTY),
	ROW("Qqemu.sstep=", "n", PLAIN, CONFIG, OK, EMPTY),
	ROW("R", "n", RESTART, PROCESS, NONE, LOCAL),
	ROW("S", "s?;a", RESUME, RUN | SIGNAL, STOP, RESUME),
	ROW("T", "t", THREAD_ALIVE, QUERY, OK, ERROR),
	ROW("X", "a,l:B", MEM_WRITE_BIN, WM, OK, ERROR),
	ROW("Z0,", "a,l", BREAK_SET, BREAK, OK, ERROR),
	ROW("Z1,", "a,l", BREAK_SET, BREAK, OK, ERROR),
	ROW("Z2,", "a,l", BREAK_SET, BREAK, OK, ERROR),
	ROW("Z3,", "a,l", BREAK_SET, BREAK, OK, ERROR),
	ROW("Z4,", "a,l", BREAK_SET, BREAK, OK, ERROR),
	ROW("_M", "l,O", PLAIN, WM | PROCESS, TEXT, EMPTY),
	ROW("_m", "a", PLAIN, WM, OK, ERROR),
	ROW("b", "O", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("bc", "", REVERSE, RUN, STOP, RESUME),
	ROW("bs", "", REVERSE, RUN, STOP, RESUME),
	ROW("c", "?a", RESUME, RUN, STOP, RESUME),
	ROW("d", "", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("e", "", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("g", "T", REGS_READ, RR, REGS, ERROR),
	ROW("i", "?a?,l", NOTHING, RUN, TEXT, EMPTY),
	ROW("jGetDyldProcessState", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jGetLoadedDynamicLibrariesInfos:", "j", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jGetSharedCacheInfo:", "j", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jModulesInfo:", "j", NOTHING, FILES, TEXT, EMPTY),
	ROW("jSignalsInfo", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jThreadExtendedInfo:", "j", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jThreadsInfo", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("jc", "", NOTHING, CONFIG, TEXT, EMPTY),
	ROW("k", "", KILL, PROCESS, NONE, LOCAL),
	ROW("m", "a,l", MEM_READ, RM, HEX, ERROR),
	ROW("p", "rT", REG_READ, RR, REGS, ERROR),
	ROW("qAttached", "?:P", ATTACHED, QUERY, TEXT, EMPTY),
	ROW("qC", "", THREAD_CURRENT, QUERY, TEXT, EMPTY),
	ROW("qCRC:", "a,l", MEM_CRC, RM, TEXT, ERROR),
	ROW("qEcho:", "o", ECHO, QUERY, TEXT, EMPTY),
	ROW("qExecAndArgs", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qFileLoadAddress:", "H", PLAIN, QUERY, TEXT, EMPTY),
	ROW("qGDBServerVersion", "", PLAIN, QUERY, TEXT, EMPTY),
	ROW("qGetPid", "", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qGetProfileData;", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qGetTIBAddr:", "t", PLAIN, RM, TEXT, ERROR),
	ROW("qGetTLSAddr:", "t,w,w", PLAIN, RM, TEXT, ERROR),
	ROW("qGetWorkingDir", "", PLAIN, FILES, TEXT, EMPTY),
	ROW("qGroupName:", "n", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qHostInfo", "", HOST_INFO, QUERY, TEXT, EMPTY),
	ROW("qIsAddressTagged:", "a", PLAIN, RM, TEXT, EMPTY),
	ROW("qKillSpawnedProcess:", "n", PLAIN, PROCESS, OK, EMPTY),
	ROW("qL", "126", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qLaunchGDBServer;", "o", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qLaunchSuccess", "", PLAIN, PROCESS, TEXT, ERROR),
	ROW("qMemTags:", "a,l:n", PLAIN, RM, TEXT, ERROR),
	ROW("qMemoryRegionInfo", "?:a", PLAIN, QUERY, TEXT, EMPTY),
	ROW("qModuleInfo:", "v", PLAIN, FILES, TEXT, EMPTY),
	ROW("qOffsets", "", PLAIN, QUERY, TEXT, EMPTY),
	ROW("qP", "86", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qPathComplete:", "v", PLAIN, FILES, TEXT, EMPTY),
	ROW("qPlatform_chmod:", "v", PLAIN, FILES, TEXT, EMPTY),
	ROW("qPlatform_mkdir:", "v", PLAIN, FILES, TEXT, EMPTY),
	ROW("qPlatform_shell:", "v", PLAIN, PROCESS | FILES, TEXT, EMPTY),
	ROW("qProcessInfo", "", PROCESS_INFO, QUERY, TEXT, EMPTY),
	ROW("qProcessInfoPID:", "n", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qQueryGDBServer", "", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qRcmd,", "q", MONITOR, MONITOR, MONITOR, MONITOR),
	ROW("qRegisterInfo", "n", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qRelocInsn:", "o", NOTHING, TRACE, TEXT, EMPTY),
	ROW("qSaveCore", "", PLAIN, FILES, TEXT, EMPTY),
	ROW("qSaveCore;path-hint:", "H", PLAIN, FILES, TEXT, EMPTY),
	ROW("qSearch:memory:", "a;l;b", MEM_SEARCH, RM, TEXT, ERROR),
	ROW("qShlibInfoAddr", "", PLAIN, QUERY, TEXT, EMPTY),
	ROW("qSpeedTest:response_size:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qStepPacketSupported", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qStructuredDataPlugins", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qSupported", "?:o", SUPPORTED, QUERY, TEXT, EMPTY),
	ROW("qSupportsDetachAndStayStopped:", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qSymbol:", "a:H", SYMBOL, QUERY, TEXT, EMPTY),
	ROW("qSymbol::", "h", SYMBOL, QUERY, TEXT, EMPTY),
	ROW("qSyncThreadStateSupported", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qTBuffer:", "o", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTMinFTPILen", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTP:", "o", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTSTMat:", "o", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTStatus", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qTV:", "o", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTfP", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTfSTM", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTfV", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qThreadExtraInfo,", "t", THREAD_EXTRA, QUERY, HEX, EMPTY),
	ROW("qThreadStopInfo", "t", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qTsP", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTsSTM", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qTsV", "", PLAIN, TRACE, TEXT, EMPTY),
	ROW("qUserName:", "n", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qVAttachOrWaitSupported", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWasmCallStack:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWasmGlobal:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWasmLocal:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWasmMem:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWasmStackValue:", "o", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qWatchpointSupportInfo:", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("qXfer:auxv:read:", "u:w,l", XFER_READ, RM, CHUNK, EMPTY),
	ROW("qXfer:btrace-conf:read:", "u:w,l", XFER_READ, TRACE, CHUNK, EMPTY),
	ROW("qXfer:btrace:read:", "u:w,l", XFER_READ, TRACE, CHUNK, EMPTY),
	ROW("qXfer:exec-file:read:", "u:w,l", XFER_READ, PROCESS, CHUNK, EMPTY),
	ROW("qXfer:fdpic:read:", "u:w,l", XFER_READ, RM, CHUNK, EMPTY),
	ROW("qXfer:features:read:", "u:w,l", XFER_READ, QUERY, CHUNK, EMPTY),
	ROW("qXfer:libraries-svr4:read:", "u:w,l", XFER_READ, QUERY, CHUNK, EMPTY),
	ROW("qXfer:libraries:read:", "u:w,l", XFER_READ, QUERY, CHUNK, EMPTY),
	ROW("qXfer:memory-map:read:", "u:w,l", XFER_READ, QUERY, CHUNK, EMPTY),
	ROW("qXfer:osdata:read:", "u:w,l", XFER_READ, PROCESS, CHUNK, EMPTY),
	ROW("qXfer:siginfo:read:", "u:w,l", XFER_READ, RM, CHUNK, EMPTY),
	ROW("qXfer:siginfo:write:", "u:w:b", XFER_WRITE, WR, TEXT, EMPTY),
	ROW("qXfer:statictrace:read:", "u:w,l", XFER_READ, TRACE, CHUNK, EMPTY),
	ROW("qXfer:threads:read:", "u:w,l", XFER_READ, QUERY, CHUNK, EMPTY),
	ROW("qXfer:traceframe-info:read:", "u:w,l", XFER_READ, TRACE, CHUNK, EMPTY),
	ROW("qXfer:uib:read:", "u:w,l", XFER_READ, RM, CHUNK, EMPTY),
	ROW("qfProcessInfo", "?:O", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qfThreadInfo", "", THREADS_FIRST, QUERY, THREADS, EMPTY),
	ROW("qqemu.PhyMemMode", "", PLAIN, CONFIG, TEXT, EMPTY),
	ROW("qqemu.Supported", "", PLAIN, CONFIG, TEXT, EMPTY),
	ROW("qqemu.sstep", "", PLAIN, CONFIG, TEXT, EMPTY),
	ROW("qqemu.sstep=", "n", PLAIN, CONFIG, OK, EMPTY),
	ROW("qqemu.sstepbits", "", PLAIN, CONFIG, TEXT, EMPTY),
	ROW("qsProcessInfo", "", PLAIN, PROCESS, TEXT, EMPTY),
	ROW("qsThreadInfo", "", THREADS_NEXT, QUERY, THREADS, EMPTY),
	ROW("r", "", NOTHING, PROCESS, TEXT, EMPTY),
	ROW("s", "?a", RESUME, RUN, STOP, RESUME),
	ROW("t", "a:n,n", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("vAttach;", "P", PLAIN, PROCESS, STOP, ERROR),
	ROW("vAttachName;", "H", PLAIN, PROCESS, STOP, ERROR),
	ROW("vAttachOrWait;", "H", PLAIN, PROCESS, STOP, ERROR),
	ROW("vAttachWait;", "H", PLAIN, PROCESS, STOP, ERROR),
	ROW("vCont", ";A", RESUME, RUN, STOP, RESUME),
	ROW("vCont?", "", VCONT_QUERY, QUERY, TEXT, EMPTY),
	ROW("vCtrlC", "", CTRL_C, RUN, OK, ERROR),
	ROW("vFile:MD5:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:close:", "n", FILE, FILES, FILE, FILE),
	ROW("vFile:exists:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:fstat:", "n", FILE, FILES, FILE, FILE),
	ROW("vFile:lstat:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:mode:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:open:", "H,n,n", FILE, FILES, FILE, FILE),
	ROW("vFile:pread:", "n,l,w", FILE, FILES, FILE, FILE),
	ROW("vFile:pwrite:", "n,w,b", FILE, FILES, FILE, FILE),
	ROW("vFile:readlink:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:setfs:", "n", FILE, FILES, FILE, FILE),
	ROW("vFile:size:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:stat:", "H", FILE, FILES, FILE, FILE),
	ROW("vFile:symlink:", "H,v", FILE, FILES, FILE, FILE),
	ROW("vFile:unlink:", "H", FILE, FILES, FILE, FILE),
	ROW("vFlashDone", "", PLAIN, FLASH, OK, ERROR),
	ROW("vFlashErase:", "a,l", PLAIN, FLASH, OK, ERROR),
	ROW("vFlashWrite:", "a:b", PLAIN, FLASH, OK, ERROR),
	ROW("vKill;", "P", VKILL, PROCESS, OK, LOCAL),
	ROW("vMustReplyEmpty", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("vRun;", "v", PLAIN, PROCESS, STOP, ERROR),
	ROW("vStdio", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("vStopped", "", NOTHING, QUERY, TEXT, EMPTY),
	ROW("x", "a,l", MEM_READ_BIN, RM, BINARY, ERROR),
	ROW("y", "", NOTHING, OPAQUE, TEXT, EMPTY),
	ROW("z0,", "a,l", BREAK_CLEAR, BREAK, OK, ERROR),
	ROW("z1,", "a,l", BREAK_CLEAR, BREAK, OK, ERROR),
	ROW("z2,", "a,l", BREAK_CLEAR, BREAK, OK, ERROR),
	ROW("z3,", "a,l", BREAK_CLEAR, BREAK, OK, ERROR),
	ROW("z4,", "a,l", BREAK_CLEAR, BREAK, OK, ERROR),
};
enum { ROWS = sizeof rows / sizeof *rows };

static const char *const effect_names[RSP_EFFECTS] = {
	"query",  "mem.read", "mem.write", "reg.read", "reg.write", "break", "run",     "signal",
	"process", "monitor", "file",      "flash",    "config",    "trace", "console", "opaque",
};

const char *rsp_effect_name(enum rsp_effect one)
{
	for (unsigned i = 0; i < RSP_EFFECTS; i++)
		if ((unsigned)one == 1u << i)
			return effect_names[i];
	return NULL;
}

unsigned rsp_effect_of(struct span name)
{
	for (unsigned i = 0; i < RSP_EFFECTS; i++)
		if (span_is(name, effect_names[i]))
			return 1u << i;
	return 0;
}

const struct rsp_spec *rsp_spec_at(size_t i)
{
	return i < ROWS ? &rows[i] : NULL;
}

/* How many bytes at the start are the same. */
static size_t common(const char *name, struct span body)
{
	size_t n = 0;

	while (n < body.len && name[n] && (uint8_t)name[n] == body.p[n])
		n++;
	return n;
}

static bool name_is_after(const char *name, struct span body)
{
	size_t n = common(name, body);

	return name[n] && (n == body.len || (uint8_t)name[n] > body.p[n]);
}

/* How many rows have names that are not after body. */
static size_t rows_up_to(struct span body)
{
	size_t lo = 0, hi = ROWS;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (name_is_after(rows[mid].name, body))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* A shorter name that body begins with is also the beginning of every name between it and body: so what the last
 * row before body has in common with it is all that needs to be looked up next. */
const struct rsp_spec *rsp_spec_find(struct span body)
{
	while (body.len) {
		size_t i = rows_up_to(body), n;

		if (!i)
			return NULL;
		n = common(rows[i - 1].name, body);
		if (!rows[i - 1].name[n])
			return &rows[i - 1];
		body.len = n;
	}
	return NULL;
}

/* "features" of "qXfer:features:read:". */
static struct span xfer_object(const char *name)
{
	const char *start = strchr(name, ':') + 1;

	return (struct span){ (const uint8_t *)start, strcspn(start, ":") };
}

static void preset_type(struct rsp_cmd *cmd)
{
	cmd->num[0] = (uint64_t)(cmd->spec->name[1] - '0');
}

static void preset_which(struct rsp_cmd *cmd)
{
	cmd->which = cmd->spec->name[1];
}

static void preset_object(struct rsp_cmd *cmd)
{
	cmd->text = xfer_object(cmd->spec->name);
}

static void preset_stay(struct rsp_cmd *cmd)
{
	cmd->num[0] = cmd->spec->name[1] == '1';
}

static void preset_verb(struct rsp_cmd *cmd)
{
	if (cmd->spec->name[1])
		return; /* vCont */
	cmd->actions[0] = (struct rsp_action){ .verb = cmd->spec->name[0] };
	cmd->actions_n = 1;
}

static void (*const presets[RSP_OPS])(struct rsp_cmd *) = {
	[RSP_OP_BREAK_SET] = preset_type,      [RSP_OP_BREAK_CLEAR] = preset_type, [RSP_OP_THREAD_SELECT] = preset_which,
	[RSP_OP_XFER_READ] = preset_object,    [RSP_OP_XFER_WRITE] = preset_object, [RSP_OP_DETACH] = preset_stay,
	[RSP_OP_RESUME] = preset_verb,
};

void rsp_cmd_start(struct rsp_cmd *cmd, const struct rsp_spec *spec)
{
	memset(cmd, 0, offsetof(struct rsp_cmd, actions));
	cmd->spec = spec;
	cmd->op = spec ? spec->op : RSP_OP_UNKNOWN;
	cmd->effects = spec ? spec->effects : RSP_EFF_OPAQUE;
	if (presets[cmd->op])
		presets[cmd->op](cmd);
}

/* With or without the separator that its schema begins with: "vCont" or "vCont;". */
static bool is_named(const struct rsp_spec *spec, const char *name)
{
	const char *rest = name + strlen(spec->name), *schema = spec->schema + (*spec->schema == '?');

	return !*rest || (rest[0] == schema[0] && rsp_schema_literal(rest[0]) && !rest[1]);
}

void rsp_cmd_make(struct rsp_cmd *cmd, const char *name)
{
	const struct rsp_spec *spec = rsp_spec_find(span_of(name));

	assert(spec && is_named(spec, name));
	rsp_cmd_start(cmd, spec);
}

unsigned rsp_schema_digits(char letter)
{
	static const uint8_t most[128] = {
		['a'] = 16, ['l'] = 8, ['r'] = 4, ['n'] = 8, ['w'] = 16, ['f'] = 1, ['s'] = 2, ['P'] = 16,
		['1'] = 1,  ['2'] = 2, ['8'] = 8, ['6'] = 16,
	};

	return most[letter & 127];
}

bool rsp_schema_fixed(char letter)
{
	return letter == 's' || (letter >= '0' && letter <= '9');
}

bool rsp_schema_literal(char c)
{
	return c == ',' || c == ';' || c == ':' || c == '=';
}

bool rsp_schema_printable(struct span s)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < s.len; i++)
		bad |= s.p[i] < 0x20 || s.p[i] > 0x7e;
	return !bad;
}

bool rsp_schema_text(struct span s)
{
	uint8_t bad = 0;

	for (size_t i = 0; i < s.len; i++)
		bad |= s.p[i] == '$' || s.p[i] == '#' || s.p[i] == '}' || s.p[i] == '*';
	return !bad && rsp_schema_printable(s);
}

bool rsp_range_fits(uint64_t addr, uint64_t len)
{
	return addr <= UINT64_MAX - len;
}
