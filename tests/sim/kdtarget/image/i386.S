/* i386.S - what C cannot say: breakpoints, the call of the debugger, the interrupt, the faults, the host's system calls. */
	.cfi_sections .debug_frame

.macro FUNCTION name
	.text
	.p2align 4
	.globl _\name
	.def _\name
	.scl 2
	.type 32
	.endef
_\name:
	.cfi_startproc
.endm

.macro DONE
	.cfi_endproc
.endm

.macro SAVE register
	push %\register
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %\register, 0
.endm

.macro RESTORE register
	pop %\register
	.cfi_adjust_cfa_offset -4
	.cfi_restore %\register
.endm

FUNCTION DbgBreakPoint
	int3
	ret
DONE

FUNCTION DbgBreakPointWithStatus
	int3
	ret
DONE

/* The fifth argument is the service. */
FUNCTION DebugService
	SAVE ebx
	SAVE edi
	mov 0x0c(%esp), %ecx
	mov 0x10(%esp), %edx
	mov 0x14(%esp), %ebx
	mov 0x18(%esp), %edi
	mov 0x1c(%esp), %eax
	int $0x2d
	int3
	RESTORE edi
	RESTORE ebx
	ret
DONE

/* Whoever interrupts pushed PC, then flags. */
FUNCTION KiClockInterrupt
	.cfi_signal_frame
	.cfi_def_cfa %esp, 8
	.cfi_offset %eip, -4
	SAVE ebp
	SAVE eax
	SAVE ecx
	SAVE edx
	mov %esp, %ebp
	.cfi_def_cfa_register %ebp
	and $-16, %esp
	cld
	call _KeUpdateRunTime
	mov %ebp, %esp
	.cfi_def_cfa_register %esp
	RESTORE edx
	RESTORE ecx
	RESTORE eax
	RESTORE ebp
	popfl
	.cfi_adjust_cfa_offset -4
	ret
DONE

/* nanosleep(&KiIdleTime, NULL) */
FUNCTION KiIdle
	SAVE ebx
	mov $162, %eax
	mov $_KiIdleTime, %ebx
	xor %ecx, %ecx
	int $0x80
	RESTORE ebx
	ret
DONE

/* exit_group(0) */
FUNCTION HalResetMachine
	mov $252, %eax
	xor %ebx, %ebx
	int $0x80
	ud2
DONE

FUNCTION KiFaultRead
	mov 4(%esp), %eax
	movl $1f, (%eax)
	xor %edx, %edx
	mov 0x10(%edx), %eax
1:	ret
DONE

FUNCTION KiFaultWrite
	mov 4(%esp), %eax
	movl $1f, (%eax)
	xor %edx, %edx
	mov %eax, 0x20(%edx)
1:	ret
DONE

FUNCTION KiFaultDivide
	mov 4(%esp), %eax
	movl $1f, (%eax)
	xor %edx, %edx
	xor %ecx, %ecx
	div %ecx
1:	ret
DONE

FUNCTION KiFaultIllegal
	mov 4(%esp), %eax
	movl $1f, (%eax)
	ud2
1:	ret
DONE

	.data
	.p2align 4
	.globl _KiIdleTime
_KiIdleTime:
	.long 0, 2000000
