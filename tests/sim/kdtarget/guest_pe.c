/* guest_pe.c - PE images: laid out, relocated, imports resolved, exports found. */
#include "tests/sim/kdtarget/guest_inner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PE_MOST = 1 << 24, PE_IMPORTS = 1 << 12 };
enum { PE_EXPORTS, PE_IMPORT, PE_RELOCATIONS = 5 }; /* data directories */
enum { SECTION_EXEC = 0x20000000, SECTION_WRITE = INT32_MIN };

struct file {
	uint8_t *bytes;
	size_t size;
};

static uint64_t get(const uint8_t *from, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, from, n);
	return v;
}

static void put(uint8_t *to, uint64_t v, unsigned n)
{
	memcpy(to, &v, n);
}

static int fail(const struct pe *pe, const char *words)
{
	fprintf(stderr, "%s: %s\n", pe->path, words);
	return -1;
}

/* NULL where the image ends before n bytes. */
static uint8_t *pe_at(const struct pe *pe, uint64_t rva, uint64_t n)
{
	return rva <= pe->size && n <= pe->size - rva ? pe->bytes + rva : NULL;
}

static uint64_t pe_get(const struct pe *pe, uint64_t rva, unsigned n)
{
	const uint8_t *at = pe_at(pe, rva, n);

	return at ? get(at, n) : 0;
}

static unsigned width(const struct pe *pe)
{
	return pe->wide ? 8 : 4;
}

static uint32_t directory(const struct pe *pe, unsigned n, uint32_t *size)
{
	uint32_t at = pe->headers + 24 + (pe->wide ? 112 : 96) + 8 * n;

	*size = (uint32_t)pe_get(pe, at + 4, 4);
	return (uint32_t)pe_get(pe, at, 4);
}

static const char *pe_name(const struct pe *pe, uint64_t rva)
{
	const uint8_t *at = pe_at(pe, rva, 1);

	return at && memchr(at, 0, pe->size - rva) ? (const char *)at : "";
}

/* --- from the file */

static int file_read(struct file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > PE_MOST || !(f->bytes = malloc((size_t)st.st_size + 1))) {
		perror(path);
		return -1;
	}
	ssize_t got = read(fd, f->bytes, (size_t)st.st_size);

	f->size = got < 0 ? 0 : (size_t)got;
	close(fd);
	return 0;
}

static int section_copy(struct pe *pe, const struct file *f, const uint8_t *header)
{
	uint64_t memory = get(header + 8, 4), at = get(header + 12, 4), raw = get(header + 16, 4), from = get(header + 20, 4);
	uint64_t n = memory && memory < raw ? memory : raw;
	uint8_t *to = pe_at(pe, at, n);

	if (!to || from > f->size || n > f->size - from)
		return fail(pe, "a section lies outside");
	memcpy(to, f->bytes + from, n);
	return 0;
}

static uint32_t sections(const struct pe *pe, unsigned *count)
{
	*count = (unsigned)pe_get(pe, pe->headers + 6, 2);
	return pe->headers + 24 + (uint32_t)pe_get(pe, pe->headers + 20, 2);
}

static int sections_copy(struct pe *pe, const struct file *f)
{
	unsigned count;
	uint32_t at = sections(pe, &count);

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *header = pe_at(pe, at + 40 * i, 40);

		if (!header || section_copy(pe, f, header))
			return -1;
	}
	return 0;
}

static int headers_check(struct pe *pe, const struct file *f, enum guest_arch arch)
{
	static const struct {
		uint16_t machine, magic;
	} known[] = { [GUEST_AMD64] = { 0x8664, 0x20b }, [GUEST_I386] = { 0x14c, 0x10b } };
	uint64_t headers = f->size > 0x40 ? get(f->bytes + 0x3c, 4) : f->size;

	if (headers + 0x108 > f->size || get(f->bytes + headers, 4) != 0x4550)
		return fail(pe, "no PE image");
	pe->headers = (uint32_t)headers;
	pe->wide = arch == GUEST_AMD64;
	if (get(f->bytes + headers + 4, 2) != known[arch].machine || get(f->bytes + headers + 24, 2) != known[arch].magic)
		return fail(pe, "an image of another architecture");
	return 0;
}

static int image_lay(struct pe *pe, const struct file *f)
{
	uint64_t n = get(f->bytes + pe->headers + 84, 4);

	pe->size = (uint32_t)get(f->bytes + pe->headers + 80, 4);
	if (pe->size > PE_MOST || n > f->size || n > pe->size || pe->headers + 0x108 > n || !(pe->bytes = calloc(1, pe->size)))
		return fail(pe, "sizes that cannot be");
	memcpy(pe->bytes, f->bytes, n);
	return sections_copy(pe, f);
}

/* --- relocation */

static int relocate_block(struct pe *pe, const uint8_t *block, uint32_t size, uint64_t by)
{
	static const uint8_t widths[16] = { [3] = 4, [10] = 8 };
	uint64_t page = get(block, 4);

	for (uint32_t i = 8; i + 2 <= size; i += 2) {
		uint64_t entry = get(block + i, 2);
		unsigned n = widths[entry >> 12];
		uint8_t *at = pe_at(pe, page + (entry & 0xfff), n);

		if (!at)
			return fail(pe, "a relocation lies outside");
		put(at, get(at, n) + by, n);
	}
	return 0;
}

static int relocate(struct pe *pe, uint64_t by)
{
	uint32_t size, at = directory(pe, PE_RELOCATIONS, &size), n = 0;

	for (; by && size >= 8; at += n, size -= n) {
		const uint8_t *block = pe_at(pe, at, size);

		n = block ? (uint32_t)get(block + 4, 4) : 0;
		if (n < 8 || n > size)
			return fail(pe, "relocations that cannot be");
		if (relocate_block(pe, block, n, by))
			return -1;
	}
	return 0;
}

/* The header says where it lies, as Windows' loader has it. */
static int rebase(struct pe *pe, uint64_t base)
{
	uint8_t *said = pe->bytes + pe->headers + 24 + (pe->wide ? 24 : 28);
	uint64_t wanted = get(said, width(pe));

	pe->base = base ? base : wanted;
	put(said, pe->base, width(pe));
	return relocate(pe, pe->base - wanted);
}

int pe_load(struct pe *pe, const char *path, enum guest_arch arch, uint64_t base)
{
	struct file f = { 0 };
	int rc;

	*pe = (struct pe){ .path = path };
	rc = file_read(&f, path) || headers_check(pe, &f, arch) || image_lay(pe, &f) || rebase(pe, base) ? -1 : 0;
	free(f.bytes);
	return rc;
}

/* --- names */

uint64_t pe_symbol(const struct pe *pe, const char *name)
{
	uint32_t size, table = directory(pe, PE_EXPORTS, &size), count = (uint32_t)pe_get(pe, table + 24, 4);
	uint64_t places = pe_get(pe, table + 28, 4), names = pe_get(pe, table + 32, 4), ordinals = pe_get(pe, table + 36, 4);

	for (uint32_t i = 0; size && i < count && i < PE_MOST / 4; i++)
		if (!strcmp(pe_name(pe, pe_get(pe, names + 4 * i, 4)), name))
			return pe->base + pe_get(pe, places + 4 * pe_get(pe, ordinals + 2 * i, 2), 4);
	return 0;
}

static int import_table(struct pe *pe, const struct pe *from, uint64_t names, uint64_t slots)
{
	for (unsigned i = 0; i < PE_IMPORTS; i++) {
		uint64_t name = pe_get(pe, names + i * width(pe), width(pe)), symbol;
		uint8_t *slot = pe_at(pe, slots + i * width(pe), width(pe));

		if (!name)
			return 0;
		symbol = pe_symbol(from, pe_name(pe, name + 2));
		if (!symbol || !slot)
			return fail(pe, pe_name(pe, name + 2));
		put(slot, symbol, width(pe));
	}
	return fail(pe, "too many imports");
}

int pe_import(struct pe *pe, const struct pe *from)
{
	uint32_t size, at = directory(pe, PE_IMPORT, &size);

	for (; size >= 20 && pe_get(pe, at + 16, 4); at += 20, size -= 20)
		if (import_table(pe, from, pe_get(pe, at, 4), pe_get(pe, at + 16, 4)))
			return -1;
	return 0;
}

uint64_t pe_entry(const struct pe *pe)
{
	return pe->base + pe_get(pe, pe->headers + 40, 4);
}

bool pe_part(const struct pe *pe, unsigned n, struct pe_part *part)
{
	unsigned count;
	uint32_t at = sections(pe, &count) + 40 * n;
	uint32_t flags = (uint32_t)pe_get(pe, at + 36, 4), end = (uint32_t)(pe_get(pe, at + 12, 4) + pe_get(pe, at + 8, 4));

	part->at = (uint32_t)pe_get(pe, at + 12, 4);
	part->size = end - part->at;
	part->prot = PROT_READ | (flags & SECTION_EXEC ? PROT_EXEC : 0) | (flags & (uint32_t)SECTION_WRITE ? PROT_WRITE : 0);
	return n < count && pe_at(pe, part->at, part->size);
}

void pe_free(struct pe *pe)
{
	free(pe->bytes);
	pe->bytes = NULL;
}
