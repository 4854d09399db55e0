/* images.c - see images.h. */
#include "backends/kd/images.h"

#include "backends/kd/le.h"
#include "backends/kd/pe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOOK = 0x280 }; /* bytes of a header that are enough, mostly */

int kd_images_init(struct kd_images *im)
{
	*im = (struct kd_images){ .image = calloc(KD_IMAGES_MAX, sizeof *im->image) };
	return im->image ? 0 : -ENOMEM;
}

void kd_images_fini(struct kd_images *im)
{
	free(im->image);
}

void kd_images_begin(struct kd_images *im, enum kd_machine machine, uint64_t list)
{
	im->n = 0;
	im->machine = machine;
	im->walk = (struct kd_module_walk){ .head = list };
	im->step = list ? KD_IMAGES_HEAD : KD_IMAGES_ALL;
}

bool kd_images_want(const struct kd_images *im, uint64_t *addr, size_t *n)
{
	const struct {
		uint64_t addr;
		size_t n;
	} wants[KD_IMAGES_STEPS] = {
		[KD_IMAGES_HEAD] = { im->walk.head, kd_pointer_size(im->machine) },
		[KD_IMAGES_ENTRY] = { im->walk.at, kd_module_bytes(im->machine) },
		[KD_IMAGES_NAME] = { im->module.name.addr, im->module.name.bytes },
	};

	*addr = wants[im->step].addr;
	*n = wants[im->step].n;
	return im->step != KD_IMAGES_REST && im->step != KD_IMAGES_ALL;
}

static int take_nothing(struct kd_images *im, struct span got)
{
	(void)im, (void)got;
	return 0;
}

static int take_head(struct kd_images *im, struct span got)
{
	uint64_t first = kd_narrow(im->machine, le_get(got, 0, kd_pointer_size(im->machine))); /* 0: it cannot be read */

	im->step = kd_modules_begin(&im->walk, im->walk.head, first) == 1 ? KD_IMAGES_ENTRY : KD_IMAGES_ALL;
	return 0;
}

static int next(struct kd_images *im)
{
	int rc = kd_modules_step(&im->walk, im->module.next);

	im->step = rc == 1 ? KD_IMAGES_ENTRY : KD_IMAGES_ALL;
	return rc < 0 ? rc : 0;
}

static int take_entry(struct kd_images *im, struct span got)
{
	if (kd_module_parse(got, im->machine, &im->module) < 0)
		return next(im);
	im->step = KD_IMAGES_NAME;
	return 0;
}

static int take_name(struct kd_images *im, struct span got)
{
	struct kd_image *i = &im->image[im->n++];

	if (i->base != im->module.base || i->size != im->module.size) /* else what was seen of it holds */
		*i = (struct kd_image){ .base = im->module.base, .size = im->module.size, .look = LOOK };
	kd_utf16_base(i->name, sizeof i->name, got);
	if (!*i->name)
		snprintf(i->name, sizeof i->name, "unknown-%llx", (unsigned long long)i->base);
	if (im->n < KD_IMAGES_MAX)
		return next(im);
	im->step = KD_IMAGES_ALL;
	return 0;
}

int kd_images_take(struct kd_images *im, struct span got)
{
	static int (*const takes[KD_IMAGES_STEPS])(struct kd_images *im, struct span got) = {
		[KD_IMAGES_REST] = take_nothing, [KD_IMAGES_HEAD] = take_head, [KD_IMAGES_ENTRY] = take_entry,
		[KD_IMAGES_NAME] = take_name, [KD_IMAGES_ALL] = take_nothing,
	};

	return takes[im->step](im, got);
}

void kd_images_end(struct kd_images *im, bool whole)
{
	im->step = KD_IMAGES_REST;
	im->known = whole;
}

/* What cannot be read is no DLL. */
void kd_image_look(struct kd_image *i, struct span header)
{
	struct kd_pe pe = { 0 };
	int rc = header.len < i->look ? -ENODATA : kd_pe_parse(header, &pe);

	i->seen = rc != -EAGAIN;
	i->dll = rc == 0 && pe.dll;
	i->look = (uint16_t)pe.need;
}

const struct kd_image *kd_images_find(const struct kd_images *im, struct span name)
{
	for (size_t i = 0; i < im->n; i++)
		if (strlen(im->image[i].name) == name.len && strncasecmp(im->image[i].name, (const char *)name.p, name.len) == 0)
			return &im->image[i];
	return NULL;
}
