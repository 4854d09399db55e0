/* policy.h - ordered rules over effects, address ranges and monitor text. Pure: no file, no clock, no global.
 *
 * Ranges are of the addresses that clients name. They keep out accidents, and clients that cannot run the target: one
 * page may have many addresses, a register write and a step read anything. A denial by monitor text keeps out only
 * what is spelt so: a permission by text is the one to rely on. */
#ifndef FILTERS_POLICY_H
#define FILTERS_POLICY_H

#include "rsp/cmd.h"

enum { POLICY_RULES = 256, POLICY_RULE_RANGES = 16, POLICY_RULE_MATCHES = 16, POLICY_NAME = 64, POLICY_TEXT = 256 };

/* What a range can be about: no command with only other effects has an address. */
enum {
	POLICY_PLACED = RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_REG_WRITE | RSP_EFF_BREAK | RSP_EFF_RUN | RSP_EFF_FLASH
};

enum verdict { VERDICT_DENY, VERDICT_ALLOW };

/* A rule is about its effects; with ranges, only about an access to one of them (a denial when the access touches it,
 * a permission when the access lies wholly inside one); with matches, only about monitor text that one of them fits.
 * In a permission, ; and [ fit only themselves in a pattern, and only before its first set, as [0-9] is one; but for the pattern * alone.
 * Some monitors begin another command there.
 * No bytes count as the one at their address. An access that wraps touches every range and is inside none. A command
 * without an address is not a rule's with ranges, save a denial's of mem.read, mem.write or opaque: it may touch any. */
struct policy_rule {
	enum verdict verdict;
	unsigned effects;
	size_t ranges_n, matches_n;
	struct policy_range {
		uint64_t first, last; /* both inside */
	} ranges[POLICY_RULE_RANGES];
	char *matches[POLICY_RULE_MATCHES]; /* owned; shell patterns for the whole text: * ? [] */
	char text[POLICY_TEXT];             /* as it was written */
};

struct policy {
	char name[POLICY_NAME];
	bool paths; /* names of files that the target tells keep their directories; false in every built-in */
	const struct policy_rule *rules;
	size_t count;
	struct policy_rule *own; /* what policy_fini frees; NULL in a built-in and its copies */
};

/* Why it was so. */
struct judgement {
	enum verdict verdict;
	enum rsp_effect effect; /* the one that decided: the first denied, or the last looked at */
	int rule;               /* from 1; 0: no rule matched */
};

int policy_init(struct policy *p, const char *name) MUST_USE; /* 0; -EINVAL: no name, or one too long */
void policy_fini(struct policy *p);

/* Appends one rule:
 *   allow|deny EFFECT... [range 0xFIRST-0xLAST ...] [match 'TEXT' ...]
 * EFFECT may be "all". range needs an effect that can have an address, match needs monitor and nothing else.
 * 0; -EINVAL, -ENOMEM with why filled: what is wrong and what was expected, in words. A built-in takes no rules. */
int policy_add(struct policy *p, const char *rule, char *why, size_t why_size) MUST_USE;

/* full: everything to the target, nothing to the host. debug: full without process, flash, config, monitor, trace.
 * observe: query, mem.read, reg.read. none. NULL: no such built-in. Valid for ever. */
const struct policy *policy_builtin(const char *name);

/* Effect by effect, first match decides, no match denies. Also checked by address: memory reads and writes, every
 * range of a list, a breakpoint's own bytes by the rules for break, and by those for mem.write that name ranges
 * (Z0 writes an opcode), a watchpoint's by those for mem.read that name ranges. A vCont has the effects of all its actions.
 * Monitor text with anything but printable ASCII in it is denied by every policy, as rule 0; a command without
 * effects is opaque. */
struct judgement policy_judge(const struct policy *p, const struct rsp_cmd *cmd);

unsigned policy_effects(const struct rsp_cmd *cmd); /* those that are judged: with opaque, where a command has none */
bool policy_text_is_plain(struct span text);        /* printable ASCII, and not too long */

/* One effect without an address, without text: may this client run the target, at all? A rule that names ranges or
 * matches counts for "may, somewhere" only if it allows. */
bool policy_grants(const struct policy *p, enum rsp_effect effect);

/* How many bytes from addr on may be read, at most len, 0 when not even the first. */
uint64_t policy_readable(const struct policy *p, uint64_t addr, uint64_t len);

#endif
