/* kd.c - what the kernel says to its debugger, and the data block by which the debugger knows the kernel. */
#include "../command.h"
#include "ke.h"

struct _KD_SYMBOLS_INFO {
	const void *BaseOfDll;
	uintptr_t ProcessId;
	uint32_t CheckSum, SizeOfImage;
};

struct _LIST_ENTRY KdpDebuggerDataListHead;
uint8_t KdDebuggerDataBlock[0x360] __attribute__((aligned(16)));
char NtBuildLab[] = "9600.kdsim." KE_NAME ".fre";
static char KdpPrintCircularBuffer[0x1000];

uint32_t DbgPrint(const char *Format, ...)
{
	char Text[512];
	va_list Arguments;
	uint32_t Length;

	va_start(Arguments, Format);
	Length = RtlFormat(Text, sizeof Text, Format, Arguments);
	va_end(Arguments);
	return DebugService(Text, (void *)(uintptr_t)Length, (void *)101, (void *)3, KDSIM_SERVICE_PRINT);
}

static uint32_t KdpLength(const char *String)
{
	uint32_t Length = 0;

	while (String[Length])
		Length++;
	return Length;
}

static struct _STRING KdpString(const char *Text)
{
	uint16_t Length = (uint16_t)KdpLength(Text);

	return (struct _STRING){ Length, (uint16_t)(Length + 1), Text };
}

uint32_t DbgPrompt(const char *Prompt, char *Response, uint32_t Length)
{
	return DebugService(Prompt, (void *)(uintptr_t)KdpLength(Prompt), Response, (void *)(uintptr_t)Length, KDSIM_SERVICE_PROMPT);
}

static void KdpTellSymbols(const char *Name, const struct _KD_SYMBOLS_INFO *Info, uint32_t Service)
{
	struct _STRING Path = KdpString(Name ? Name : "");

	DebugService(Name ? &Path : NULL, Info, NULL, NULL, Service);
}

void DbgLoadImageSymbols(const char *Name, const void *Base, uint32_t Size, uint32_t CheckSum)
{
	struct _KD_SYMBOLS_INFO Info = { Base, ~(uintptr_t)0, CheckSum, Size };

	KdpTellSymbols(Name, &Info, KDSIM_SERVICE_LOAD);
}

void DbgUnLoadImageSymbols(const char *Name, const void *Base, uint32_t Size, uint32_t CheckSum)
{
	struct _KD_SYMBOLS_INFO Info = { Base, ~(uintptr_t)0, CheckSum, Size };

	KdpTellSymbols(Name, &Info, KDSIM_SERVICE_UNLOAD);
}

void DbgCommandString(const char *Name, const char *Command)
{
	struct _STRING Who = KdpString(Name), What = KdpString(Command);

	DebugService(&Who, &What, NULL, NULL, KDSIM_SERVICE_COMMAND);
}

void KdCheckForDebugBreak(void)
{
	DbgBreakPointWithStatus(1);
}

/* By way of KiClockInterrupt. */
void KeUpdateRunTime(void)
{
	KdCheckForDebugBreak();
}

/* Pointers in the block are 64 bits wide on both, with the sign of the narrow one. */
static const struct {
	uint16_t At;
	const void *Value;
} KdpPointers[] = {
	{ 0x020, DbgBreakPointWithStatus }, { 0x048, &PsLoadedModuleList }, { 0x050, &PsActiveProcessHead }, { 0x088, KiBugCheckData },
	{ 0x1e0, KdpPrintCircularBuffer },  { 0x208, NtBuildLab },          { 0x218, KiProcessorBlock },
};

static const struct {
	uint16_t At;
	uint16_t Value;
} KdpOffsets[] = {
	{ 0x036, KE(0, 1) },
	{ 0x298, offsetof(struct _KTHREAD, NextProcessor) },
	{ 0x29a, offsetof(struct _KTHREAD, Teb) },
	{ 0x29c, offsetof(struct _KTHREAD, KernelStack) },
	{ 0x29e, offsetof(struct _KTHREAD, InitialStack) },
	{ 0x2a0, offsetof(struct _KTHREAD, ApcProcess) },
	{ 0x2a2, offsetof(struct _KTHREAD, State) },
	{ 0x2a8, sizeof(struct _KPROCESS) },
	{ 0x2ae, offsetof(struct _KPROCESS, DirectoryTableBase) },
	{ 0x2b0, sizeof(struct _KPRCB) },
	{ 0x2b4, offsetof(struct _KPRCB, CurrentThread) },
	{ 0x2b6, offsetof(struct _KPRCB, MHz) },
	{ 0x2ba, offsetof(struct _KPRCB, VendorString) },
	{ 0x2bc, offsetof(struct _KPRCB, ProcessorState) + offsetof(struct _KPROCESSOR_STATE, ContextFrame) },
	{ 0x2be, offsetof(struct _KPRCB, Number) },
	{ 0x2c0, sizeof(struct _KTHREAD) },
	{ 0x2e0, sizeof(struct _KPCR) },
	{ 0x2e2, offsetof(struct _KPCR, SelfPcr) },
	{ 0x2e4, offsetof(struct _KPCR, CurrentPrcb) },
	{ 0x2e6, offsetof(struct _KPCR, Prcb) },
	{ 0x2f2, offsetof(struct _KPRCB, ProcessorState) + offsetof(struct _KPROCESSOR_STATE, SpecialRegisters) },
	{ 0x2f4, KE(0x10, 0x08) }, /* R0 code, R0 data, R0 PCR, R3 code, R3 data, R3 TEB, LDT, TSS */
	{ 0x2f6, KE(0x18, 0x10) },
	{ 0x2f8, KE(0x00, 0x30) },
	{ 0x2fa, KE(0x30, 0x18) },
	{ 0x2fc, KE(0x28, 0x20) },
	{ 0x2fe, KE(0x00, 0x38) },
	{ 0x302, KE(0x40, 0x28) },
	{ 0x338, offsetof(struct _KPRCB, ProcessorState) + offsetof(struct _KPROCESSOR_STATE, ContextFrame) },
	{ 0x33a, 32 },
	{ 0x33c, 4 },
	{ 0x340, offsetof(struct _KTHREAD, StackLimit) },
	{ 0x344, offsetof(struct _KTHREAD, StackBase) },
	{ 0x350, offsetof(struct _KPRCB, IdleThread) },
	{ 0x35c, offsetof(struct _KTHREAD, WaitReason) },
};

static void KdpPut(uint32_t At, uint64_t Value)
{
	*(volatile uint64_t *)(KdDebuggerDataBlock + At) = Value;
}

static void KdpFillBlock(void)
{
	for (uint32_t i = 0; i < sizeof KdpPointers / sizeof *KdpPointers; i++)
		KdpPut(KdpPointers[i].At, (uint64_t)(int64_t)(intptr_t)KdpPointers[i].Value);
	for (uint32_t i = 0; i < sizeof KdpOffsets / sizeof *KdpOffsets; i++)
		*(volatile uint16_t *)(KdDebuggerDataBlock + KdpOffsets[i].At) = KdpOffsets[i].Value;
	KdpPut(0x010, (uint64_t)sizeof KdDebuggerDataBlock << 32 | 0x4742444b);
	KdpPut(0x018, (uintptr_t)&__ImageBase); /* a 32-bit kernel has this one without its sign */
	KdpPut(0x138, 0x1000);
	KdpPut(0x1c8, KE(0x7fffffeffff, 0x7ffeffff));
	KdpPut(0x1e8, (uint64_t)(int64_t)(intptr_t)(KdpPrintCircularBuffer + sizeof KdpPrintCircularBuffer));
}

void KdInitSystem(void)
{
	struct _LIST_ENTRY *Block = (struct _LIST_ENTRY *)(void *)KdDebuggerDataBlock;

	KdpFillBlock();
	Block->Flink = Block->Blink = &KdpDebuggerDataListHead;
	KdpDebuggerDataListHead.Flink = KdpDebuggerDataListHead.Blink = Block;
}
