/* decode_out.c - see decode_out.h. */
#include "proxy/decode_out.h"

#include "backends/kd/module.h"
#include "base/hex.h"
#include "base/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 64 /* bytes of what has more, in text */, QUOTED = 4 * KD_PAYLOAD_MAX + 8 };

int decode_voice_init(struct decode_voice *v, const char *protocol, const char *opening, double time)
{
	*v = (struct decode_voice){ .protocol = protocol, .opened = time };
	snprintf(v->opening, sizeof v->opening, "%s", opening);
	return buf_init(&v->pending, DECODE_PENDING);
}

void decode_voice_fini(struct decode_voice *v)
{
	buf_fini(&v->pending);
}

void decode_out_time(struct decode_out *o, double time)
{
	if (!o->timed)
		o->start = time;
	o->timed = true;
}

/* --- JSON */

/* A difference has digits that mean nothing. */
static double microseconds(double time)
{
	char text[400];

	snprintf(text, sizeof text, "%.6f", time);
	return strtod(text, NULL);
}

static json_t *frame_of(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way)
{
	json_t *j = json_object();

	json_object_set_new(j, "time", json_real(microseconds(time - o->start)));
	json_object_set_new(j, "epoch", json_real(time));
	json_object_set_new(j, "conversation", json_integer((json_int_t)v->number));
	json_object_set_new(j, "protocol", json_string(v->protocol));
	if (way == DECODE_CLIENT || way == DECODE_TARGET)
		json_object_set_new(j, "from", json_string(way == DECODE_CLIENT ? "client" : "target"));
	return j;
}

static void print_json(const struct decode_out *o, json_t *j)
{
	json_dumpf(j, o->to, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(16));
	fputc('\n', o->to);
	json_decref(j);
}

static const char *hex_of(char *out, size_t size, struct span s)
{
	struct buf b = { .base = (uint8_t *)out, .cap = size - 1 };

	out[hex_put(&b, s) < 0 ? 0 : b.len] = 0;
	return out;
}

static json_t *json_number(const struct kd_fact *f, char text[QUOTED])
{
	(void)text;
	return json_integer((json_int_t)f->number);
}

static json_t *json_yes(const struct kd_fact *f, char text[QUOTED])
{
	(void)text;
	return json_boolean(f->number);
}

static json_t *json_hex(const struct kd_fact *f, char text[QUOTED])
{
	snprintf(text, QUOTED, "0x%" PRIx64, f->number);
	return json_string(text);
}

static json_t *json_word(const struct kd_fact *f, char text[QUOTED])
{
	(void)text;
	return json_string(f->word);
}

static json_t *json_text(const struct kd_fact *f, char text[QUOTED])
{
	return json_string(text_ascii(text, QUOTED, f->bytes));
}

static json_t *json_utf16(const struct kd_fact *f, char text[QUOTED])
{
	return json_string(kd_utf16_text(text, QUOTED, f->bytes));
}

static json_t *json_bytes(const struct kd_fact *f, char text[QUOTED])
{
	return json_string(hex_of(text, QUOTED, f->bytes));
}

static void facts_as_json(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way,
	const struct kd_facts *f)
{
	static json_t *(*const values[])(const struct kd_fact *, char *) = {
		[KD_FACT_NUMBER] = json_number, [KD_FACT_YES] = json_yes,     [KD_FACT_HEX] = json_hex,     [KD_FACT_WORD] = json_word,
		[KD_FACT_TEXT] = json_text,     [KD_FACT_UTF16] = json_utf16, [KD_FACT_BYTES] = json_bytes,
	};
	json_t *j = frame_of(o, v, time, way);
	char text[QUOTED];

	for (size_t i = 0; i < f->n; i++)
		json_object_set_new(j, f->facts[i].name, values[f->facts[i].form](&f->facts[i], text));
	print_json(o, j);
}

static void words_as_json(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way, const char *words)
{
	json_t *j = frame_of(o, v, time, way);

	json_object_set_new(j, way == DECODE_NOBODY ? "event" : "text", json_string(words));
	print_json(o, j);
}

/* --- text */

/* What begins a line needs no name. */
static bool is_title(const char *name)
{
	return !strcmp(name, "channel") || !strcmp(name, "packet") || !strcmp(name, "api");
}

static void print_number(FILE *to, const struct kd_fact *f)
{
	fprintf(to, "%" PRIu64, f->number);
}

static void print_yes(FILE *to, const struct kd_fact *f)
{
	fputs(f->number ? "yes" : "no", to);
}

static void print_hex(FILE *to, const struct kd_fact *f)
{
	fprintf(to, "0x%" PRIx64, f->number);
}

static void print_word(FILE *to, const struct kd_fact *f)
{
	fprintf(to, strchr(f->word, ' ') && !is_title(f->name) ? "\"%s\"" : "%s", f->word);
}

/* What a target says ends where the quotes do. */
static void put_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++)
		*text == '"' ? fputs("\\x22", to) : fputc(*text, to);
	fputc('"', to);
}

static void print_text(FILE *to, const struct kd_fact *f)
{
	char text[QUOTED];

	put_quoted(to, text_ascii(text, sizeof text, f->bytes));
}

static void print_utf16(FILE *to, const struct kd_fact *f)
{
	char wide[QUOTED], text[QUOTED];

	kd_utf16_text(wide, sizeof wide, f->bytes);
	put_quoted(to, text_ascii(text, sizeof text, span_of(wide)));
}

static void print_bytes(FILE *to, const struct kd_fact *f)
{
	struct span shown = { f->bytes.p, f->bytes.len < SHOWN ? f->bytes.len : SHOWN };
	char text[2 * SHOWN + 1];

	fputs(hex_of(text, sizeof text, shown), to);
	if (f->bytes.len > SHOWN)
		fprintf(to, "...(%zu bytes)", f->bytes.len);
}

static void print_head(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way)
{
	fprintf(o->to, "%11.6f #%" PRIu64 " %c", time - o->start, v->number, (char)way);
}

static void facts_as_text(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way,
	const struct kd_facts *f)
{
	static void (*const prints[])(FILE *, const struct kd_fact *) = {
		[KD_FACT_NUMBER] = print_number, [KD_FACT_YES] = print_yes,     [KD_FACT_HEX] = print_hex,     [KD_FACT_WORD] = print_word,
		[KD_FACT_TEXT] = print_text,     [KD_FACT_UTF16] = print_utf16, [KD_FACT_BYTES] = print_bytes,
	};

	print_head(o, v, time, way);
	for (size_t i = 0; i < f->n; i++) {
		fputc(' ', o->to);
		if (!is_title(f->facts[i].name))
			fprintf(o->to, "%s=", f->facts[i].name);
		prints[f->facts[i].form](o->to, &f->facts[i]);
	}
	fputc('\n', o->to);
}

void decode_out_facts(struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way, const struct kd_facts *f)
{
	(o->json ? facts_as_json : facts_as_text)(o, v, time, way, f);
}

/* --- words, and those that wait */

static void print_words(const struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way, const char *words)
{
	if (o->json) {
		words_as_json(o, v, time, way, words);
		return;
	}
	print_head(o, v, time, way);
	fprintf(o->to, " %s\n", words);
}

struct waiting {
	double time;
	enum decode_way way;
};

static void keep(struct decode_voice *v, double time, enum decode_way way, const char *words)
{
	struct waiting head = { time, way };
	size_t n = strlen(words) + 1;

	if (buf_room(&v->pending) < n + sizeof head) {
		buf_reset(&v->pending, 0);
		v->left_out = true;
	}
	if (buf_room(&v->pending) < n + sizeof head)
		return;
	(void)!buf_put(&v->pending, &head, sizeof head);
	(void)!buf_put(&v->pending, words, n);
}

static void print_pending(struct decode_out *o, struct decode_voice *v)
{
	struct cursor c = cursor_of(buf_span(&v->pending));

	while (!cursor_done(&c)) {
		struct waiting head;
		struct span bytes = cursor_take(&c, sizeof head);
		const char *words = (const char *)c.p;

		if (c.bad)
			break;
		memcpy(&head, bytes.p, sizeof head);
		print_words(o, v, head.time, head.way, words);
		cursor_take(&c, strlen(words) + 1);
	}
	buf_reset(&v->pending, 0);
}

void decode_out_found(struct decode_out *o, struct decode_voice *v)
{
	char words[DECODE_OPENING + 64];

	v->number = ++o->found;
	snprintf(words, sizeof words, "%s%s", v->opening, v->left_out ? "; much that is no packet is left out" : "");
	print_words(o, v, v->opened, DECODE_NOBODY, words);
	print_pending(o, v);
}

void decode_out_words(struct decode_out *o, struct decode_voice *v, double time, enum decode_way way, const char *words)
{
	if (v->number)
		print_words(o, v, time, way, words);
	else
		keep(v, time, way, words);
}
