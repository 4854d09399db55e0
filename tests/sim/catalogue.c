/* catalogue.c - see catalogue.h. */
#include "tests/sim/catalogue.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *const catalogue[] = {
	/* handshake and settings */
	"qSupported", "qSupported:@f", "QStartNoAckMode", "!", "?", "vMustReplyEmpty", "vCont?",
	"QAllow:WriteReg:@d;WriteMem:@d;InsertBreak:@d;InsertTrace:@d;InsertFastTrace:@d;Stop:@d", "QNonStop:0", "QNonStop:1", "qExecAndArgs",
	"QThreadEvents:1", "QThreadOptions;@d:@t", "qEcho:@w", "QThreadSuffixSupported", "QListThreadsInStopReply", "QEnableErrorStrings",
	"qVAttachOrWaitSupported", "qStructuredDataPlugins", "qSupportsDetachAndStayStopped:", "qSyncThreadStateSupported", "qStepPacketSupported",
	"QSetDetachOnError:0", "QSetMaxPacketSize:@n", "QSetMaxPayloadSize:@n", "QSetLogging:bitmask=@w;", "QEnableCompression:type:@w;",
	"qSpeedTest:response_size:@n;data:@w", "QSetEnableAsyncProfiling;enable:1;interval_usec:@d;scan_type:@d;", "qGetProfileData;scan_type:@d",
	"QConfigureDarwinLog:@w", "QSetProcessEvent:@w", "QSetIgnoredExceptions:@w", "QSyncThreadState:@t;",
	/* registers */
	"g", "g;thread:@t;", "G@h", "G@h;thread:@t;", "p@d", "p@d;thread:@t;", "P@d=@h", "P@d=@h;thread:@t;", "QSaveRegisterState",
	"QSaveRegisterState;thread:@t;", "QRestoreRegisterState:@d", "QRestoreRegisterState:@d;thread:@t;", "qRegisterInfo@d", "qWasmCallStack:@t",
	"qWasmLocal:@d;@d", "qWasmMem:@d;@a;@n",
	/* memory */
	"m@a,@n", "x@a,@n", "MultiMemRead:ranges:@a,@n,@a,@n;", "M@a,@l:@h", "X@a,@l:@b", "X@a,0:", "qCRC:@a,@n", "qSearch:memory:@a;@n;@b",
	"qMemTags:@a,@n:@d", "QMemTags:@a,@n:@d:@h", "qIsAddressTagged:@a", "qGetTLSAddr:@t,@a,@a", "qGetTIBAddr:@t", "qMemoryRegionInfo",
	"qMemoryRegionInfo:@a", "qShlibInfoAddr", "qFileLoadAddress:@x", "_M@n,rwx", "_m@a", "jc", "Jc@d",
	/* breakpoints */
	"Z0,@a,1", "z0,@a,1", "Z1,@a,1", "z1,@a,1", "Z2,@a,@d", "z2,@a,@d", "Z3,@a,@d", "z3,@a,@d", "Z4,@a,@d", "z4,@a,@d", "Z0,@a,1;X@d,@h",
	"Z0,@a,1;cmds:1,X@d,@h",
	/* running */
	"vCont;@v", "vCont;c", "vCont;s:@t;c", "vCont;C@s:@t", "vCont;t", "vCont;r@a,@a:@t", "c", "c@a", "s", "s@a", "C@s", "C@s;@a", "S@s", "S@s;@a",
	"vCtrlC", "bc", "bs", "i", "i@a,@n", "I@x", "vStopped", "vStdio",
	/* threads */
	"Hg@t", "Hc@t", "Hs@t", "T@t", "qC", "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,@t", "qP0000001f0000000000000001", "qL1200000000000000000",
	"qThreadStopInfo@t", "jThreadsInfo", "jThreadExtendedInfo:{\"thread\":@d}]",
	/* processes and the stub's host */
	"D", "D;@d", "D1", "D;0000000000000001", "k", "vKill;@d", "R@d", "r", "vAttach;@d", "vAttachName;@x", "vAttachWait;@x", "vAttachOrWait;@x",
	"vRun;@x", "vRun;@x;@x", "A@n,0,@x", "qLaunchSuccess", "QEnvironmentHexEncoded:@x", "QEnvironmentUnset:@x", "QEnvironmentReset",
	"QEnvironment:@w=@w", "QSetWorkingDir:@x", "QStartupWithShell:@d", "QDisableRandomization:@d", "QSetDisableASLR:@d", "QSetSTDIN:@x",
	"QSetSTDOUT:@x", "QSetSTDERR:@x", "QLaunchArch:@w", "qAttached", "qAttached:@d", "qLaunchGDBServer;host:@w;", "qQueryGDBServer",
	"qKillSpawnedProcess:@d", "qPlatform_shell:@x,@d,@x", "qPlatform_mkdir:@d,@x", "qPlatform_chmod:@d,@x", "qPathComplete:@d,@x",
	"qGetWorkingDir", "qfProcessInfo", "qfProcessInfo:name:@x;", "qsProcessInfo", "qProcessInfoPID:@d", "qUserName:@d", "qGroupName:@d", "qGetPid",
	"qModuleInfo:@x;@x", "jModulesInfo:[{\"file\":\"@w\"}]]", "jSignalsInfo", "qHostInfo", "qProcessInfo", "qGDBServerVersion", "qSaveCore",
	"qSaveCore;path-hint:@x", "jGetLoadedDynamicLibrariesInfos:{\"fetch_all_solibs\":true}]", "jGetSharedCacheInfo:{}]", "jGetDyldProcessState",
	/* objects */
	"qXfer:features:read:target.xml:@n,@n", "qXfer:features:read:../@w:0,@n", "qXfer:memory-map:read::@n,@n", "qXfer:threads:read::@n,@n",
	"qXfer:libraries:read::@n,@n", "qXfer:libraries-svr4:read:start=@a;prev=@a:@n,@n", "qXfer:exec-file:read:@d:@n,@n", "qXfer:auxv:read::@n,@n",
	"qXfer:siginfo:read::@n,@n", "qXfer:siginfo:write::@n:@b", "qXfer:spu:read:@w:@n,@n", "qXfer:spu:write:@w:@n:@b", "qXfer:fdpic:read:exec:@n,@n",
	"qXfer:uib:read:@a:@n,@n", "qXfer:btrace:read:all:@n,@n", "qXfer:btrace-conf:read::@n,@n", "qXfer:traceframe-info:read::@n,@n",
	"qXfer:statictrace:read::@n,@n", "qXfer:osdata:read:processes:@n,@n", "qXfer:features:write:target.xml:@n:@b",
	/* files */
	"vFile:setfs:@d", "vFile:open:@x,@d,@n", "vFile:close:@d", "vFile:pread:@d,@n,@n", "vFile:pwrite:@d,@n,@b", "vFile:fstat:@d", "vFile:stat:@x",
	"vFile:lstat:@x", "vFile:unlink:@x", "vFile:readlink:@x", "vFile:size:@x", "vFile:mode:@x", "vFile:exists:@x", "vFile:MD5:@x", "vFile:symlink:@x,@x",
	/* flash, trace, symbols, signals, monitor */
	"vFlashErase:@a,@n", "vFlashWrite:@a:@b", "vFlashDone", "QTDP:@d:@a:E:0:0", "QTDP:-@d:@a:R@h", "QTDPsrc:@d:@a:cond:0:@n:@x", "QTDV:@d:@n:0:@x",
	"QTinit", "QTStart", "QTStop", "QTEnable:@d:@a", "QTDisable:@d:@a", "QTro:@a,@a", "QTFrame:@d", "QTFrame:pc:@a", "QTFrame:range:@a:@a",
	"QTBuffer:size:@n", "QTBuffer:circular:@d", "QTDisconnected:@d", "QTNotes:user:@x", "QTSave:@x", "qTStatus", "qTP:@d:@a", "qTV:@d", "qTfP",
	"qTsP", "qTfV", "qTsV", "qTfSTM", "qTsSTM", "qTSTMat:@a", "qTBuffer:@n,@n", "qTMinFTPILen", "QAgent:@d", "Qbtrace:bts", "Qbtrace:off",
	"Qbtrace-conf:bts:size=@n", "qSymbol::", "qSymbol:@a:@x", "QPassSignals:@s;@s", "QProgramSignals:@s;@s", "QCatchSyscalls:1;@d;@d", "qRcmd,@x",
	"qRcmd,@x", "qOffsets", "F@d", "F-1,@d,C", "qRelocInsn:@d", "qqemu.sstepbits", "qqemu.sstep", "qqemu.sstep=@d", "Qqemu.sstep:@d",
	"qqemu.Supported", "qqemu.PhyMemMode", "Qqemu.PhyMemMode:1", "3", "y", "t@d", "d", "b@n", "B@a,S", "e", "E@s", "OK", "vUnknown", "qUnknown", "j@w",
};

const char *const vectors[] = {
	"m11111111100007ffff000,4", "mfffffffffffffff0,20", "m 1000,4", "m0x1000,0x4", "m-1,4", "m+1,4", "m-7e9b8bc0,8", "m1000,4;x", "m1000", "m,4",
	"m1000,", "m1000,100000004", "m1000:9,4", "m1000,4,", "mffffffff81647440,ffffffffffffffff", "m1ffffffff81647440,8", "M1000,4:112233",
	"M1000,4:1122334455", "M1000,4:zz", "M1000,4:zzzzzzzz", "M1000,4:11223344 ", "X1000,2:a}]", "X1000,1:}]", "X1000,0:", "X1000,1:", "G00", "P0.11",
	"P0=", "P=11", "Pffffffff=00", "p", "pfffff", "p-1", "Z0:1000;1", "z0=2000:1", "Z5,1000,1", "Z0,1000", "Z0,1000,1;X1,00", "Z0,1000,1;cmds:1,X1,00",
	"Z00,1000,1", "Z-1,1000,1", "Z0,1000,1,1", "vCont", "vCont;x", "vCont;c:p-1.5", "vCont;C", "vContX;c", "vCont;s:1;c", "vCont;", "vCont;;c", "vCont?x",
	"vCont;c;", "vCont;c:1:2", "vCont;C0b;C0b", "qCRC:1,2", "qCxyz", "qSupportedX", "??", "?zz", "gg", "gfoo", "!zz", "QStartNoAckModeX", "C15", "C09",
	"C", "Hg0junk", "Hx1", "H", "Hgp1", "Hgp-1.1", "kX", "k;", "DD", "D;", "Fxx", "qRcmd", "qRcmd,", "qRcmd,0", "qRcmd,zz", "R0", "c-1", "c0x10",
	"s10000000000000000", "C0b;", "C0b10", "qfThreadInfo1", "qsThreadInfo,", "T", "Tp", "T1.1", "qXfer", "qXfer:", "qXfer:features:read", "qXfer:features:read:",
	"qXfer:features:read:target.xml:0", "qXfer:features:read:target.xml:-1,10", "qXfer:features:read:target.xml:0,ffffffffffffffff", "vFile:",
	"vFile:open:2f6574632f706173737764,0,0", "vFile:pread:ffffffffffffffff,1,0", "MultiMemRead:ranges:", "x0,0", "x1000,", "x1000,4:", " m1000,4", "_", "__",
};

const char *const commands[] = {
	"help", "info registers", "quit", "system_reset", "migrate \"exec:touch /tmp/owned\"", "pmemsave 0 4096 /tmp/owned", "mm 0x1000 0", "reboot", "sr b",
	"kill 9 1", "exec sh", "exit", "/etc/passwd", "/bin/sh", "-c", "stop", "cont", "gdbserver none", "; m1000,4", "\n$M1000,4:00000000#00",
};

const size_t catalogue_n = COUNT(catalogue), vectors_n = COUNT(vectors), commands_n = COUNT(commands);
