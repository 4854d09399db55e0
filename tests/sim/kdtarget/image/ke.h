/* ke.h - the small kernel's structures, laid out as the debugger data block and the two architectures say, and its functions. */
#ifndef SIM_KDTARGET_IMAGE_KE_H
#define SIM_KDTARGET_IMAGE_KE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__
#define KE(amd64, i386) (amd64)
#define KE_NAME "amd64"
#else
#define KE(amd64, i386) (i386)
#define KE_NAME "i386"
#endif
#define AT(type, field, amd64, i386) _Static_assert(offsetof(struct type, field) == KE(amd64, i386), #type "." #field)

enum { KE_PROCESSORS = 8, KE_THREADS = 2, KE_SECTOR = 64 };

struct _LIST_ENTRY {
	struct _LIST_ENTRY *Flink, *Blink;
};

struct _UNICODE_STRING {
	uint16_t Length, MaximumLength;
	wchar_t *Buffer;
};

struct _STRING {
	uint16_t Length, MaximumLength;
	const char *Buffer;
};

struct _LDR_DATA_TABLE_ENTRY {
	struct _LIST_ENTRY InLoadOrderLinks, InMemoryOrderLinks, InInitializationOrderLinks;
	void *DllBase, *EntryPoint;
	uint32_t SizeOfImage;
	struct _UNICODE_STRING FullDllName, BaseDllName;
	uint32_t Flags;
	uint16_t LoadCount, TlsIndex;
	void *SectionPointer;
	uint32_t CheckSum;
	uint8_t Reserved[KE(0x9c - 0x7c, 0x60 - 0x44)];
	uint32_t TimeDateStamp;
};
AT(_LDR_DATA_TABLE_ENTRY, DllBase, 0x30, 0x18);
AT(_LDR_DATA_TABLE_ENTRY, FullDllName, 0x48, 0x24);
AT(_LDR_DATA_TABLE_ENTRY, BaseDllName, 0x58, 0x2c);
AT(_LDR_DATA_TABLE_ENTRY, Flags, 0x68, 0x34);
AT(_LDR_DATA_TABLE_ENTRY, CheckSum, 0x78, 0x40);

struct _KPROCESS {
	struct _LIST_ENTRY ActiveProcessLinks;
	uintptr_t UniqueProcessId, DirectoryTableBase;
	char ImageFileName[16];
};

struct _KTHREAD {
	struct _KTHREAD *NextThread;
	struct _KPROCESS *ApcProcess;
	void *Teb, *InitialStack, *KernelStack, *StackLimit, *StackBase;
	uintptr_t UniqueThreadId;
	uint32_t ContextSwitches;
	uint8_t State, NextProcessor, WaitReason;
};

struct _KPROCESSOR_STATE {
#ifdef __x86_64__
	uint8_t SpecialRegisters[0xe0], ContextFrame[0x4d0];
#else
	uint8_t ContextFrame[0x2cc], SpecialRegisters[0x54];
#endif
};

struct _KPRCB {
#ifdef __x86_64__
	uint32_t MxCsr, LegacyNumber;
	struct _KTHREAD *CurrentThread, *NextThread, *IdleThread;
	uint32_t Reserved, Number;
	uint64_t RspBase, PrcbLock, Reserved2;
#else
	uint16_t MinorVersion, MajorVersion;
	struct _KTHREAD *CurrentThread, *NextThread, *IdleThread;
	uint8_t Number, Reserved[7];
#endif
	struct _KPROCESSOR_STATE ProcessorState;
	uint32_t MHz, Ticks, Services;
	struct _KTHREAD Threads[KE_THREADS];
	char VendorString[16];
};
AT(_KPRCB, CurrentThread, 0x08, 0x04);
AT(_KPRCB, Number, 0x24, 0x10);
AT(_KPRCB, ProcessorState, 0x40, 0x18);

struct _KPCR {
#ifdef __x86_64__
	void *GdtBase, *TssBase, *UserRsp;
	struct _KPCR *SelfPcr;
	struct _KPRCB *CurrentPrcb;
	uint8_t Reserved[0x108 - 0x28];
	void *KdVersionBlock;
	uint8_t Reserved2[0x180 - 0x110];
#else
	void *ExceptionList, *StackBase, *StackLimit, *Reserved[4];
	struct _KPCR *SelfPcr;
	struct _KPRCB *CurrentPrcb;
	void *Irql[4], *KdVersionBlock;
	uint8_t Reserved2[0x120 - 0x38];
#endif
	struct _KPRCB Prcb;
};
AT(_KPCR, SelfPcr, 0x18, 0x1c);
AT(_KPCR, CurrentPrcb, 0x20, 0x20);
AT(_KPCR, KdVersionBlock, 0x108, 0x34);
AT(_KPCR, Prcb, 0x180, 0x120);

struct _IRP {
	uintptr_t Handle;
	void *Buffer;
	uint64_t Offset;
	uint32_t Length, Information;
};

struct _DRIVER_OBJECT {
	void *DriverStart;
	uint32_t DriverSize;
	void (*DriverUnload)(struct _DRIVER_OBJECT *Driver);
	uint32_t (*DriverRead)(struct _DRIVER_OBJECT *Driver, struct _IRP *Irp);
};

static inline struct _KPCR *KeGetPcr(void)
{
	struct _KPCR *Pcr;

#ifdef __x86_64__
	__asm__ volatile("movq %%gs:0x18, %0" : "=r"(Pcr));
#else
	__asm__ volatile("movl %%fs:0x1c, %0" : "=r"(Pcr));
#endif
	return Pcr;
}

/* amd64.S, i386.S */
void DbgBreakPoint(void);
void DbgBreakPointWithStatus(uint32_t Status);
uint32_t DebugService(const void *First, const void *Second, const void *Third, const void *Fourth, uint32_t Service);
void KiIdle(void);                         /* gives the processor away for KiIdleTime, by a system call of the host */
void KiFaultRead(void *volatile *Handler); /* each writes where it is caught, behind the fault, before it faults */
void KiFaultWrite(void *volatile *Handler);
void KiFaultDivide(void *volatile *Handler);
void KiFaultIllegal(void *volatile *Handler);
__attribute__((noreturn)) void HalResetMachine(void);

/* kd.c */
uint32_t DbgPrint(const char *Format, ...) __attribute__((format(printf, 1, 2)));
uint32_t DbgPrompt(const char *Prompt, char *Response, uint32_t Length);
void DbgLoadImageSymbols(const char *Name, const void *Base, uint32_t Size, uint32_t CheckSum);
void DbgUnLoadImageSymbols(const char *Name, const void *Base, uint32_t Size, uint32_t CheckSum);
void DbgCommandString(const char *Name, const char *Command);
void KdInitSystem(void);
void KeUpdateRunTime(void);

/* module.c */
void MmInitializeLoadedModules(void);
void MmLoadDriver(void);
void MmUnloadDriver(void);

/* bugcheck.c */
__attribute__((noreturn)) void KeBugCheckEx(uint32_t Code, uintptr_t P1, uintptr_t P2, uintptr_t P3, uintptr_t P4);
__attribute__((noreturn)) void KiUnhandledException(uint32_t Code, uintptr_t Address);
__attribute__((noreturn)) void HalReturnToFirmware(void);

/* command.c */
void KdSimPoll(struct _KPRCB *Prcb);

/* io.c */
uint32_t NtReadFile(uintptr_t Handle, void *Buffer, uint32_t Length, uint64_t Offset);
uint32_t NtQuerySystemTime(uint64_t *Time);

/* print.c */
uint32_t RtlFormat(char *To, uint32_t Room, const char *Format, va_list Arguments);

extern char __ImageBase;
extern struct _KPCR KiPcrs[KE_PROCESSORS];
extern struct _KPRCB *KiProcessorBlock[KE_PROCESSORS];
extern struct _KPROCESS KiSystemProcess;
extern struct _LIST_ENTRY PsLoadedModuleList, PsActiveProcessHead, KdpDebuggerDataListHead;
extern struct _DRIVER_OBJECT *volatile IopDiskDriver;
extern uintptr_t KiBugCheckData[5];
extern volatile uint32_t KeNumberProcessors, KiBugCheckActive, KeTickCount;
extern uint8_t KdDebuggerDataBlock[0x360];
extern char NtBuildLab[];

#endif
