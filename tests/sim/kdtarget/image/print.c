/* print.c - %s %c %u %d %x %p, with a width and zeros. */
#include "ke.h"

struct _FORMAT {
	char *To;
	uint32_t Room, Length;
};

static void RtlpPut(struct _FORMAT *Out, char c)
{
	if (Out->Length < Out->Room)
		Out->To[Out->Length++] = c;
}

static void RtlpPutString(struct _FORMAT *Out, const char *String)
{
	while (*String)
		RtlpPut(Out, *String++);
}

static void RtlpPutNumber(struct _FORMAT *Out, uintptr_t Value, uint32_t Base, uint32_t Width)
{
	char Digits[24];
	uint32_t Count = 0;

	do {
		Digits[Count++] = "0123456789ABCDEF"[Value % Base];
		Value /= Base;
	} while (Value || Count < Width);
	while (Count)
		RtlpPut(Out, Digits[--Count]);
}

static void RtlpPutSigned(struct _FORMAT *Out, int32_t Value, uint32_t Width)
{
	if (Value < 0)
		RtlpPut(Out, '-');
	RtlpPutNumber(Out, Value < 0 ? 0u - (uint32_t)Value : (uint32_t)Value, 10, Width);
}

static uint32_t RtlpWidth(const char **Format)
{
	uint32_t Width = 0;

	while (**Format >= '0' && **Format <= '9')
		Width = (Width * 10 + (uint32_t)(*(*Format)++ - '0')) % 24;
	return Width;
}

uint32_t RtlFormat(char *To, uint32_t Room, const char *Format, va_list Arguments)
{
	struct _FORMAT Out = { To, Room, 0 };

	for (; *Format; Format++) {
		if (*Format != '%') {
			RtlpPut(&Out, *Format);
			continue;
		}
		Format++;
		uint32_t Width = RtlpWidth(&Format);

		if (*Format == 's')
			RtlpPutString(&Out, va_arg(Arguments, const char *));
		else if (*Format == 'c')
			RtlpPut(&Out, (char)va_arg(Arguments, int));
		else if (*Format == 'd')
			RtlpPutSigned(&Out, va_arg(Arguments, int32_t), Width);
		else if (*Format == 'p')
			RtlpPutNumber(&Out, va_arg(Arguments, uintptr_t), 16, 2 * sizeof(void *));
		else
			RtlpPutNumber(&Out, va_arg(Arguments, uint32_t), *Format == 'x' ? 16 : 10, Width);
	}
	return Out.Length;
}
