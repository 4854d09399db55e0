/* latch_test.c - secure mode, row by row of the command table: what it refuses, whatever a policy says. */
#include "filters/latch.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct latch secure = { true }, open_ = { false };
static struct policy p;

/* Every row stands in one of these lists: what a new one may do to a host is to be decided here. */
static const char *const passes[] = {
	"!", "?", "C", "D", "D1", "G", "Hc", "Hg", "Hs", "I", "Jc", "M", "MultiMemRead:ranges:", "P", "QAllow:", "QCatchSyscalls:",
	"QConfigureDarwinLog:", "QEnableCompression:", "QEnableErrorStrings", "QListThreadsInStopReply", "QMemTags:", "QNonStop:",
	"QPassSignals:", "QProgramSignals:", "QRestoreRegisterState:", "QSaveRegisterState", "QSetDetachOnError:", "QSetEnableAsyncProfiling;",
	"QSetIgnoredExceptions:", "QSetLogging:", "QSetMaxPacketSize:", "QSetMaxPayloadSize:", "QSetProcessEvent:", "QStartNoAckMode",
	"QSyncThreadState:", "QThreadEvents:", "QThreadOptions;", "QThreadSuffixSupported", "Qqemu.PhyMemMode:", "Qqemu.sstep:", "Qqemu.sstep=",
	"R", "S", "T", "X", "Z0,", "Z1,", "Z2,", "Z3,", "Z4,", "_m", "bc", "bs", "c", "g", "i", "jGetDyldProcessState",
	"jGetLoadedDynamicLibrariesInfos:", "jGetSharedCacheInfo:", "jSignalsInfo", "jThreadExtendedInfo:", "jThreadsInfo", "jc", "k", "m", "p",
	"qAttached", "qC", "qCRC:", "qEcho:", "qExecAndArgs", "qFileLoadAddress:", "qGDBServerVersion", "qGetProfileData;", "qGetTIBAddr:",
	"qGetTLSAddr:", "qHostInfo", "qIsAddressTagged:", "qL", "qMemTags:", "qMemoryRegionInfo", "qOffsets", "qP", "qProcessInfo",
	"qRegisterInfo", "qSearch:memory:", "qShlibInfoAddr", "qSpeedTest:response_size:", "qStepPacketSupported", "qStructuredDataPlugins",
	"qSupported", "qSupportsDetachAndStayStopped:", "qSymbol:", "qSymbol::", "qSyncThreadStateSupported", "qTStatus", "qThreadExtraInfo,",
	"qThreadStopInfo", "qVAttachOrWaitSupported", "qWasmCallStack:", "qWasmGlobal:", "qWasmLocal:", "qWasmMem:", "qWasmStackValue:",
	"qWatchpointSupportInfo:", "qXfer:auxv:read:", "qXfer:fdpic:read:", "qXfer:features:read:", "qXfer:libraries-svr4:read:",
	"qXfer:libraries:read:", "qXfer:memory-map:read:", "qXfer:siginfo:read:", "qXfer:siginfo:write:", "qXfer:threads:read:",
	"qXfer:uib:read:", "qfThreadInfo", "qqemu.PhyMemMode", "qqemu.Supported", "qqemu.sstep", "qqemu.sstep=", "qqemu.sstepbits",
	"qsThreadInfo", "s", "vCont", "vCont?", "vCtrlC", "vFlashDone", "vFlashErase:", "vFlashWrite:", "vKill;", "vMustReplyEmpty", "vStdio",
	"vStopped", "x", "z0,", "z1,", "z2,", "z3,", "z4,",
};

static const char *const files[] = {
	"F", "QTSave:", "jModulesInfo:", "qGetWorkingDir", "qModuleInfo:", "qPathComplete:", "qPlatform_chmod:", "qPlatform_mkdir:",
	"qPlatform_shell:", "qSaveCore", "qSaveCore;path-hint:", "vFile:MD5:", "vFile:close:", "vFile:exists:", "vFile:fstat:", "vFile:lstat:",
	"vFile:mode:", "vFile:open:", "vFile:pread:", "vFile:pwrite:", "vFile:readlink:", "vFile:setfs:", "vFile:size:", "vFile:stat:",
	"vFile:symlink:", "vFile:unlink:",
};

static const char *const programs[] = {
	"A", "QDisableRandomization:", "QEnvironment:", "QEnvironmentHexEncoded:", "QEnvironmentReset", "QEnvironmentUnset:", "QLaunchArch:",
	"QSetDisableASLR:", "QSetSTDERR:", "QSetSTDIN:", "QSetSTDOUT:", "QSetWorkingDir:", "QStartupWithShell:", "_M", "qGetPid", "qGroupName:",
	"qKillSpawnedProcess:", "qLaunchGDBServer;", "qLaunchSuccess", "qProcessInfoPID:", "qQueryGDBServer", "qUserName:",
	"qXfer:exec-file:read:", "qXfer:osdata:read:", "qfProcessInfo", "qsProcessInfo", "r", "vAttach;", "vAttachName;", "vAttachOrWait;",
	"vAttachWait;", "vRun;",
};

static const char *const traces[] = {
	"QAgent:", "QTBuffer:", "QTDP:", "QTDPsrc:", "QTDV:", "QTDisable:", "QTDisconnected:", "QTEnable:", "QTFrame:", "QTNotes:", "QTStart",
	"QTStop", "QTinit", "QTro:", "Qbtrace-conf:", "Qbtrace:", "qRelocInsn:", "qTBuffer:", "qTMinFTPILen", "qTP:", "qTSTMat:", "qTV:", "qTfP",
	"qTfSTM", "qTfV", "qTsP", "qTsSTM", "qTsV", "qXfer:btrace-conf:read:", "qXfer:btrace:read:", "qXfer:statictrace:read:",
	"qXfer:traceframe-info:read:",
};

static const char *const unknown[] = {
	"3", "B", "E", "b", "d", "e", "t", "y",
};

static const char *const monitor[] = {
	"qRcmd,",
};

static const struct {
	const char *const *names;
	size_t n;
	const char *why; /* NULL: it passes */
} lists[] = {
	{ passes, COUNT(passes), NULL },
	{ files, COUNT(files), "kdgate: secure mode: no files" },
	{ programs, COUNT(programs), "kdgate: secure mode: no programs and no processes of the stub's host" },
	{ traces, COUNT(traces), "kdgate: secure mode: no tracepoints" },
	{ unknown, COUNT(unknown), "kdgate: secure mode: what is not known does not pass" },
	{ monitor, COUNT(monitor), "kdgate: secure mode: no rule names this monitor command" },
};

static void own(const char *rule)
{
	char why[512];

	policy_fini(&p);
	assert_int_equal(policy_init(&p, "test"), 0);
	if (policy_add(&p, rule, why, sizeof why))
		fail_msg("%s: %s", rule, why);
}

static void same(const char *what, const char *got, const char *want)
{
	if ((!got || !want) ? got != want : strcmp(got, want) != 0)
		fail_msg("%s: %s; expected %s", what, got ? got : "it passes", want ? want : "to pass");
}

static const char *refusal(const struct latch *l, const struct rsp_cmd *cmd)
{
	struct judgement j = policy_judge(&p, cmd);

	assert_int_equal(j.verdict, VERDICT_ALLOW);
	return latch_refuses(l, &p, cmd, j);
}

static size_t list_of(const char *name)
{
	size_t found = COUNT(lists);

	for (size_t i = 0; i < COUNT(lists); i++)
		for (size_t k = 0; k < lists[i].n; k++) {
			if (strcmp(lists[i].names[k], name) != 0)
				continue;
			if (found != COUNT(lists))
				fail_msg("%s is in two lists", name);
			found = i;
		}
	if (found == COUNT(lists))
		fail_msg("%s is in no list", name);
	return found;
}

static void every_row(void **state)
{
	size_t rows = 0, names = 0;

	(void)state;
	own("allow all");
	for (const struct rsp_spec *spec; (spec = rsp_spec_at(rows)); rows++) {
		struct rsp_cmd cmd = { .spec = spec, .op = spec->op, .effects = spec->effects };

		same(spec->name, refusal(&secure, &cmd), lists[list_of(spec->name)].why);
		same(spec->name, refusal(&open_, &cmd), NULL);
		same(spec->name, refusal(NULL, &cmd), NULL);
	}
	for (size_t i = 0; i < COUNT(lists); i++)
		names += lists[i].n;
	assert_int_equal(names, rows); /* nor is a name here that no row has */
}

/* As a client sends them; the effect that an argument adds, or the form of a name, opens no way round. */
static const struct {
	const char *packet;
	bool passes;
} packets[] = {
	{ "m1000,4", true },     { "X1000,1:a", true },     { "G00", true },           { "vCont;c", true },       { "c1000", true },
	{ "Z0,1000,1", true },   { "k", true },             { "vKill;1", true },       { "R0", true },            { "D", true },
	{ "?", true },           { "qSupported", true },    { "vFlashDone", true },    { "QPassSignals:e", true },
	{ "qXfer:features:read:target.xml:0,fff", true },   { "qXfer:siginfo:write::0:a", true },
	{ "vFile:open:2f65,0,0", false }, { "vFile:setfs:0", false }, { "vFile:close:1", false }, { "vFile:exists:2f", false },
	{ "vRun;2f62696e", false },       { "vRun;", false },         { "vAttach;1", false },     { "vAttachName;61", false },
	{ "QEnvironmentReset", false },   { "QSetWorkingDir:2f", false }, { "QStartupWithShell:1", false }, { "A2,0,61", false },
	{ "qXfer:exec-file:read::0,fff", false }, { "qXfer:osdata:read:processes:0,fff", false }, { "qPlatform_shell:6c73,1", false },
	{ "QTSave:2f", false },           { "qSaveCore", false },     { "QTDP:1:1:E:0:0", false }, { "F0", false },
	{ "vSecret;1", false },           { "qXfer:spu:read:x:0,1", false }, { "vFile:chown:2f", false }, { "qRcmd,68", false },
	{ "j", false },                   { "", false },
};

static void every_kind_of_packet(void **state)
{
	(void)state;
	own("allow all");
	for (size_t i = 0; i < COUNT(packets); i++) {
		uint8_t body[64];
		struct rsp_cmd cmd;
		size_t n = strlen(packets[i].packet);

		memcpy(body, packets[i].packet, n);
		if (rsp_cmd_parse(body, n, &cmd) < 0)
			fail_msg("%s does not parse", packets[i].packet);
		if (!refusal(&secure, &cmd) != packets[i].passes)
			fail_msg("%s: %s", packets[i].packet, packets[i].passes ? "refused" : "it passes");
	}
}

/* Each effect alone, and with others: one that is refused is not hidden by those that pass. */
static void every_effect(void **state)
{
	const unsigned refused = RSP_EFF_PROCESS | RSP_EFF_MONITOR | RSP_EFF_FILE | RSP_EFF_TRACE | RSP_EFF_OPAQUE;

	(void)state;
	own("allow all");
	for (unsigned effects = 1; effects <= RSP_EFF_ALL; effects++) {
		struct rsp_cmd cmd = { .op = RSP_OP_PLAIN, .effects = effects };

		if (!refusal(&secure, &cmd) != !(effects & refused))
			fail_msg("effects %#x", effects);
	}
	same("no effect", latch_refuses(&secure, &p, &(struct rsp_cmd){ .op = RSP_OP_PLAIN }, (struct judgement){ .verdict = VERDICT_ALLOW }),
	     lists[4].why);
}

/* An end of the target that can do more than that is more than that. */
static void the_end_is_only_an_end(void **state)
{
	struct rsp_cmd kill = { .op = RSP_OP_KILL, .effects = RSP_EFF_PROCESS };

	(void)state;
	own("allow all");
	same("k", refusal(&secure, &kill), NULL);
	kill.effects |= RSP_EFF_FILE;
	same("k with a file", refusal(&secure, &kill), lists[1].why);
}

static const struct {
	const char *rule, *text;
	bool passes;
} monitors[] = {
	{ "allow all", "help", false },
	{ "allow monitor", "help", false },
	{ "allow monitor match 'help'", "help", true },
	{ "allow monitor match 'help *' 'help'", "help", true },
	{ "allow monitor match 'info *'", "info registers", true },
	{ "allow monitor match 'info*'", "info", true },
	{ "allow monitor match '\\*x'", "*x", true },
	{ "allow monitor match '*'", "help", false },
	{ "allow monitor match '**'", "help", false },
	{ "allow monitor match '*p'", "help", false },
	{ "allow monitor match '?e?p'", "help", false },
	{ "allow monitor match '?*'", "help", false },
	{ "allow monitor match '[a-z]*'", "help", false },
	{ "allow monitor match ' *'", " help", false },
	{ "allow monitor match 'help' '*'", "help", false }, /* the rule does not say which of the two it meant */
	{ "allow monitor match '*' 'help'", "help", false },
};

static void monitor_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(monitors); i++) {
		struct rsp_cmd cmd = { .op = RSP_OP_MONITOR, .effects = RSP_EFF_MONITOR, .data = span_of(monitors[i].text) };

		own(monitors[i].rule);
		same(monitors[i].rule, refusal(&secure, &cmd), monitors[i].passes ? NULL : lists[5].why);
		same(monitors[i].rule, refusal(&open_, &cmd), NULL);
		cmd.op = RSP_OP_OWN; /* kdgate answers it itself */
		same("own", latch_refuses(&secure, &p, &cmd, (struct judgement){ .verdict = VERDICT_ALLOW }), NULL);
	}
}

/* A judgement that is not about the command's own rule names nothing. */
static void judgements_that_do_not_fit(void **state)
{
	static const struct judgement js[] = {
		{ VERDICT_ALLOW, RSP_EFF_MONITOR, 0 }, { VERDICT_ALLOW, RSP_EFF_MONITOR, 2 }, { VERDICT_ALLOW, RSP_EFF_MONITOR, -1 },
		{ VERDICT_ALLOW, RSP_EFF_QUERY, 1 },
	};
	struct rsp_cmd cmd = { .op = RSP_OP_MONITOR, .effects = RSP_EFF_MONITOR, .data = span_of("help") };

	(void)state;
	own("allow monitor match 'help'");
	for (size_t i = 0; i < COUNT(js); i++)
		same("judgement", latch_refuses(&secure, &p, &cmd, js[i]), lists[5].why);
	same("the right one", latch_refuses(&secure, &p, &cmd, (struct judgement){ VERDICT_ALLOW, RSP_EFF_MONITOR, 1 }), NULL);
}

static void paths(void **state)
{
	(void)state;
	own("allow all");
	assert_false(latch_paths(NULL, &p));
	assert_false(latch_paths(&open_, &p));
	p.paths = true;
	assert_true(latch_paths(NULL, &p));
	assert_true(latch_paths(&open_, &p));
	assert_false(latch_paths(&secure, &p));
}

static int tear_down(void **state)
{
	(void)state;
	policy_fini(&p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row), cmocka_unit_test(every_kind_of_packet), cmocka_unit_test(every_effect),
		cmocka_unit_test(the_end_is_only_an_end), cmocka_unit_test(monitor_by_name), cmocka_unit_test(judgements_that_do_not_fit),
		cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
