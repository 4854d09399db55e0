/* learn_model.h - what the smallest policy allows, found without ranges or patterns: by looking through all that was noted. */
#ifndef TESTS_FILTERS_LEARN_MODEL_H
#define TESTS_FILTERS_LEARN_MODEL_H

#include "filters/policy.h"

#include <string.h>

enum { MODEL_COMMANDS = 2048, MODEL_ACCESSES = 1 << 16 };

struct model {
	unsigned everywhere; /* effects that were used without an address, or around the end of memory */
	bool no_text;
	size_t accesses_n, texts_n;
	struct model_access {
		unsigned effect;
		uint64_t first, last;
	} accesses[MODEL_ACCESSES];
	struct span texts[MODEL_COMMANDS]; /* borrowed */
};

static inline struct model_access model_access(unsigned effect, struct rsp_range r)
{
	return (struct model_access){ effect, r.addr, r.addr + (r.len ? r.len : 1) - 1 };
}

static inline size_t model_accesses(const struct rsp_cmd *cmd, unsigned effect, struct model_access to[RSP_RANGES_MAX + 1])
{
	size_t n = 0;

	if (cmd->has_addr)
		to[n++] = model_access(effect, (struct rsp_range){ cmd->addr, cmd->len });
	for (size_t i = 0; i < cmd->ranges_n; i++)
		to[n++] = model_access(effect, cmd->ranges[i]);
	return n;
}

static inline bool model_is_text(const struct rsp_cmd *cmd, unsigned effect)
{
	return effect == RSP_EFF_MONITOR && cmd->op == RSP_OP_MONITOR;
}

static inline bool model_has_no_ranges(unsigned effect)
{
	static const unsigned with = RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_REG_WRITE | RSP_EFF_BREAK | RSP_EFF_RUN | RSP_EFF_FLASH;

	return !(effect & with);
}

static inline void model_note(struct model *m, const struct rsp_cmd *cmd)
{
	for (unsigned effect = 1; effect <= RSP_EFF_OPAQUE; effect <<= 1) {
		size_t before = m->accesses_n, n;

		if (!(cmd->effects & effect))
			continue;
		if (model_is_text(cmd, effect)) {
			m->no_text |= !cmd->data.len;
			m->texts[m->texts_n++] = cmd->data;
			continue;
		}
		n = model_accesses(cmd, effect, m->accesses + before);
		m->accesses_n += n;
		m->everywhere |= !n || model_has_no_ranges(effect) ? effect : 0;
		for (size_t i = before; i < before + n; i++)
			m->everywhere |= m->accesses[i].last < m->accesses[i].first ? effect : 0;
	}
}

/* Byte after byte, as far as one access reaches, was used. */
static inline bool model_holds(const struct model *m, struct model_access a)
{
	if (a.last < a.first)
		return false;
	for (size_t i = 0; i < m->accesses_n; i++) {
		const struct model_access *b = &m->accesses[i];

		if (b->effect != a.effect || b->first > a.first || b->last < a.first)
			continue;
		if (b->last >= a.last)
			return true;
		a.first = b->last + 1;
		i = (size_t)-1;
	}
	return false;
}

static inline bool model_allows_text(const struct model *m, struct span text)
{
	for (size_t i = 0; i < m->texts_n; i++)
		if (m->texts[i].len == text.len && (!text.len || !memcmp(m->texts[i].p, text.p, text.len)))
			return true;
	return m->no_text || (m->everywhere & RSP_EFF_MONITOR);
}

static inline bool model_allows_effect(const struct model *m, const struct rsp_cmd *cmd, unsigned effect)
{
	struct model_access a[RSP_RANGES_MAX + 1];
	size_t n = model_accesses(cmd, effect, a);

	if (model_is_text(cmd, effect))
		return model_allows_text(m, cmd->data);
	if (m->everywhere & effect)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!model_holds(m, a[i]))
			return false;
	return n > 0;
}

static inline bool model_allows(const struct model *m, const struct rsp_cmd *cmd)
{
	for (unsigned effect = 1; effect <= RSP_EFF_OPAQUE; effect <<= 1)
		if ((cmd->effects & effect) && !model_allows_effect(m, cmd, effect))
			return false;
	return true;
}

#endif
