/* names.c - words and signals for exceptions and bugchecks. See names.h. */
#include "backends/kd/names.h"

#include <stddef.h>

/* gdb's numbers of signals, which are nobody else's. */
enum { GDB_INT = 2, GDB_ILL = 4, GDB_TRAP = 5, GDB_ABRT = 6, GDB_FPE = 8, GDB_BUS = 10, GDB_SEGV = 11 };

static const struct exception {
	uint32_t code;
	unsigned sig;
	const char *name;
} exceptions[] = {
	{ 0x40010005, GDB_INT, "control-C" },
	{ 0x40010006, GDB_TRAP, "debug print" },
	{ 0x40010008, GDB_INT, "control-break" },
	{ 0x406d1388, GDB_TRAP, "thread is given a name" },
	{ 0x80000001, GDB_SEGV, "guard page" },
	{ 0x80000002, GDB_BUS, "data misalignment" },
	{ KD_BREAKPOINT, GDB_TRAP, "breakpoint" },
	{ KD_SINGLE_STEP, GDB_TRAP, "single step" },
	{ KD_WAKE_DEBUGGER, GDB_TRAP, "processor switch" },
	{ 0xc0000005, GDB_SEGV, "access violation" },
	{ 0xc0000006, GDB_SEGV, "in-page error" },
	{ 0xc0000008, GDB_TRAP, "invalid handle" },
	{ 0xc000001d, GDB_ILL, "illegal instruction" },
	{ 0xc000001e, GDB_ILL, "invalid lock sequence" },
	{ 0xc0000025, GDB_TRAP, "noncontinuable exception" },
	{ 0xc0000026, GDB_ILL, "invalid disposition" },
	{ 0xc000008c, GDB_SEGV, "array bounds exceeded" },
	{ 0xc000008d, GDB_FPE, "floating-point denormal operand" },
	{ 0xc000008e, GDB_FPE, "floating-point division by zero" },
	{ 0xc000008f, GDB_FPE, "floating-point inexact result" },
	{ 0xc0000090, GDB_FPE, "floating-point invalid operation" },
	{ 0xc0000091, GDB_FPE, "floating-point overflow" },
	{ 0xc0000092, GDB_FPE, "floating-point stack check" },
	{ 0xc0000093, GDB_FPE, "floating-point underflow" },
	{ 0xc0000094, GDB_FPE, "integer division by zero" },
	{ 0xc0000095, GDB_FPE, "integer overflow" },
	{ 0xc0000096, GDB_ILL, "privileged instruction" },
	{ 0xc00000fd, GDB_SEGV, "stack overflow" },
	{ 0xc0000194, GDB_TRAP, "possible deadlock" },
	{ 0xc0000374, GDB_ABRT, "heap corruption" },
	{ 0xc0000409, GDB_ABRT, "fail fast" },
	{ 0xc0000420, GDB_ABRT, "assertion failure" },
	{ 0xe06d7363, GDB_TRAP, "C++ exception" },
};
enum { EXCEPTIONS = sizeof exceptions / sizeof *exceptions };

static const struct bugcheck {
	uint32_t code;
	const char *name;
} bugchecks[] = {
	{ 0x01, "APC_INDEX_MISMATCH" },
	{ 0x0a, "IRQL_NOT_LESS_OR_EQUAL" },
	{ 0x12, "TRAP_CAUSE_UNKNOWN" },
	{ 0x18, "REFERENCE_BY_POINTER" },
	{ 0x19, "BAD_POOL_HEADER" },
	{ 0x1a, "MEMORY_MANAGEMENT" },
	{ 0x1e, "KMODE_EXCEPTION_NOT_HANDLED" },
	{ 0x20, "KERNEL_APC_PENDING_DURING_EXIT" },
	{ 0x23, "FAT_FILE_SYSTEM" },
	{ 0x24, "NTFS_FILE_SYSTEM" },
	{ 0x2e, "DATA_BUS_ERROR" },
	{ 0x34, "CACHE_MANAGER" },
	{ 0x35, "NO_MORE_IRP_STACK_LOCATIONS" },
	{ 0x3b, "SYSTEM_SERVICE_EXCEPTION" },
	{ 0x3f, "NO_MORE_SYSTEM_PTES" },
	{ 0x44, "MULTIPLE_IRP_COMPLETE_REQUESTS" },
	{ 0x4e, "PFN_LIST_CORRUPT" },
	{ 0x50, "PAGE_FAULT_IN_NONPAGED_AREA" },
	{ 0x51, "REGISTRY_ERROR" },
	{ 0x58, "FTDISK_INTERNAL_ERROR" },
	{ 0x5c, "HAL_INITIALIZATION_FAILED" },
	{ 0x67, "CONFIG_INITIALIZATION_FAILED" },
	{ 0x69, "IO1_INITIALIZATION_FAILED" },
	{ 0x6b, "PROCESS1_INITIALIZATION_FAILED" },
	{ 0x6f, "SESSION3_INITIALIZATION_FAILED" },
	{ 0x74, "BAD_SYSTEM_CONFIG_INFO" },
	{ 0x76, "PROCESS_HAS_LOCKED_PAGES" },
	{ 0x77, "KERNEL_STACK_INPAGE_ERROR" },
	{ 0x79, "MISMATCHED_HAL" },
	{ 0x7a, "KERNEL_DATA_INPAGE_ERROR" },
	{ 0x7b, "INACCESSIBLE_BOOT_DEVICE" },
	{ 0x7e, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED" },
	{ 0x7f, "UNEXPECTED_KERNEL_MODE_TRAP" },
	{ 0x80, "NMI_HARDWARE_FAILURE" },
	{ 0x8e, "KERNEL_MODE_EXCEPTION_NOT_HANDLED" },
	{ 0x9c, "MACHINE_CHECK_EXCEPTION" },
	{ 0x9f, "DRIVER_POWER_STATE_FAILURE" },
	{ 0xa0, "INTERNAL_POWER_ERROR" },
	{ 0xa5, "ACPI_BIOS_ERROR" },
	{ 0xbe, "ATTEMPTED_WRITE_TO_READONLY_MEMORY" },
	{ 0xc1, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION" },
	{ 0xc2, "BAD_POOL_CALLER" },
	{ 0xc4, "DRIVER_VERIFIER_DETECTED_VIOLATION" },
	{ 0xc5, "DRIVER_CORRUPTED_EXPOOL" },
	{ 0xc9, "DRIVER_VERIFIER_IOMANAGER_VIOLATION" },
	{ 0xce, "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS" },
	{ 0xd1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL" },
	{ 0xd5, "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL" },
	{ 0xd8, "DRIVER_USED_EXCESSIVE_PTES" },
	{ 0xde, "POOL_CORRUPTION_IN_FILE_AREA" },
	{ 0xe2, "MANUALLY_INITIATED_CRASH" },
	{ 0xe3, "RESOURCE_NOT_OWNED" },
	{ 0xea, "THREAD_STUCK_IN_DEVICE_DRIVER" },
	{ 0xed, "UNMOUNTABLE_BOOT_VOLUME" },
	{ 0xef, "CRITICAL_PROCESS_DIED" },
	{ 0xf4, "CRITICAL_OBJECT_TERMINATION" },
	{ 0xf7, "DRIVER_OVERRAN_STACK_BUFFER" },
	{ 0xfc, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY" },
	{ 0xfe, "BUGCODE_USB_DRIVER" },
	{ 0x101, "CLOCK_WATCHDOG_TIMEOUT" },
	{ 0x109, "CRITICAL_STRUCTURE_CORRUPTION" },
	{ 0x10d, "WDF_VIOLATION" },
	{ 0x116, "VIDEO_TDR_FAILURE" },
	{ 0x119, "VIDEO_SCHEDULER_INTERNAL_ERROR" },
	{ 0x124, "WHEA_UNCORRECTABLE_ERROR" },
	{ 0x133, "DPC_WATCHDOG_VIOLATION" },
	{ 0x139, "KERNEL_SECURITY_CHECK_FAILURE" },
	{ 0x13a, "KERNEL_MODE_HEAP_CORRUPTION" },
	{ 0x154, "UNEXPECTED_STORE_EXCEPTION" },
	{ 0x1a1, "WIN32K_CALLOUT_WATCHDOG_LIVEDUMP" },
	{ 0xc000021a, "WINLOGON_FATAL_ERROR" },
	{ 0xdeaddead, "MANUALLY_INITIATED_CRASH1" },
};
enum { BUGCHECKS = sizeof bugchecks / sizeof *bugchecks };

static const struct exception *exception_of(uint32_t code)
{
	for (size_t i = 0; i < EXCEPTIONS; i++)
		if (exceptions[i].code == code)
			return &exceptions[i];
	return NULL;
}

const char *kd_exception_name(uint32_t code)
{
	const struct exception *e = exception_of(code);

	return e ? e->name : NULL;
}

unsigned kd_exception_signal(uint32_t code)
{
	const struct exception *e = exception_of(code);

	return e ? e->sig : GDB_TRAP;
}

const char *kd_bugcheck_name(uint32_t code)
{
	for (size_t i = 0; i < BUGCHECKS; i++)
		if (bugchecks[i].code == code)
			return bugchecks[i].name;
	return NULL;
}
