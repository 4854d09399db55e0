/* io.c - a disk of sixteen sectors, read by way of the driver while one is loaded. */
#include "ke.h"

struct _DRIVER_OBJECT *volatile IopDiskDriver;
volatile uint32_t IopReadCount, IopLastSector;
volatile uint64_t IopBytesRead;

static uint32_t IopFillSector(uint8_t *Buffer, uint32_t Length, uint32_t Sector)
{
	uint32_t Sum = 0;

	for (uint32_t i = 0; i < Length; i++) {
		Buffer[i] = (uint8_t)(Sector + i);
		Sum += Buffer[i];
	}
	return Sum;
}

uint32_t IopReadDisk(struct _IRP *Irp)
{
	uint32_t Sector = (uint32_t)Irp->Offset / KE_SECTOR;
	uint32_t Sum = IopFillSector(Irp->Buffer, Irp->Length, Sector);
	struct _DRIVER_OBJECT *Driver = IopDiskDriver;

	IopReadCount++;
	IopLastSector = Sector;
	Irp->Information = Irp->Length;
	if (Driver)
		Sum ^= Driver->DriverRead(Driver, Irp);
	return Sum;
}

uint32_t NtReadFile(uintptr_t Handle, void *Buffer, uint32_t Length, uint64_t Offset)
{
	struct _IRP Irp = { .Handle = Handle, .Buffer = Buffer, .Offset = Offset, .Length = Length };
	uint32_t Status = IopReadDisk(&Irp);

	IopBytesRead += Irp.Information;
	return Status & 0xff;
}

uint32_t NtQuerySystemTime(uint64_t *Time)
{
	*Time = (uint64_t)KeTickCount * 10000;
	return 0;
}
