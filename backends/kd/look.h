/* look.h - any KD packet, field by field, for those who read recordings (KD 2, 3, 5, 6). A value; nothing in it is believed.
 *
 * What talks to a target uses api.h, state.h and io.h: they judge. This shows whatever there is, also what no target should say. */
#ifndef BACKENDS_KD_LOOK_H
#define BACKENDS_KD_LOOK_H

#include "backends/kd/frame.h"
#include "backends/kd/machine.h"

enum kd_fact_form {
	KD_FACT_NUMBER,
	KD_FACT_YES,   /* .number is 1, or 0 for no */
	KD_FACT_HEX,   /* an address, an id, a code, flags */
	KD_FACT_WORD,  /* .word, ours */
	KD_FACT_TEXT,  /* .bytes, any */
	KD_FACT_UTF16, /* .bytes, any */
	KD_FACT_BYTES,
};

struct kd_fact {
	const char *name; /* static: "address" */
	enum kd_fact_form form;
	uint64_t number;
	const char *word;
	struct span bytes; /* into what was looked at */
};

enum { KD_FACTS = 64 };
struct kd_facts {
	struct kd_fact facts[KD_FACTS];
	size_t n;
};

/* What does not fit any more is left out. */
void kd_facts_number(struct kd_facts *f, const char *name, uint64_t number);
void kd_facts_yes(struct kd_facts *f, const char *name, bool yes);
void kd_facts_hex(struct kd_facts *f, const char *name, uint64_t number);
void kd_facts_word(struct kd_facts *f, const char *name, const char *word); /* NULL: nothing is added */
void kd_facts_bytes(struct kd_facts *f, const char *name, enum kd_fact_form form, struct span bytes); /* empty: nothing is added */

/* Adds what the packet says. m: of the target, as far as it is known; without it addresses stay wide, and a report is not looked at. */
void kd_look(struct kd_facts *f, const struct kd_packet *p, bool from_host, enum kd_machine m);

/* The machine, if this is a target's answer to GetVersion; KD_MACHINE_NONE: it is not. */
enum kd_machine kd_look_machine(const struct kd_packet *p, bool from_host);

#endif
