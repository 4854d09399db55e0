/* driver.c - the driver: it adds up what passes. */
#include "ke.h"

volatile uint32_t KdDriverReads, KdDriverSum;
volatile uint32_t KdDriverLoads;

uint32_t KdDriverChecksum(const uint8_t *Buffer, uint32_t Length)
{
	uint32_t Sum = 1;

	for (uint32_t i = 0; i < Length; i++)
		Sum = Sum * 33 + Buffer[i];
	return Sum;
}

static uint32_t KdDriverRead(struct _DRIVER_OBJECT *Driver, struct _IRP *Irp)
{
	uint32_t Sum = KdDriverChecksum(Irp->Buffer, Irp->Length);

	(void)Driver;
	KdDriverReads++;
	KdDriverSum = Sum;
	return Sum;
}

static void KdDriverUnload(struct _DRIVER_OBJECT *Driver)
{
	DbgPrint("kddriver: unload at %p after %u reads\n", Driver->DriverStart, KdDriverReads);
}

uint32_t DriverEntry(struct _DRIVER_OBJECT *Driver, struct _UNICODE_STRING *Path)
{
	KdDriverLoads++;
	Driver->DriverRead = KdDriverRead;
	Driver->DriverUnload = KdDriverUnload;
	DbgPrint("kddriver: entry at %p, path of %u bytes\n", Driver->DriverStart, (uint32_t)Path->Length);
	return 0;
}
