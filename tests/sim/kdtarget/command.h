/* command.h - what the small kernel can be told to do, and what it asks of its debugger. The kernel itself is built with it too. */
#ifndef SIM_KDTARGET_COMMAND_H
#define SIM_KDTARGET_COMMAND_H

/* Written to the kernel's export KdSimCommand (32 bits). KdSimArgument (32 bits) goes before it. Processor KdSimProcessor (32 bits, 0 at
 * first) sees it within milliseconds, sets it to 0, then does it. */
enum {
	KDSIM_PRINT = 1, /* "kdsim: print N\n", argument times, at least once */
	KDSIM_PROMPT,    /* "kdsim: name? ", then "kdsim: hello, ANSWER\n" */
	KDSIM_BREAK,     /* DbgBreakPoint: a hard-coded int3 */
	KDSIM_READ,      /* a fault each. Argument 0: KiExceptionHandler (a pointer, exported) holds the PC where it is caught; */
	KDSIM_WRITE,     /* 1: nobody catches it. The kernel itself does not see the fault: whoever serves KD sends the processor to */
	KDSIM_DIVIDE,    /* *KiExceptionHandler, or to KiUnhandledException(code, address), which does not return */
	KDSIM_ILLEGAL,
	KDSIM_LOAD,      /* the driver: listed, symbols told, DriverEntry */
	KDSIM_UNLOAD,    /* its unload routine, symbols told while it is listed, off the list */
	KDSIM_BUGCHECK,  /* KeBugCheckEx(argument or 0xE2, 1, 2, 3, 4): two breaks, then as KDSIM_REBOOT */
	KDSIM_REBOOT,    /* tells that all symbols go, then the machine is gone */
	KDSIM_COMMAND,   /* a command string for the debugger */
	KDSIM_SPIN,      /* the processor loops without a rest, argument turns; 0: until KdSimSpin (32 bits, 1 meanwhile) is set to 0 */
};

/* int 0x2d; an int3 follows, which whoever serves it has to skip. amd64: eax, and rcx rdx r8 r9. i386: eax, and ecx edx ebx edi.
 * STRING: length and room (16 bits each), then, aligned as a pointer, a pointer. */
enum {
	KDSIM_SERVICE_PRINT = 1, /* text, length, component, level; eax: status */
	KDSIM_SERVICE_PROMPT,    /* prompt, length, answer, its room; eax: length of the answer */
	KDSIM_SERVICE_LOAD,      /* STRING path (8-bit), { pointer base, pointer process, 32 bits checksum, 32 bits size } */
	KDSIM_SERVICE_UNLOAD,    /* the same. Base all ones, and the path NULL: everything */
	KDSIM_SERVICE_COMMAND,   /* STRING name, STRING command */
};

#endif
