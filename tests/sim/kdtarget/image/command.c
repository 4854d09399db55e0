/* command.c - what the kernel is told to do by writes into its memory. See command.h. */
#include "../command.h"
#include "ke.h"

volatile uint32_t KdSimCommand, KdSimArgument, KdSimProcessor, KdSimSpin, KdSimPrints;
void *volatile KiExceptionHandler;

static void KdSimPrint(uint32_t Argument)
{
	do
		DbgPrint("kdsim: print %u\n", ++KdSimPrints);
	while (Argument && --Argument);
}

static void KdSimPrompt(uint32_t Argument)
{
	char Answer[64];
	uint32_t Length = DbgPrompt("kdsim: name? ", Answer, sizeof Answer - 1);

	(void)Argument;
	Answer[Length < sizeof Answer ? Length : 0] = 0;
	DbgPrint("kdsim: hello, %s\n", Answer);
}

static void KdSimBreak(uint32_t Argument)
{
	(void)Argument;
	DbgBreakPoint();
}

/* The fault's own function writes where it is caught. */
static void KdSimFault(void (*Fault)(void *volatile *), uint32_t Argument)
{
	void *volatile Nowhere;

	Fault(Argument ? &Nowhere : &KiExceptionHandler);
	KiExceptionHandler = NULL;
}

static void KdSimRead(uint32_t Argument)
{
	KdSimFault(KiFaultRead, Argument);
}

static void KdSimWrite(uint32_t Argument)
{
	KdSimFault(KiFaultWrite, Argument);
}

static void KdSimDivide(uint32_t Argument)
{
	KdSimFault(KiFaultDivide, Argument);
}

static void KdSimIllegal(uint32_t Argument)
{
	KdSimFault(KiFaultIllegal, Argument);
}

static void KdSimLoad(uint32_t Argument)
{
	(void)Argument;
	MmLoadDriver();
}

static void KdSimUnload(uint32_t Argument)
{
	(void)Argument;
	MmUnloadDriver();
}

static void KdSimBugCheck(uint32_t Argument)
{
	KeBugCheckEx(Argument ? Argument : 0xe2, 1, 2, 3, 4);
}

static void KdSimReboot(uint32_t Argument)
{
	(void)Argument;
	HalReturnToFirmware();
}

static void KdSimCommandString(uint32_t Argument)
{
	(void)Argument;
	DbgCommandString("kdsim", ".echo the guest's own words");
}

static void KdSimTurn(uint32_t Argument)
{
	KdSimSpin = 1;
	for (uint32_t Turn = 0; KdSimSpin && (!Argument || Turn < Argument); Turn++)
		__builtin_ia32_pause();
	KdSimSpin = 0;
}

static void (*const KdSimCommands[])(uint32_t Argument) = {
	[KDSIM_PRINT] = KdSimPrint,   [KDSIM_PROMPT] = KdSimPrompt,     [KDSIM_BREAK] = KdSimBreak,     [KDSIM_READ] = KdSimRead,
	[KDSIM_WRITE] = KdSimWrite,   [KDSIM_DIVIDE] = KdSimDivide,     [KDSIM_ILLEGAL] = KdSimIllegal, [KDSIM_LOAD] = KdSimLoad,
	[KDSIM_UNLOAD] = KdSimUnload, [KDSIM_BUGCHECK] = KdSimBugCheck, [KDSIM_REBOOT] = KdSimReboot,   [KDSIM_COMMAND] = KdSimCommandString,
	[KDSIM_SPIN] = KdSimTurn,
};

void KdSimPoll(struct _KPRCB *Prcb)
{
	uint32_t Command = KdSimCommand;

	if (!Command || Prcb->Number != KdSimProcessor)
		return;
	KdSimCommand = 0;
	if (Command < sizeof KdSimCommands / sizeof *KdSimCommands)
		KdSimCommands[Command](KdSimArgument);
}
