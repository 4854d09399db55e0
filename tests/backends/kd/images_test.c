/* images_test.c - lists of images in memory: read whole, with holes, without an end; what is known of an image stays; names. */
#include "backends/kd/images.h"
#include "backends/kd/le.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAD = 0x1000, ENTRY = 0x100, NAME = 0x80, SIZE = 0x5000 }; /* an entry's name is in its room, behind it */

static const uint64_t at_base = 0xfffff80000400000;
static struct kd_images images;
static uint8_t memory[0x80000];
static uint64_t hole; /* nothing can be read from there on; 0: all can */

static uint64_t entry_at(unsigned i)
{
	return HEAD + ENTRY * (uint64_t)(i + 1);
}

static uint64_t base_at(unsigned i)
{
	return at_base + 0x100000 * (uint64_t)i;
}

static void link_to(uint64_t from, uint64_t to)
{
	le_put(memory + from, 8, to);
}

/* Entry i of 64 bits: Flink, DllBase, SizeOfImage, BaseDllName (KD 8.3). */
static void put_image(unsigned i, const char *name)
{
	uint64_t at = entry_at(i);

	le_put(memory + at + 0x30, 8, base_at(i));
	le_put(memory + at + 0x40, 4, SIZE);
	le_put(memory + at + 0x58, 2, 2 * strlen(name));
	le_put(memory + at + 0x60, 8, at + NAME + 0x30);
	for (size_t k = 0; name[k]; k++)
		le_put(memory + at + NAME + 0x30 + 2 * k, 2, (uint8_t)name[k]);
}

static void put_list(unsigned n, const char *name)
{
	memset(memory, 0, sizeof memory);
	link_to(HEAD, n ? entry_at(0) : HEAD);
	for (unsigned i = 0; i < n; i++) {
		put_image(i, name);
		link_to(entry_at(i), i + 1 < n ? entry_at(i + 1) : HEAD);
	}
}

static int fresh(void **state)
{
	(void)state;
	hole = 0;
	return kd_images_init(&images);
}

static int over(void **state)
{
	(void)state;
	kd_images_fini(&images);
	return 0;
}

static struct span there(uint64_t addr, size_t n)
{
	uint64_t end = hole ? hole : sizeof memory;

	if (addr >= end)
		return (struct span){ 0 };
	return (struct span){ memory + addr, n < end - addr ? n : (size_t)(end - addr) };
}

/* 0; -ELOOP. */
static int walk(uint64_t list)
{
	uint64_t addr;
	size_t n;
	int rc = 0;

	kd_images_begin(&images, KD_AMD64, list);
	while (kd_images_want(&images, &addr, &n)) {
		assert_int_equal(rc, 0);
		rc = kd_images_take(&images, there(addr, n));
	}
	kd_images_end(&images, true);
	return rc;
}

static void a_list(void **state)
{
	(void)state;
	put_list(3, "hal.dll");
	put_image(1, "a\\b<\x01.sys");
	assert_false(images.known);
	assert_int_equal(walk(HEAD), 0);
	assert_true(images.known);
	assert_int_equal(images.n, 3);
	assert_true(images.image[2].base == base_at(2));
	assert_int_equal(images.image[2].size, SIZE);
	assert_string_equal(images.image[0].name, "hal.dll");
	assert_string_equal(images.image[1].name, "b<\\x01.sys");
}

static void of_32_bits(void **state)
{
	uint64_t addr;
	size_t n;

	(void)state;
	kd_images_begin(&images, KD_I386, 0x80001000);
	assert_true(kd_images_want(&images, &addr, &n));
	assert_int_equal(n, 4);
	assert_int_equal(kd_images_take(&images, (struct span){ (const uint8_t *)"\x00\x20\x00\x80", 4 }), 0);
	assert_true(kd_images_want(&images, &addr, &n));
	assert_true(addr == 0x80002000 && n == kd_module_bytes(KD_I386));
}

static void none(void **state)
{
	uint64_t addr;
	size_t n;

	(void)state;
	put_list(0, "");
	assert_false(kd_images_want(&images, &addr, &n));
	assert_int_equal(kd_images_take(&images, there(HEAD, 8)), 0);
	assert_int_equal(walk(0), 0);
	assert_int_equal(walk(HEAD), 0);
	assert_int_equal(images.n, 0);
	hole = HEAD + 7;
	put_list(2, "hal.dll");
	assert_int_equal(walk(HEAD), 0);
	assert_int_equal(images.n, 0);
}

/* As far as it can be read, whatever is missing. */
static void cut_anywhere(void **state)
{
	(void)state;
	put_list(3, "hal.dll");
	for (hole = HEAD + 8; hole < entry_at(3); hole++) {
		uint64_t last = hole - HEAD - ENTRY < 3 * ENTRY ? (hole - HEAD - ENTRY) / ENTRY : 0;
		bool shown = hole >= entry_at(0) && hole - entry_at((unsigned)last) >= 0x68; /* a name's place is the last that is needed */

		assert_int_equal(walk(HEAD), 0);
		assert_int_equal(images.n, hole < entry_at(0) ? 0 : last + shown);
	}
}

static void a_name_that_cannot_be_read(void **state)
{
	char name[KD_IMAGE_NAME];

	(void)state;
	put_list(1, "hal.dll");
	hole = entry_at(0) + NAME + 0x30;
	assert_int_equal(walk(HEAD), 0);
	snprintf(name, sizeof name, "unknown-%llx", (unsigned long long)base_at(0));
	assert_string_equal(images.image[0].name, name);
	hole += 6;
	assert_int_equal(walk(HEAD), 0);
	assert_string_equal(images.image[0].name, "hal");
}

static void images_that_cannot_be(void **state)
{
	(void)state;
	put_list(3, "hal.dll");
	le_put(memory + entry_at(1) + 0x40, 4, 0);
	assert_int_equal(walk(HEAD), 0);
	assert_int_equal(images.n, 2);
	assert_true(images.image[1].base == base_at(2));
}

static void without_end(void **state)
{
	(void)state;
	put_list(3, "hal.dll");
	link_to(entry_at(2), entry_at(0));
	assert_int_equal(walk(HEAD), -ELOOP);
	assert_true(images.n > 2 && images.n < KD_IMAGES_MAX);
}

static void too_many(void **state)
{
	(void)state;
	put_list(KD_IMAGES_MAX + 1, "x");
	assert_int_equal(walk(HEAD), 0);
	assert_int_equal(images.n, KD_IMAGES_MAX);
	assert_true(images.image[KD_IMAGES_MAX - 1].base == base_at(KD_IMAGES_MAX - 1));
}

/* One that says DLL, further behind than is looked at first (pe.h). */
static void headers(void **state)
{
	uint8_t header[0x1000] = { 'M', 'Z' };
	struct kd_image *i = &images.image[0];

	(void)state;
	put_list(1, "hal.dll");
	assert_int_equal(walk(HEAD), 0);
	assert_false(i->seen);
	le_put(header + 0x3c, 4, 0x400);
	memcpy(header + 0x400, "PE\0\0\x64\x86", 6);
	le_put(header + 0x414, 2, 0xf0);
	le_put(header + 0x416, 2, 0x2022);
	le_put(header + 0x418, 2, 0x20b);
	le_put(header + 0x450, 4, SIZE);
	for (unsigned n = 0; !i->seen; n++) {
		uint16_t before = i->look;

		assert_true(n < 8 && i->look <= sizeof header);
		kd_image_look(i, (struct span){ header, i->look });
		assert_true(i->seen || i->look > before);
	}
	assert_true(i->dll);
	assert_int_equal(walk(HEAD), 0); /* the same one: it need not be looked at again */
	assert_true(i->seen && i->dll);
	le_put(memory + entry_at(0) + 0x40, 4, SIZE + 1);
	assert_int_equal(walk(HEAD), 0);
	assert_false(i->seen || i->dll);
	i->seen = true;
	le_put(memory + entry_at(0) + 0x30, 8, base_at(1));
	assert_int_equal(walk(HEAD), 0);
	assert_false(i->seen);
	kd_image_look(i, (struct span){ header, i->look - 1U });
	assert_true(i->seen && !i->dll);
}

static void by_name(void **state)
{
	(void)state;
	put_list(2, "hal.dll");
	put_image(1, "NTOSKRNL.exe");
	assert_int_equal(walk(HEAD), 0);
	assert_ptr_equal(kd_images_find(&images, span_of("ntoskrnl.EXE")), &images.image[1]);
	assert_null(kd_images_find(&images, span_of("ntoskrnl")));
	assert_null(kd_images_find(&images, span_of("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_list, fresh, over),
		cmocka_unit_test_setup_teardown(of_32_bits, fresh, over),
		cmocka_unit_test_setup_teardown(none, fresh, over),
		cmocka_unit_test_setup_teardown(cut_anywhere, fresh, over),
		cmocka_unit_test_setup_teardown(a_name_that_cannot_be_read, fresh, over),
		cmocka_unit_test_setup_teardown(images_that_cannot_be, fresh, over),
		cmocka_unit_test_setup_teardown(without_end, fresh, over),
		cmocka_unit_test_setup_teardown(too_many, fresh, over),
		cmocka_unit_test_setup_teardown(headers, fresh, over),
		cmocka_unit_test_setup_teardown(by_name, fresh, over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
