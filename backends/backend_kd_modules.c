/* backend_kd_modules.c - the images of a KD target: PsLoadedModuleList, as clients want to read it (KD 8). */
#include "backends/backend_kd_parts.h"

#include "filters/guard_doc.h"

#include <string.h>

enum { TEXT_AT = 0x1000 }; /* where an image's first section is, from its base */

/* 1: it is found, at .walk.at; 0; -errno. */
static int find_block(struct backend_kd *b)
{
	struct backend_kd_block *k = &b->block;
	struct span got;
	int rc = 0;

	if (k->state == BACKEND_KD_BLOCK_UNKNOWN && !kd_kdbg_begin(&k->walk, &b->version))
		return -ENOENT;
	if (k->state == BACKEND_KD_BLOCK_UNKNOWN)
		k->state = BACKEND_KD_BLOCK_SEARCHED;
	while (k->state == BACKEND_KD_BLOCK_SEARCHED && rc >= 0) {
		if (backend_kd_fetch(b, k->walk.at, KD_KDBG_HEAD, &got) == 0)
			return 0;
		rc = kd_kdbg_step(&k->walk, got);
		if (rc == 1)
			k->state = BACKEND_KD_BLOCK_FOUND;
	}
	return rc < 0 ? rc : 1;
}

static int read_block(struct backend_kd *b)
{
	enum { MOST = 0x360 };
	size_t size = b->block.walk.size < MOST ? b->block.walk.size : MOST;
	struct span got;
	int rc = backend_kd_fetch(b, b->block.walk.at, size, &got);

	if (rc <= 0)
		return rc;
	buf_reset(&b->block.bytes, 0);
	if (buf_put_span(&b->block.bytes, got) < 0)
		return -ENOBUFS;
	b->block.state = BACKEND_KD_BLOCK_KNOWN;
	return 1;
}

int backend_kd_data_block(struct backend_kd *b)
{
	int rc;

	if (b->block.state == BACKEND_KD_BLOCK_KNOWN)
		return 1;
	rc = find_block(b);
	rc = rc > 0 ? read_block(b) : rc;
	if (rc >= 0)
		return rc;
	b->block.state = BACKEND_KD_BLOCK_UNKNOWN; /* what failed may be there later */
	return -ENOENT;
}

/* A list that cannot be read to its end is told as far as it was. */
int backend_kd_images(struct backend_kd *b)
{
	struct span got;
	uint64_t addr;
	size_t n;

	if (b->images.known)
		return 1;
	if (b->images.step == KD_IMAGES_REST)
		kd_images_begin(&b->images, b->version.machine, b->version.module_list);
	while (kd_images_want(&b->images, &addr, &n)) {
		if (backend_kd_fetch(b, addr, n, &got) == 0)
			return 0;
		if (kd_images_take(&b->images, got) < 0)
			guard_note(&b->guard, GUARD_DOCUMENT, "its list of images does not end");
	}
	kd_images_end(&b->images, !b->task.cut); /* what an interrupt ended is not all */
	return 1;
}

/* 1: it has been looked at; 0. */
static int look_at(struct backend_kd *b, struct kd_image *i)
{
	struct span got;

	while (!i->seen && !b->task.cut) {
		if (backend_kd_fetch(b, i->base, i->look, &got) == 0)
			return 0;
		kd_image_look(i, got);
	}
	return 1;
}

static int look_at_all(struct backend_kd *b)
{
	int rc = backend_kd_images(b);

	for (size_t i = 0; i < b->images.n && rc > 0; i++)
		rc = look_at(b, &b->images.image[i]);
	return rc;
}

static int put_place(struct buf *out, const struct kd_image *i, bool lldb)
{
	if (lldb)
		return buf_printf(out, "<section address=\"0x%llx\"/>", (unsigned long long)i->base);
	return buf_printf(out, "<segment address=\"0x%llx\"/>", (unsigned long long)i->base + TEXT_AT);
}

static int put_image(struct buf *out, const struct kd_image *i, bool lldb)
{
	size_t before = out->len;
	int rc = buf_put_text(out, "<library name=\"" GUARD_NOWHERE);

	for (const char *c = i->name; rc == 0 && *c; c++)
		rc = strchr("<>&\"'", *c) ? buf_put_u8(out, '_') : buf_put_u8(out, (uint8_t)*c);
	rc = rc ? rc : buf_put_text(out, "\">");
	rc = rc ? rc : put_place(out, i, lldb);
	rc = rc ? rc : buf_put_text(out, "</library>");
	if (rc < 0)
		buf_cut(out, before);
	return rc;
}

/* gdb places an image by its first section. lldb places it by its base, which it reads from what is called a section there; and an image
 * that is no DLL becomes its program, whereupon it forgets where everything lies: those it is not told of. Where the kernel lies it asks
 * by itself. */
int backend_kd_task_libraries(struct backend_kd *b, struct backend_news *news)
{
	bool lldb = b->task.cmd.which == 'l';
	int rc = lldb ? look_at_all(b) : backend_kd_images(b);

	if (rc <= 0)
		return rc;
	buf_reset(&b->doc, 0);
	rc = buf_put_text(&b->doc, "<library-list>");
	for (size_t i = 0; i < b->images.n && rc == 0 && buf_room(&b->doc) > 256; i++)
		rc = lldb && !b->images.image[i].dll ? 0 : put_image(&b->doc, &b->images.image[i], lldb);
	if (rc < 0 || buf_put_text(&b->doc, "</library-list>") < 0)
		return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_CHUNK);
}

/* How far the kernel lies from where its file wants to be: that is what linkers choose, for the target's loader has rewritten the header
 * in memory. */
int backend_kd_task_offsets(struct backend_kd *b, struct backend_news *news)
{
	static const uint64_t wants[KD_MACHINES] = { [KD_I386] = 0x400000, [KD_AMD64] = 0x140000000, [KD_ARM64] = 0x140000000 };
	unsigned long long slide = b->version.kern_base - wants[b->version.machine];

	buf_reset(&b->doc, 0);
	if (b->version.kern_base == 0)
		slide = 0;
	if (buf_printf(&b->doc, "Text=%llx;Data=%llx;Bss=%llx", slide, slide, slide) < 0)
		return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_TEXT);
}

/* Asked by lldb of its program, by the path that it has here. */
int backend_kd_task_load_address(struct backend_kd *b, struct backend_news *news)
{
	const struct kd_image *image;
	int rc = backend_kd_images(b);

	if (rc <= 0)
		return rc;
	image = kd_images_find(&b->images, kd_base_name(b->task.cmd.data));
	if (!image)
		return backend_kd_say_error(b, news, 1, "no image of that name is loaded");
	buf_reset(&b->doc, 0);
	if (buf_printf(&b->doc, "%llx", (unsigned long long)image->base) < 0)
		return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_TEXT);
}
