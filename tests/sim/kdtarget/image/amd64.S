/* amd64.S - what C cannot say: breakpoints, the call of the debugger, the interrupt, the faults, the host's system calls. */
	.cfi_sections .debug_frame

.macro FUNCTION name
	.text
	.p2align 4
	.globl \name
	.def \name
	.scl 2
	.type 32
	.endef
\name:
	.cfi_startproc
.endm

.macro DONE
	.cfi_endproc
.endm

.macro SAVE register
	push %\register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %\register, 0
.endm

.macro RESTORE register
	pop %\register
	.cfi_adjust_cfa_offset -8
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
	mov 0x28(%rsp), %eax
	int $0x2d
	int3
	ret
DONE

/* Whoever interrupts pushed PC, then flags. */
FUNCTION KiClockInterrupt
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 16
	.cfi_offset %rip, -8
	SAVE rbp
	SAVE rax
	SAVE rcx
	SAVE rdx
	SAVE r8
	SAVE r9
	SAVE r10
	SAVE r11
	mov %rsp, %rbp
	.cfi_def_cfa_register %rbp
	and $-16, %rsp
	sub $32, %rsp
	cld
	call KeUpdateRunTime
	mov %rbp, %rsp
	.cfi_def_cfa_register %rsp
	RESTORE r11
	RESTORE r10
	RESTORE r9
	RESTORE r8
	RESTORE rdx
	RESTORE rcx
	RESTORE rax
	RESTORE rbp
	popfq
	.cfi_adjust_cfa_offset -8
	ret
DONE

/* nanosleep(&KiIdleTime, NULL) */
FUNCTION KiIdle
	SAVE rdi
	SAVE rsi
	mov $35, %eax
	lea KiIdleTime(%rip), %rdi
	xor %esi, %esi
	syscall
	RESTORE rsi
	RESTORE rdi
	ret
DONE

/* exit_group(0) */
FUNCTION HalResetMachine
	mov $231, %eax
	xor %edi, %edi
	syscall
	ud2
DONE

FUNCTION KiFaultRead
	lea 1f(%rip), %rax
	mov %rax, (%rcx)
	xor %edx, %edx
	mov 0x10(%rdx), %eax
1:	ret
DONE

FUNCTION KiFaultWrite
	lea 1f(%rip), %rax
	mov %rax, (%rcx)
	xor %edx, %edx
	mov %eax, 0x20(%rdx)
1:	ret
DONE

FUNCTION KiFaultDivide
	lea 1f(%rip), %rax
	mov %rax, (%rcx)
	xor %edx, %edx
	xor %ecx, %ecx
	div %ecx
1:	ret
DONE

FUNCTION KiFaultIllegal
	lea 1f(%rip), %rax
	mov %rax, (%rcx)
	ud2
1:	ret
DONE

	.data
	.p2align 4
	.globl KiIdleTime
KiIdleTime:
	.quad 0, 2000000
