/* images.h - the images of a kernel as its list of them tells (KD 8.3): base, size, name. No I/O: whoever has the target reads what is
 * wanted, and gives it.
 *
 *	kd_images_begin(...);
 *	while (kd_images_want(im, &addr, &n))
 *		kd_images_take(im, what is there);
 *	kd_images_end(im, true); */
#ifndef BACKENDS_KD_IMAGES_H
#define BACKENDS_KD_IMAGES_H

#include "backends/kd/module.h"

enum { KD_IMAGES_MAX = 1024, KD_IMAGE_NAME = 64 };

struct kd_image {
	uint64_t base;
	uint32_t size;
	bool seen, dll;           /* seen: its header was looked at, which tells .dll */
	uint16_t look;            /* so many bytes of the header are to be looked at, from .base */
	char name[KD_IMAGE_NAME]; /* made safe (module.h); the base name of its file, or one that kdgate gave it */
};

enum kd_images_step { KD_IMAGES_REST, KD_IMAGES_HEAD, KD_IMAGES_ENTRY, KD_IMAGES_NAME, KD_IMAGES_ALL, KD_IMAGES_STEPS };

struct kd_images {
	struct kd_image *image; /* KD_IMAGES_MAX, owned */
	size_t n;
	bool known;             /* they are those of the last list that was read to its end */
	enum kd_images_step step;
	enum kd_machine machine;
	struct kd_module_walk walk;
	struct kd_module module; /* whose name is read */
};

int kd_images_init(struct kd_images *im) MUST_USE; /* 0; -ENOMEM */
void kd_images_fini(struct kd_images *im);         /* also when init failed, or of one that is all zero */

/* A list that cannot be read is over there; an image that is in the same place as before is known as it was. list: address of its head;
 * 0: none. What a walk has found is there at once. */
void kd_images_begin(struct kd_images *im, enum kd_machine machine, uint64_t list);
bool kd_images_want(const struct kd_images *im, uint64_t *addr, size_t *n); /* false: that was all, or there is no walk; n may be 0 */
int kd_images_take(struct kd_images *im, struct span got) MUST_USE; /* what could be read there. 0; -ELOOP: it has no end, and is over */
void kd_images_end(struct kd_images *im, bool whole);

void kd_image_look(struct kd_image *i, struct span header); /* what could be read; if it is not .seen yet, .look tells what to read */
const struct kd_image *kd_images_find(const struct kd_images *im, struct span name); /* in any case; NULL */

#endif
