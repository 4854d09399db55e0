/* keygen.h - kdgate keygen: a key for a KDNET target, and how both ends get it. */
#ifndef PROXY_KEYGEN_H
#define PROXY_KEYGEN_H

#include <stdio.h>

/* The key alone goes to key_to, so that it can be a file; what to do with it goes to words_to, unless that is NULL. 0, -errno. */
int keygen_print(FILE *key_to, FILE *words_to);

#endif
