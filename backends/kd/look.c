/* look.c - see look.h. A table of the manipulate requests' fields, and one small function for each other kind of packet. */
#include "backends/kd/look.h"

#include "backends/kd/api.h"
#include "backends/kd/context.h"
#include "backends/kd/io.h"
#include "backends/kd/le.h"
#include "backends/kd/state.h"
#include "backends/kd/version.h"

enum { UNION = 16, ASKED = 1, SAID = 2, BOTH = 3 };
enum { IO_HEADER = 16, REFUSED_FILE = 4, TRACE = 64, GO_AT = 20, CONTROL_RELEASE = 0x4301 };

/* Where a field lies in the header of a manipulate packet, and in which direction it means something (KD 3.2). */
static const struct field {
	uint16_t api;
	const char *name;
	uint8_t at, bytes, ways;
	enum kd_fact_form form;
} fields[] = {
	{ KD_READ_VIRTUAL, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_READ_VIRTUAL, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_VIRTUAL, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_WRITE_VIRTUAL, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_VIRTUAL, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_VIRTUAL, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_GET_CONTEXT, "flags", 16, 4, ASKED, KD_FACT_HEX },
	{ KD_SET_CONTEXT, "flags", 16, 4, ASKED, KD_FACT_HEX },
	{ KD_WRITE_BREAKPOINT, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_BREAKPOINT, "handle", 24, 4, SAID, KD_FACT_NUMBER },
	{ KD_RESTORE_BREAKPOINT, "handle", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_CONTINUE, "continue", 16, 4, ASKED, KD_FACT_HEX },
	{ KD_READ_CONTROL_SPACE, "selector", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_READ_CONTROL_SPACE, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_CONTROL_SPACE, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_WRITE_CONTROL_SPACE, "selector", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_CONTROL_SPACE, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_CONTROL_SPACE, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE, "port", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_READ_IO_SPACE, "size", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE, "value", 28, 4, SAID, KD_FACT_HEX },
	{ KD_WRITE_IO_SPACE, "port", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_IO_SPACE, "size", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_IO_SPACE, "value", 28, 4, BOTH, KD_FACT_HEX },
	{ KD_CONTINUE2, "continue", 16, 4, ASKED, KD_FACT_HEX },
	{ KD_CONTINUE2, "trace", 20, 4, ASKED, KD_FACT_NUMBER },
	{ KD_READ_PHYSICAL, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_READ_PHYSICAL, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_PHYSICAL, "caching", 28, 4, ASKED, KD_FACT_NUMBER },
	{ KD_READ_PHYSICAL, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_WRITE_PHYSICAL, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_PHYSICAL, "count", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_PHYSICAL, "caching", 28, 4, ASKED, KD_FACT_NUMBER },
	{ KD_WRITE_PHYSICAL, "actual", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_QUERY_SPECIAL_CALLS, "count", 16, 4, SAID, KD_FACT_NUMBER },
	{ KD_SET_SPECIAL_CALL, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_SET_INTERNAL_BREAKPOINT, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_SET_INTERNAL_BREAKPOINT, "flags", 24, 4, BOTH, KD_FACT_HEX },
	{ KD_GET_INTERNAL_BREAKPOINT, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_GET_INTERNAL_BREAKPOINT, "flags", 24, 4, SAID, KD_FACT_HEX },
	{ KD_GET_INTERNAL_BREAKPOINT, "calls", 28, 4, SAID, KD_FACT_NUMBER },
	{ KD_GET_INTERNAL_BREAKPOINT, "max_calls", 32, 4, SAID, KD_FACT_NUMBER },
	{ KD_GET_INTERNAL_BREAKPOINT, "min_instructions", 36, 4, SAID, KD_FACT_NUMBER },
	{ KD_GET_INTERNAL_BREAKPOINT, "max_instructions", 40, 4, SAID, KD_FACT_NUMBER },
	{ KD_GET_INTERNAL_BREAKPOINT, "total_instructions", 44, 4, SAID, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE_EX, "size", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE_EX, "interface", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE_EX, "bus", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE_EX, "space", 28, 4, BOTH, KD_FACT_NUMBER },
	{ KD_READ_IO_SPACE_EX, "port", 32, 8, BOTH, KD_FACT_HEX },
	{ KD_READ_IO_SPACE_EX, "value", 40, 4, SAID, KD_FACT_HEX },
	{ KD_WRITE_IO_SPACE_EX, "size", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_IO_SPACE_EX, "interface", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_IO_SPACE_EX, "bus", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_IO_SPACE_EX, "space", 28, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_IO_SPACE_EX, "port", 32, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_IO_SPACE_EX, "value", 40, 4, BOTH, KD_FACT_HEX },
	{ KD_WRITE_BREAKPOINT_EX, "count", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_BREAKPOINT_EX, "continue", 20, 4, BOTH, KD_FACT_HEX },
	{ KD_RESTORE_BREAKPOINT_EX, "count", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_RESTORE_BREAKPOINT_EX, "continue", 20, 4, BOTH, KD_FACT_HEX },
	{ KD_READ_MSR, "msr", 16, 4, BOTH, KD_FACT_HEX },
	{ KD_READ_MSR, "value", 20, 8, SAID, KD_FACT_HEX },
	{ KD_WRITE_MSR, "msr", 16, 4, BOTH, KD_FACT_HEX },
	{ KD_WRITE_MSR, "value", 20, 8, BOTH, KD_FACT_HEX },
	{ KD_SEARCH_MEMORY, "address", 16, 8, ASKED, KD_FACT_HEX },
	{ KD_SEARCH_MEMORY, "found", 16, 8, SAID, KD_FACT_HEX },
	{ KD_SEARCH_MEMORY, "count", 24, 8, BOTH, KD_FACT_NUMBER },
	{ KD_SEARCH_MEMORY, "pattern_length", 32, 4, BOTH, KD_FACT_NUMBER },
	{ KD_GET_BUS_DATA, "type", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_GET_BUS_DATA, "bus", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_GET_BUS_DATA, "slot", 24, 4, BOTH, KD_FACT_HEX },
	{ KD_GET_BUS_DATA, "offset", 28, 4, BOTH, KD_FACT_HEX },
	{ KD_GET_BUS_DATA, "length", 32, 4, BOTH, KD_FACT_NUMBER },
	{ KD_SET_BUS_DATA, "type", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_SET_BUS_DATA, "bus", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_SET_BUS_DATA, "slot", 24, 4, BOTH, KD_FACT_HEX },
	{ KD_SET_BUS_DATA, "offset", 28, 4, BOTH, KD_FACT_HEX },
	{ KD_SET_BUS_DATA, "length", 32, 4, BOTH, KD_FACT_NUMBER },
	{ KD_FILL_MEMORY, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_FILL_MEMORY, "length", 24, 4, BOTH, KD_FACT_NUMBER },
	{ KD_FILL_MEMORY, "flags", 28, 2, BOTH, KD_FACT_HEX },
	{ KD_FILL_MEMORY, "pattern_length", 30, 2, BOTH, KD_FACT_NUMBER },
	{ KD_QUERY_MEMORY, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_QUERY_MEMORY, "space", 32, 4, SAID, KD_FACT_NUMBER },
	{ KD_QUERY_MEMORY, "flags", 36, 4, SAID, KD_FACT_HEX },
	{ KD_SWITCH_PARTITION, "partition", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_CUSTOM_BREAKPOINT, "address", 16, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_CUSTOM_BREAKPOINT, "instruction", 24, 8, BOTH, KD_FACT_HEX },
	{ KD_WRITE_CUSTOM_BREAKPOINT, "handle", 32, 4, BOTH, KD_FACT_NUMBER },
	{ KD_WRITE_CUSTOM_BREAKPOINT, "size", 36, 1, BOTH, KD_FACT_NUMBER },
	{ KD_GET_CONTEXT_EX, "offset", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_GET_CONTEXT_EX, "count", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_GET_CONTEXT_EX, "actual", 24, 4, SAID, KD_FACT_NUMBER },
	{ KD_SET_CONTEXT_EX, "offset", 16, 4, BOTH, KD_FACT_NUMBER },
	{ KD_SET_CONTEXT_EX, "count", 20, 4, BOTH, KD_FACT_NUMBER },
	{ KD_SET_CONTEXT_EX, "total", 24, 4, ASKED, KD_FACT_NUMBER },
	{ KD_SET_CONTEXT_EX, "actual", 24, 4, SAID, KD_FACT_NUMBER },
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void add(struct kd_facts *f, struct kd_fact fact)
{
	if (f->n < KD_FACTS)
		f->facts[f->n++] = fact;
}

void kd_facts_number(struct kd_facts *f, const char *name, uint64_t number)
{
	add(f, (struct kd_fact){ .name = name, .form = KD_FACT_NUMBER, .number = number });
}

void kd_facts_yes(struct kd_facts *f, const char *name, bool yes)
{
	add(f, (struct kd_fact){ .name = name, .form = KD_FACT_YES, .number = yes });
}

void kd_facts_hex(struct kd_facts *f, const char *name, uint64_t number)
{
	add(f, (struct kd_fact){ .name = name, .form = KD_FACT_HEX, .number = number });
}

void kd_facts_word(struct kd_facts *f, const char *name, const char *word)
{
	if (word)
		add(f, (struct kd_fact){ .name = name, .form = KD_FACT_WORD, .word = word });
}

void kd_facts_bytes(struct kd_facts *f, const char *name, enum kd_fact_form form, struct span bytes)
{
	if (bytes.len)
		add(f, (struct kd_fact){ .name = name, .form = form, .bytes = bytes });
}

/* A field that the payload is too short for is no zero. */
static void put_field(struct kd_facts *f, struct span p, const char *name, size_t at, size_t bytes, enum kd_fact_form form)
{
	if (at + bytes <= p.len)
		add(f, (struct kd_fact){ .name = name, .form = form, .number = le_get(p, at, bytes) });
}

/* --- manipulate */

/* Continue2's control set differs from machine to machine (KD 3.3); arm64 has none. */
static void look_at_go(struct kd_facts *f, struct span p, enum kd_machine m)
{
	size_t word = kd_pointer_size(m);

	if (m == KD_MACHINE_NONE || m == KD_ARM64)
		return;
	put_field(f, p, "dr7", GO_AT + 4, word, KD_FACT_HEX);
	put_field(f, p, "range_start", GO_AT + 4 + word, word, KD_FACT_HEX);
	put_field(f, p, "range_end", GO_AT + 4 + 2 * word, word, KD_FACT_HEX);
}

static void look_at_version(struct kd_facts *f, struct span p)
{
	static const char *const machines[KD_MACHINES] = { [KD_I386] = "i386", [KD_AMD64] = "amd64", [KD_ARM64] = "arm64" };
	struct kd_version v;

	if (kd_version_parse(span_from(p, UNION), &v) < 0)
		return;
	kd_facts_word(f, "kind", kd_version_kind(&v));
	kd_facts_hex(f, "major", v.major);
	kd_facts_number(f, "build", v.minor);
	kd_facts_number(f, "kd_protocol", v.protocol);
	kd_facts_number(f, "secondary", v.secondary);
	kd_facts_hex(f, "flags", v.flags);
	kd_facts_hex(f, "machine_type", v.type);
	kd_facts_word(f, "machine", machines[v.machine]);
	put_field(f, p, "max_packet_type", 26, 1, KD_FACT_NUMBER);
	put_field(f, p, "max_state_change", 27, 1, KD_FACT_NUMBER);
	put_field(f, p, "max_manipulate", 28, 1, KD_FACT_NUMBER);
	kd_facts_hex(f, "kernel_base", v.kern_base);
	kd_facts_hex(f, "module_list", v.module_list);
	kd_facts_hex(f, "data_list", v.data_list);
}

/* Of a whole CONTEXT: where it stands. */
static void look_at_context(struct kd_facts *f, struct span data, enum kd_machine m)
{
	struct kd_regs r = { .machine = m };
	const struct kd_layout *l = kd_layout(m);

	if (!l->context_n || data.len < l->context_n)
		return;
	for (size_t i = 0; i < l->context_n; i++)
		r.context[i] = data.p[i];
	r.context_n = l->context_n;
	kd_facts_hex(f, "pc", kd_regs_pc(&r));
	kd_facts_hex(f, "sp", kd_regs_sp(&r));
}

static void put_union(struct kd_facts *f, struct span p, unsigned api, unsigned way)
{
	bool known = false;

	for (size_t i = 0; i < FIELDS; i++) {
		if (fields[i].api != api)
			continue;
		known = true;
		if (fields[i].ways & way)
			put_field(f, p, fields[i].name, fields[i].at, fields[i].bytes, fields[i].form);
	}
	if (!known && !kd_api_info(api))
		kd_facts_bytes(f, "body", KD_FACT_BYTES, (struct span){ p.p + UNION, p.len < KD_HEADER ? 0 : KD_HEADER - UNION });
}

static void look_at_manipulate(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	unsigned api = (unsigned)le_get(p, 0, 4);
	const struct kd_api_info *info = kd_api_info(api);

	if (info)
		kd_facts_word(f, "api", info->name);
	else
		put_field(f, p, "api_number", 0, 4, KD_FACT_HEX);
	put_field(f, p, "level", 4, 2, KD_FACT_NUMBER);
	put_field(f, p, "processor", 6, 2, KD_FACT_NUMBER);
	if (!from_host)
		put_field(f, p, "status", 8, 4, KD_FACT_HEX);
	put_union(f, p, api, from_host ? ASKED : SAID);
	if (api == KD_CONTINUE2 && from_host)
		look_at_go(f, p, m);
	if (api == KD_GET_VERSION && !from_host)
		look_at_version(f, p);
	if (api == KD_GET_CONTEXT || api == KD_SET_CONTEXT)
		look_at_context(f, span_from(p, KD_HEADER), m);
	kd_facts_bytes(f, "data", KD_FACT_BYTES, span_from(p, KD_HEADER));
}

enum kd_machine kd_look_machine(const struct kd_packet *p, bool from_host)
{
	struct kd_version v;

	if (from_host || p->control || p->type != KD_TYPE_MANIPULATE || le_get(p->payload, 0, 4) != KD_GET_VERSION ||
	    p->payload.len < KD_HEADER || !kd_status_ok((uint32_t)le_get(p->payload, 8, 4)))
		return KD_MACHINE_NONE;
	return kd_version_parse(span_from(p->payload, UNION), &v) < 0 ? KD_MACHINE_NONE : v.machine;
}

/* --- state changes */

static void look_at_exception(struct kd_facts *f, const struct kd_exception *x)
{
	static const char *const names[KD_PARAMETERS_MAX] = {
		"parameter0", "parameter1", "parameter2", "parameter3", "parameter4", "parameter5", "parameter6", "parameter7",
		"parameter8", "parameter9", "parameter10", "parameter11", "parameter12", "parameter13", "parameter14",
	};

	kd_facts_hex(f, "code", x->code);
	kd_facts_word(f, "meaning", kd_exception_name(x->code));
	kd_facts_hex(f, "flags", x->flags);
	kd_facts_hex(f, "address", x->address);
	kd_facts_yes(f, "first_chance", x->first_chance);
	for (unsigned i = 0; i < x->params; i++)
		kd_facts_hex(f, names[i], x->info[i]);
}

static void look_at_load(struct kd_facts *f, const struct kd_load *l)
{
	kd_facts_yes(f, "unload", l->unload);
	kd_facts_yes(f, "everything", l->everything);
	kd_facts_hex(f, "base", l->base);
	kd_facts_number(f, "size", l->size);
	kd_facts_hex(f, "checksum", l->checksum);
	kd_facts_hex(f, "process", l->process);
	kd_facts_bytes(f, "path", KD_FACT_TEXT, l->path);
}

static void look_at_report(struct kd_facts *f, const struct kd_report *r, struct span p, enum kd_machine m)
{
	static const uint8_t streams[KD_MACHINES] = { [KD_AMD64] = 216, [KD_I386] = 204, [KD_ARM64] = 212 };

	if (!r->have)
		return;
	if (m != KD_ARM64) {
		kd_facts_hex(f, "dr6", r->dr6);
		kd_facts_hex(f, "dr7", r->dr7);
		kd_facts_hex(f, "eflags", r->eflags);
		kd_facts_hex(f, "cs", r->cs);
		kd_facts_hex(f, "ds", r->ds);
		kd_facts_hex(f, "es", r->es);
		kd_facts_hex(f, "fs", r->fs);
	}
	kd_facts_bytes(f, "instructions", KD_FACT_BYTES, (struct span){ p.p + streams[m], r->stream_n });
}

static void put_state(struct kd_facts *f, const struct kd_state *s, struct span p)
{
	static const char *const kinds[] = {
		[KD_EXCEPTION] = "exception", [KD_LOAD_SYMBOLS] = "load symbols", [KD_COMMAND_STRING] = "command string", [KD_STATE_UNKNOWN] = "unknown",
	};

	kd_facts_word(f, "state", kinds[s->kind]);
	kd_facts_hex(f, "new_state", s->code);
	kd_facts_number(f, "level", s->level);
	kd_facts_number(f, "processor", s->processor);
	kd_facts_number(f, "processors", s->processors);
	kd_facts_hex(f, "thread", s->thread);
	kd_facts_hex(f, "pc", s->pc);
	if (s->kind == KD_EXCEPTION)
		look_at_exception(f, &s->exception);
	if (s->kind == KD_LOAD_SYMBOLS)
		look_at_load(f, &s->load);
	if (s->kind == KD_COMMAND_STRING)
		kd_facts_bytes(f, "command", KD_FACT_TEXT, span_from(p, KD_STATE_BYTES));
}

static void look_at_state64(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	struct kd_state s;

	(void)from_host;
	if (kd_state_parse(p, m, &s) < 0) {
		kd_facts_word(f, "state", "malformed");
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, p);
		return;
	}
	put_state(f, &s, p);
	look_at_report(f, &s.report, p, m);
}

static void look_at_state32(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	struct kd_state s;

	(void)from_host, (void)m;
	if (kd_state32_parse(p, &s) < 0)
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, p);
	else
		put_state(f, &s, p);
}

/* --- what a target says and asks by itself */

static void look_at_io(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	struct kd_io io;
	uint64_t n = le_get(p, 12, 4);
	struct span answer = span_from(p, IO_HEADER);

	(void)m;
	if (kd_io_parse(p, &io) < 0) {
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, p);
		return;
	}
	kd_facts_word(f, "api", io.prompt ? "GetString" : "PrintString");
	kd_facts_number(f, "level", io.level);
	kd_facts_number(f, "processor", io.processor);
	if (io.prompt && !from_host)
		kd_facts_number(f, "most", io.most);
	if (from_host)
		kd_facts_bytes(f, "answer", KD_FACT_TEXT, (struct span){ answer.p, n < answer.len ? (size_t)n : answer.len });
	else
		kd_facts_bytes(f, "text", KD_FACT_TEXT, io.text);
}

static void look_at_create(struct kd_facts *f, struct span p, const struct kd_file *file)
{
	put_field(f, p, "access", 8, 4, KD_FACT_HEX);
	put_field(f, p, "attributes", 12, 4, KD_FACT_HEX);
	put_field(f, p, "share", 16, 4, KD_FACT_HEX);
	put_field(f, p, "disposition", 20, 4, KD_FACT_NUMBER);
	put_field(f, p, "options", 24, 4, KD_FACT_HEX);
	put_field(f, p, "handle", 32, 8, KD_FACT_HEX);
	put_field(f, p, "length", 40, 8, KD_FACT_NUMBER);
	kd_facts_bytes(f, "path", KD_FACT_UTF16, file->path);
}

static void look_at_file(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	static const char *const names[] = { "CreateFile", "ReadFile", "WriteFile", "CloseFile" };
	struct kd_file file;
	uint32_t n;

	(void)m;
	if (kd_file_parse(p, &file) < 0) {
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, p);
		return;
	}
	n = file.api - KD_FILE_CREATE;
	kd_facts_word(f, "api", n < sizeof names / sizeof *names ? names[n] : "unknown");
	if (from_host)
		put_field(f, p, "status", REFUSED_FILE, 4, KD_FACT_HEX);
	if (file.api == KD_FILE_CREATE) {
		look_at_create(f, p, &file);
		return;
	}
	kd_facts_hex(f, "handle", file.handle);
	kd_facts_hex(f, "offset", file.offset);
	kd_facts_number(f, "length", file.length);
	kd_facts_bytes(f, "data", KD_FACT_BYTES, span_from(p, KD_FILE_HEADER));
}

static void look_at_trace(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	(void)from_host, (void)m;
	put_field(f, p, "level", 4, 2, KD_FACT_NUMBER);
	put_field(f, p, "processor", 6, 2, KD_FACT_NUMBER);
	put_field(f, p, "length", 8, 4, KD_FACT_NUMBER);
	kd_facts_bytes(f, "data", KD_FACT_BYTES, span_from(p, TRACE));
}

static void look_at_control_request(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m)
{
	(void)from_host, (void)m;
	kd_facts_word(f, "api", le_get(p, 0, 4) == CONTROL_RELEASE ? "ReleaseBreakpoint" : "RequestBreakpoint");
	put_field(f, p, "number", 4, 4, KD_FACT_NUMBER);
	put_field(f, p, "result", 8, 4, KD_FACT_HEX);
}

static const struct kind {
	const char *name;
	void (*look)(struct kd_facts *f, struct span p, bool from_host, enum kd_machine m);
} kinds[KD_TYPES] = {
	[KD_TYPE_STATE_CHANGE32] = { "STATE_CHANGE32", look_at_state32 },
	[KD_TYPE_MANIPULATE] = { "MANIPULATE", look_at_manipulate },
	[KD_TYPE_DEBUG_IO] = { "DEBUG_IO", look_at_io },
	[KD_TYPE_ACKNOWLEDGE] = { "ACKNOWLEDGE", NULL },
	[KD_TYPE_RESEND] = { "RESEND", NULL },
	[KD_TYPE_RESET] = { "RESET", NULL },
	[KD_TYPE_STATE_CHANGE64] = { "STATE_CHANGE64", look_at_state64 },
	[KD_TYPE_TRACE_IO] = { "TRACE_IO", look_at_trace },
	[KD_TYPE_CONTROL_REQUEST] = { "CONTROL_REQUEST", look_at_control_request },
	[KD_TYPE_FILE_IO] = { "FILE_IO", look_at_file },
};

void kd_look(struct kd_facts *f, const struct kd_packet *p, bool from_host, enum kd_machine m)
{
	const struct kind *k = p->type < KD_TYPES && kinds[p->type].name ? &kinds[p->type] : NULL;

	kd_facts_word(f, "packet", k ? k->name : "UNKNOWN");
	if (!k)
		kd_facts_number(f, "packet_type", p->type);
	kd_facts_hex(f, "id", p->id);
	if (p->control)
		return;
	if (k && k->look)
		k->look(f, p->payload, from_host, m);
	else
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, p->payload);
}
