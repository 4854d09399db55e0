/* backend_kd_modules.c - the images of a KD target: PsLoadedModuleList, as clients want to read it (KD 8). */
#include "backends/backend_kd_parts.h"

#include "filters/guard_doc.h"

#include "backends/kd/pe.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TEXT_AT = 0x1000, LOOK = 0x280 }; /* LOOK: bytes of a header that are enough, mostly */

int backend_kd_data_block(struct backend_kd *b)
{
	enum { BLOCK = 0x360 };
	struct span got;
	int rc;

	if (b->kdbg_known)
		return 1;
	if (!b->kdbg_tried) {
		b->kdbg_tried = true;
		b->kdbg_found = false;
		b->kdbg_failed = !kd_kdbg_begin(&b->kdbg, &b->version);
	}
	while (!b->kdbg_failed && !b->kdbg_found) {
		rc = backend_kd_fetch(b, b->kdbg.at, KD_KDBG_HEAD, &got);
		if (rc == 0)
			return 0;
		rc = kd_kdbg_step(&b->kdbg, got);
		b->kdbg_found = rc == 1;
		b->kdbg_failed = rc < 0;
	}
	rc = b->kdbg_failed ? -ENOENT : backend_kd_fetch(b, b->kdbg.at, b->kdbg.size < BLOCK ? b->kdbg.size : BLOCK, &got);
	if (rc == 0)
		return 0;
	b->kdbg_tried = false; /* what failed may be there later */
	if (rc < 0)
		return -ENOENT;
	buf_reset(&b->kdbg_bytes, 0);
	b->kdbg_known = buf_put_span(&b->kdbg_bytes, got) == 0;
	return b->kdbg_known ? 1 : -ENOENT;
}

enum { WALK_HEAD, WALK_ENTRY, WALK_NAME, WALK_END };

static uint64_t pointer_at(enum kd_machine m, struct span s)
{
	struct cursor c = cursor_of(s);

	return kd_narrow(m, cursor_le(&c, kd_pointer_size(m)));
}

static int walk_head(struct backend_kd *b)
{
	enum kd_machine m = b->version.machine;
	struct span got;
	int rc;

	if (!b->version.module_list)
		return WALK_END;
	rc = backend_kd_fetch(b, b->version.module_list, kd_pointer_size(m), &got);
	if (rc == 0)
		return -EAGAIN;
	if (rc < 0 || kd_modules_begin(&b->walk, b->version.module_list, pointer_at(m, got)) != 1)
		return WALK_END;
	return WALK_ENTRY;
}

static int next_entry(struct backend_kd *b)
{
	int rc = kd_modules_step(&b->walk, b->module.next);

	if (rc < 0)
		guard_note(&b->guard, GUARD_DOCUMENT, "its list of images does not end");
	return rc == 1 ? WALK_ENTRY : WALK_END;
}

static int walk_entry(struct backend_kd *b)
{
	struct span got;
	int rc = backend_kd_fetch(b, b->walk.at, kd_module_bytes(b->version.machine), &got);

	if (rc == 0)
		return -EAGAIN;
	if (kd_module_parse(got, b->version.machine, &b->module) < 0)
		return next_entry(b);
	return WALK_NAME;
}

static int walk_name(struct backend_kd *b)
{
	struct backend_kd_image *image = &b->images[b->images_n];
	struct span got;
	int rc = backend_kd_fetch(b, b->module.name.addr, b->module.name.bytes, &got);

	if (rc == 0)
		return -EAGAIN;
	if (image->base != b->module.base || image->size != b->module.size) /* else what was seen of it holds */
		*image = (struct backend_kd_image){ .base = b->module.base, .size = b->module.size, .text = TEXT_AT, .look = LOOK };
	kd_utf16_base(image->name, sizeof image->name, got);
	if (!*image->name)
		snprintf(image->name, sizeof image->name, "unknown-%llx", (unsigned long long)image->base);
	b->images_n++;
	return b->images_n < BACKEND_KD_IMAGES ? next_entry(b) : WALK_END;
}

/* A list that cannot be read to its end is told as far as it was. */
int backend_kd_images(struct backend_kd *b)
{
	static int (*const walks[])(struct backend_kd *b) = { walk_head, walk_entry, walk_name };
	int next;

	if (b->images_known)
		return 1;
	if (!b->walking) {
		b->walking = true;
		b->images_n = 0;
		b->walk_step = WALK_HEAD;
	}
	while (b->walk_step != WALK_END) {
		next = walks[b->walk_step](b);
		if (next == -EAGAIN)
			return 0;
		b->walk_step = (unsigned)next;
	}
	b->walking = false;
	b->images_known = !b->cut; /* what an interrupt ended is not all */
	return 1;
}

/* 1: it has been looked at; 0. What cannot be read is no DLL. */
static int look_at(struct backend_kd *b, struct backend_kd_image *i)
{
	struct kd_pe pe = { 0 };
	struct span got;
	int rc;

	while (!i->seen && !b->cut) {
		rc = backend_kd_fetch(b, i->base, i->look, &got);
		if (rc == 0)
			return 0;
		rc = rc < 0 ? rc : kd_pe_parse(got, &pe);
		i->seen = rc != -EAGAIN;
		i->dll = rc == 0 && pe.dll;
		i->look = (uint16_t)pe.need;
	}
	return 1;
}

static int look_at_all(struct backend_kd *b)
{
	int rc = backend_kd_images(b);

	for (size_t i = 0; i < b->images_n && rc > 0; i++)
		rc = look_at(b, &b->images[i]);
	return rc;
}

static int put_place(struct buf *out, const struct backend_kd_image *i, bool lldb)
{
	if (lldb)
		return buf_printf(out, "<section address=\"0x%llx\"/>", (unsigned long long)i->base);
	return buf_printf(out, "<segment address=\"0x%llx\"/>", (unsigned long long)i->base + i->text);
}

static int put_image(struct buf *out, const struct backend_kd_image *i, bool lldb)
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
	bool lldb = b->cmd.which == 'l';
	int rc = lldb ? look_at_all(b) : backend_kd_images(b);

	if (rc <= 0)
		return rc;
	buf_reset(&b->doc, 0);
	rc = buf_put_text(&b->doc, "<library-list>");
	for (size_t i = 0; i < b->images_n && rc == 0 && buf_room(&b->doc) > 256; i++)
		rc = lldb && !b->images[i].dll ? 0 : put_image(&b->doc, &b->images[i], lldb);
	if (rc < 0 || buf_put_text(&b->doc, "</library-list>") < 0)
		return -ENOBUFS;
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_CHUNK, .bytes = buf_span(&b->doc), .last = true };
	return backend_kd_done(b, BACKEND_KD_IDLE, BACKEND_REPLY);
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
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_TEXT, .bytes = buf_span(&b->doc) };
	return backend_kd_done(b, BACKEND_KD_IDLE, BACKEND_REPLY);
}

/* The last part of a path, of either kind. */
static struct span last_part(struct span path)
{
	size_t from = path.len;

	while (from && path.p[from - 1] != '/' && path.p[from - 1] != '\\')
		from--;
	return span_from(path, from);
}

static const struct backend_kd_image *image_of(const struct backend_kd *b, struct span name)
{
	for (size_t i = 0; i < b->images_n; i++)
		if (strlen(b->images[i].name) == name.len && strncasecmp(b->images[i].name, (const char *)name.p, name.len) == 0)
			return &b->images[i];
	return NULL;
}

/* Asked by lldb of its program, by the path that it has here. */
int backend_kd_task_load_address(struct backend_kd *b, struct backend_news *news)
{
	const struct backend_kd_image *image;
	int rc = backend_kd_images(b);

	if (rc <= 0)
		return rc;
	image = image_of(b, last_part(b->cmd.data));
	if (!image)
		return backend_kd_say_error(b, news, 1, "no image of that name is loaded");
	buf_reset(&b->doc, 0);
	if (buf_printf(&b->doc, "%llx", (unsigned long long)image->base) < 0)
		return -ENOBUFS;
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_TEXT, .bytes = buf_span(&b->doc) };
	return backend_kd_done(b, BACKEND_KD_IDLE, BACKEND_REPLY);
}
