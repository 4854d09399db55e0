/* kernel.c - processors begin here, and each schedules its threads for ever. */
#include "ke.h"

struct _KPCR KiPcrs[KE_PROCESSORS];
struct _KPCR *KiPcrTable[KE_PROCESSORS] = { KiPcrs,     KiPcrs + 1, KiPcrs + 2, KiPcrs + 3, /* read by whoever sets the segment's base */
	                                    KiPcrs + 4, KiPcrs + 5, KiPcrs + 6, KiPcrs + 7 };
struct _KPRCB *KiProcessorBlock[KE_PROCESSORS];
struct _LIST_ENTRY PsActiveProcessHead;
struct _KPROCESS KiSystemProcess = { .UniqueProcessId = 4, .DirectoryTableBase = 0x1ad000, .ImageFileName = "System" };
volatile uint32_t KeNumberProcessors = 1; /* written before the first processor begins */
volatile uint32_t KeTickCount, KiServiceCount;
static volatile uint32_t KiBooted;

static void KiInitializeThread(struct _KPRCB *Prcb, uint32_t Index, void *Stack)
{
	struct _KTHREAD *Thread = &Prcb->Threads[Index];

	Thread->NextThread = &Prcb->Threads[(Index + 1) % KE_THREADS];
	Thread->ApcProcess = &KiSystemProcess;
	Thread->InitialStack = Thread->KernelStack = Thread->StackBase = Stack;
	Thread->StackLimit = (char *)Stack - 0x8000;
	Thread->UniqueThreadId = 8 + 4 * (Prcb->Number * KE_THREADS + Index);
	Thread->NextProcessor = (uint8_t)Prcb->Number;
	Thread->State = 2;
}

static void KiInitializeProcessor(uint32_t Processor, void *Stack)
{
	struct _KPCR *Pcr = &KiPcrs[Processor];
	struct _KPRCB *Prcb = &Pcr->Prcb;

	Pcr->SelfPcr = Pcr;
	Pcr->CurrentPrcb = Prcb;
	Pcr->KdVersionBlock = KdDebuggerDataBlock;
	Prcb->Number = Processor & 0xff;
	Prcb->MHz = 1000;
	for (uint32_t i = 0; i < KE_THREADS; i++)
		KiInitializeThread(Prcb, i, Stack);
	Prcb->IdleThread = Prcb->CurrentThread = &Prcb->Threads[0];
	KiProcessorBlock[Processor] = Prcb;
}

static void KiInitializeKernel(void)
{
	PsActiveProcessHead.Flink = PsActiveProcessHead.Blink = &KiSystemProcess.ActiveProcessLinks;
	KiSystemProcess.ActiveProcessLinks.Flink = KiSystemProcess.ActiveProcessLinks.Blink = &PsActiveProcessHead;
	KdInitSystem();
	MmInitializeLoadedModules();
	DbgPrint("kdsim: %s, %u processors\n", NtBuildLab, KeNumberProcessors);
	MmLoadDriver();
	KiBooted = 1;
}

static void KiWaitForBoot(void)
{
	while (!KiBooted)
		KiIdle();
}

struct _KTHREAD *KiSelectNextThread(struct _KPRCB *Prcb)
{
	struct _KTHREAD *Next = Prcb->CurrentThread->NextThread;

	Next->ContextSwitches++;
	return Next;
}

uint32_t KiSystemService(struct _KTHREAD *Thread, uint32_t Service)
{
	uint8_t Sector[KE_SECTOR];
	uint64_t Time = 0, Offset = Thread->ContextSwitches % 16 * KE_SECTOR;

	KiServiceCount++;
	if (Service == 0)
		return NtReadFile(Thread->UniqueThreadId, Sector, sizeof Sector, Offset);
	return NtQuerySystemTime(&Time);
}

void KiSchedule(struct _KPRCB *Prcb)
{
	struct _KTHREAD *Thread = KiSelectNextThread(Prcb);
	uint32_t Service = Prcb->Services++ % 2, Status;

	Prcb->CurrentThread = Thread;
	Status = KiSystemService(Thread, Service);
	Thread->WaitReason = (uint8_t)Status;
	Prcb->Ticks++;
	if (Prcb->Number == 0)
		KeTickCount++;
}

static void KiIdleLoop(struct _KPRCB *Prcb)
{
	for (;;) {
		while (KiBugCheckActive)
			KiIdle();
		KdSimPoll(Prcb);
		KiSchedule(Prcb);
		KiIdle();
	}
}

/* The entry point of the image; every processor comes with its number. */
void KiSystemStartup(uint32_t Processor)
{
	KiInitializeProcessor(Processor, __builtin_frame_address(0));
	if (Processor == 0)
		KiInitializeKernel();
	KiWaitForBoot();
	KiIdleLoop(KeGetPcr()->CurrentPrcb);
}
