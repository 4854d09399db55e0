/* bugcheck.c - the ways this kernel ends. */
#include "ke.h"

uintptr_t KiBugCheckData[5];
volatile uint32_t KiBugCheckActive;

static void KiPrintBugCheck(void)
{
	DbgPrint("\n*** Fatal System Error: 0x%08x\n                       (0x%p,0x%p,0x%p,0x%p)\n\n", (uint32_t)KiBugCheckData[0],
	         (void *)KiBugCheckData[1], (void *)KiBugCheckData[2], (void *)KiBugCheckData[3], (void *)KiBugCheckData[4]);
}

void HalReturnToFirmware(void)
{
	DbgUnLoadImageSymbols(NULL, (void *)~(uintptr_t)0, 0, 0);
	HalResetMachine();
}

void KeBugCheckEx(uint32_t Code, uintptr_t P1, uintptr_t P2, uintptr_t P3, uintptr_t P4)
{
	KiBugCheckActive = 1;
	KiBugCheckData[0] = Code;
	KiBugCheckData[1] = P1;
	KiBugCheckData[2] = P2;
	KiBugCheckData[3] = P3;
	KiBugCheckData[4] = P4;
	KiPrintBugCheck();
	DbgBreakPointWithStatus(3);
	DbgBreakPointWithStatus(4);
	HalReturnToFirmware();
}

void KiUnhandledException(uint32_t Code, uintptr_t Address)
{
	KeBugCheckEx(0x1e, (uintptr_t)(intptr_t)(int32_t)Code, Address, 0, 0);
}
