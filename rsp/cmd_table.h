/* cmd_table.h - the rows of the command table, found by the beginning of a packet. For rsp/cmd*.c alone. */
#ifndef RSP_CMD_TABLE_H
#define RSP_CMD_TABLE_H

#include "rsp/cmd.h"

/* The row with the longest name that body begins with; NULL: none. Whether what follows fits is for the parser. */
const struct rsp_spec *rsp_spec_find(struct span body);

/* Scalars to 0, then what the row and its name say by themselves: op, effects, type, which, object, verb. */
void rsp_cmd_start(struct rsp_cmd *cmd, const struct rsp_spec *spec);

/* How many digits a number of this schema letter may have; 0: the letter is no number. */
unsigned rsp_schema_digits(char letter);
bool rsp_schema_fixed(char letter);           /* exactly as many, zeros in front included */
bool rsp_schema_literal(char c);              /* stands for itself */
bool rsp_schema_text(struct span s);          /* printable ASCII without $ # } * */
bool rsp_schema_printable(struct span s);     /* printable ASCII */
bool rsp_range_fits(uint64_t addr, uint64_t len); /* does not wrap */

#endif
