/* module.c - the list of loaded images. The driver's is always mapped; to load it is to list it, tell it and call it. */
#include "ke.h"

enum { MM_LFANEW = 0x3c, MM_TIME = 8, MM_ENTRY = 0x28, MM_SIZE = 0x50, MM_CHECKSUM = 0x58 };

struct _LIST_ENTRY PsLoadedModuleList = { &PsLoadedModuleList, &PsLoadedModuleList };
void *KdSimDriverBase; /* written before the first processor begins; NULL: no driver */
static struct _LDR_DATA_TABLE_ENTRY MmKernelEntry, MmDriverEntry;
static struct _DRIVER_OBJECT MmDriverObject;
static wchar_t MmKernelPath[] = L"\\SystemRoot\\system32\\ntoskrnl.exe";
static wchar_t MmDriverPath[] = L"\\SystemRoot\\system32\\drivers\\kddriver.sys";
static const char MmKernelName[] = "\\SystemRoot\\system32\\ntoskrnl.exe";
static const char MmDriverName[] = "\\SystemRoot\\system32\\drivers\\kddriver.sys";

static uint32_t MmHeader(const void *Base, uint32_t At)
{
	const char *Image = Base;
	uint32_t Headers = *(const uint32_t *)(const void *)(Image + MM_LFANEW);

	return *(const uint32_t *)(const void *)(Image + Headers + At);
}

static struct _UNICODE_STRING MmString(wchar_t *Text, uint32_t Bytes)
{
	return (struct _UNICODE_STRING){ (uint16_t)(Bytes - sizeof *Text), (uint16_t)Bytes, Text };
}

static struct _UNICODE_STRING MmBaseName(struct _UNICODE_STRING Path)
{
	uint32_t From = Path.Length / sizeof *Path.Buffer;

	while (From && Path.Buffer[From - 1] != L'\\')
		From--;
	return MmString(Path.Buffer + From, Path.MaximumLength - From * sizeof *Path.Buffer);
}

static void MmFillEntry(struct _LDR_DATA_TABLE_ENTRY *Entry, void *Base, struct _UNICODE_STRING Path)
{
	Entry->DllBase = Base;
	Entry->EntryPoint = (char *)Base + MmHeader(Base, MM_ENTRY);
	Entry->SizeOfImage = MmHeader(Base, MM_SIZE);
	Entry->CheckSum = MmHeader(Base, MM_CHECKSUM);
	Entry->TimeDateStamp = MmHeader(Base, MM_TIME);
	Entry->FullDllName = Path;
	Entry->BaseDllName = MmBaseName(Path);
	Entry->Flags = 0x09004000;
	Entry->LoadCount = 1;
}

static void MmInsertEntry(struct _LDR_DATA_TABLE_ENTRY *Entry)
{
	struct _LIST_ENTRY *Last = PsLoadedModuleList.Blink;

	Entry->InLoadOrderLinks.Flink = &PsLoadedModuleList;
	Entry->InLoadOrderLinks.Blink = Last;
	Last->Flink = PsLoadedModuleList.Blink = &Entry->InLoadOrderLinks;
}

static void MmRemoveEntry(struct _LDR_DATA_TABLE_ENTRY *Entry)
{
	Entry->InLoadOrderLinks.Blink->Flink = Entry->InLoadOrderLinks.Flink;
	Entry->InLoadOrderLinks.Flink->Blink = Entry->InLoadOrderLinks.Blink;
}

void MmInitializeLoadedModules(void)
{
	MmFillEntry(&MmKernelEntry, &__ImageBase, MmString(MmKernelPath, sizeof MmKernelPath));
	MmInsertEntry(&MmKernelEntry);
	DbgLoadImageSymbols(MmKernelName, MmKernelEntry.DllBase, MmKernelEntry.SizeOfImage, MmKernelEntry.CheckSum);
}

static void MmStartDriver(void)
{
	uint32_t (*DriverEntry)(struct _DRIVER_OBJECT *, struct _UNICODE_STRING *) = MmDriverEntry.EntryPoint;

	MmDriverObject.DriverStart = MmDriverEntry.DllBase;
	MmDriverObject.DriverSize = MmDriverEntry.SizeOfImage;
	if (DriverEntry(&MmDriverObject, &MmDriverEntry.FullDllName) == 0)
		IopDiskDriver = &MmDriverObject;
}

void MmLoadDriver(void)
{
	if (!KdSimDriverBase || MmDriverEntry.LoadCount)
		return;
	MmFillEntry(&MmDriverEntry, KdSimDriverBase, MmString(MmDriverPath, sizeof MmDriverPath));
	MmInsertEntry(&MmDriverEntry);
	DbgLoadImageSymbols(MmDriverName, MmDriverEntry.DllBase, MmDriverEntry.SizeOfImage, MmDriverEntry.CheckSum);
	MmStartDriver();
}

void MmUnloadDriver(void)
{
	if (!MmDriverEntry.LoadCount)
		return;
	IopDiskDriver = NULL;
	MmDriverObject.DriverUnload(&MmDriverObject);
	DbgUnLoadImageSymbols(MmDriverName, MmDriverEntry.DllBase, MmDriverEntry.SizeOfImage, MmDriverEntry.CheckSum);
	MmRemoveEntry(&MmDriverEntry);
	MmDriverEntry.LoadCount = 0;
}
