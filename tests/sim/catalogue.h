/* catalogue.h - every packet that clients are known to send, as templates; and packets that no honest client sends.
 *
 * @a address  @n length  @l length, which @h (hex) and @b (escaped binary) after it keep to  @d small number
 * @t thread   @s signal  @x hex of text  @w word  @f feature list  @v list of vCont actions */
#ifndef TESTS_SIM_CATALOGUE_H
#define TESTS_SIM_CATALOGUE_H

#include <stddef.h>

extern const char *const catalogue[];
extern const char *const vectors[]; /* well framed; as they stand */
extern const char *const commands[]; /* for qRcmd, vRun, vFile:open and their like */
extern const size_t catalogue_n, vectors_n, commands_n;

#endif
