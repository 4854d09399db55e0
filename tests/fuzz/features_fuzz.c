/* features_fuzz.c - any bytes as qSupported: what is accepted reads the same when written again. */
#include "rsp/features.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rsp_features a, b;
	struct buf out;

	if (rsp_features_parse((struct span){ data, size }, &a) < 0)
		return 0;
	if (buf_init(&out, 1024) < 0 || rsp_features_put(&out, &a) < 0 || rsp_features_parse(buf_span(&out), &b) < 0)
		abort();
	if (a.can != b.can || a.packet_size != b.packet_size)
		abort();
	buf_fini(&out);
	return 0;
}
