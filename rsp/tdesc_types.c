/* tdesc_types.c - see tdesc_types.h. */
#include "rsp/tdesc_types.h"

#include <errno.h>
#include <string.h>

enum { WORD = -1 }; /* as large as a pointer of the architecture */

static const struct {
	const char *id;
	int bits;
} builtin[] = {
	{ "bool", 8 },         { "int8", 8 },         { "int16", 16 },      { "int32", 32 },      { "int64", 64 },
	{ "int128", 128 },     { "uint8", 8 },        { "uint16", 16 },     { "uint32", 32 },     { "uint64", 64 },
	{ "uint128", 128 },    { "code_ptr", WORD },  { "data_ptr", WORD }, { "ieee_half", 16 },  { "ieee_single", 32 },
	{ "ieee_double", 64 }, { "arm_fpa_ext", 96 }, { "i387_ext", 80 },   { "bfloat16", 16 },
};

/* The first that an architecture's name begins with tells how large its pointers are. */
static const struct {
	const char *arch;
	unsigned bits;
} words[] = {
	{ "i386:x86-64", 64 },      { "i386:x64-32", 32 },    { "i386", 32 },        { "aarch64:ilp32", 32 }, { "aarch64", 64 },
	{ "arm", 32 },              { "riscv:rv64", 64 },     { "riscv:rv32", 32 },  { "s390:64-bit", 64 },   { "s390:31-bit", 32 },
	{ "powerpc:common64", 64 }, { "powerpc:common", 32 }, { "Loongarch64", 64 }, { "m68k", 32 },          { "xtensa", 32 },
};

unsigned tdesc_word_bits(const char *arch)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strncmp(arch, words[i].arch, strlen(words[i].arch)))
			return words[i].bits;
	return 0;
}

/* Looked up as gdb does: the feature's own first. */
uint64_t tdesc_type_bits(const struct tdesc_types *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->list[i].feature == t->feature && !strcmp(t->list[i].id, id))
			return t->list[i].bits;
	for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++)
		if (!strcmp(builtin[i].id, id))
			return builtin[i].bits == WORD ? t->word : (uint64_t)builtin[i].bits;
	return 0;
}

int tdesc_type_add(struct tdesc_types *t, const char *id, uint64_t bits)
{
	struct tdesc_type *type = &t->list[t->n];

	if (!bits || bits > TDESC_BITS_MAX)
		return -EBADMSG;
	if (t->n == TDESC_TYPES)
		return -E2BIG;
	memcpy(type->id, id, strlen(id) + 1);
	type->feature = t->feature;
	type->bits = bits;
	t->n++;
	return 0;
}
