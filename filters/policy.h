/* policy.h - ordered rules over effects, address ranges and monitor text. Pure: no file, no clock, no global. */
#ifndef FILTERS_POLICY_H
#define FILTERS_POLICY_H

#include "rsp/cmd.h"

enum { POLICY_RULES = 256, POLICY_RULE_RANGES = 16, POLICY_RULE_MATCHES = 16, POLICY_NAME = 64, POLICY_TEXT = 256 };

enum verdict { VERDICT_DENY, VERDICT_ALLOW };

/* A rule is about its effects; with ranges, only about an access to one of them (a denial when the access touches it,
 * a permission when the access lies wholly inside one); with matches, only about monitor text that one of them fits. */
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
	struct policy_rule *rules; /* owned */
	size_t count;
};

/* Why it was so. */
struct judgement {
	enum verdict verdict;
	enum rsp_effect effect; /* the one that decided: the first denied, or the last looked at */
	int rule;               /* from 1; 0: no rule matched */
};

int policy_init(struct policy *p, const char *name) MUST_USE;
void policy_fini(struct policy *p);

/* Appends one rule:
 *   allow|deny EFFECT... [range 0xFIRST-0xLAST ...] [match 'TEXT' ...]
 * EFFECT may be "all". 0; -EINVAL with why filled: what is wrong and what was expected, in words. */
int policy_add(struct policy *p, const char *rule, char *why, size_t why_size) MUST_USE;

/* full: everything to the target, nothing to the host. debug: full without process, flash, config, monitor.
 * observe: query, mem.read, reg.read. none. NULL: no such built-in. Valid for ever. */
const struct policy *policy_builtin(const char *name);

/* Effect by effect, first match decides, no match denies. Also checked by address: memory reads and writes, every
 * range of a list, a breakpoint's own bytes by the rules for break, and by those for mem.write that name ranges
 * (Z0 writes an opcode), a watchpoint's by those for mem.read that name ranges. Each vCont action is judged. */
struct judgement policy_judge(const struct policy *p, const struct rsp_cmd *cmd);

/* One effect without an address, without text: may this client run the target, at all? A rule that names ranges or
 * matches counts for "may, somewhere" only if it allows. */
bool policy_grants(const struct policy *p, enum rsp_effect effect);

/* How many bytes from addr on may be read, at most len, 0 when not even the first. */
uint64_t policy_readable(const struct policy *p, uint64_t addr, uint64_t len);

#endif
