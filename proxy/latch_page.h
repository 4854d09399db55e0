/* latch_page.h - where the latch is kept: a page of its own that cannot be written once it is set, nor unmapped, nor
 * mapped over where the kernel can see to that (mseal, Linux 6.10). */
#ifndef PROXY_LATCH_PAGE_H
#define PROXY_LATCH_PAGE_H

#include "filters/latch.h"

/* Once in the life of the process; later calls give the same page: secure is then only ever added. NULL: the kernel gives no
 * such page, or did not let it be tightened; then nothing is to be served. */
const struct latch *latch_page(bool secure) MUST_USE;

#endif
