/* cache_fuzz.c - any bytes as operations on the cache, seven for each: it knows what the model of cache_model.h knows. */
#include "proxy/cache.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proxy/cache_model.h"

enum { STEP = 7, LONGEST = 2 * CACHE_PAGE };

static struct cache *c;
static struct cache_model m;
static uint8_t bytes[LONGEST];

static void step(const uint8_t *in)
{
	size_t space = in[0] >> 7, at = (size_t)(in[1] | in[2] << 8) % MODEL_BYTES;
	size_t n = model_clip(at, (size_t)(in[3] | in[4] << 8) % LONGEST);
	uint64_t addr = model_addr(at), len = in[5] == 255 ? UINT64_MAX - in[6] : n;

	switch (in[0] % 4) {
	case 0:
		memset(bytes, in[5], n);
		cache_put(c, space, addr, (struct span){ bytes, n });
		model_put(&m, space, addr, bytes, n);
		break;
	case 1:
		cache_forget(c, addr, len);
		model_forget(&m, addr, len);
		break;
	case 2:
		must(model_get_agrees(&m, c, space, addr, len));
		break;
	default:
		must(!n || model_want_agrees(&m, c, space, addr, n, n + 8u * in[5], 8u * in[6]));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!c)
		c = cache_new();
	must(c != NULL);
	cache_drop(c);
	memset(&m, 0, sizeof m);
	for (; size >= STEP; size -= STEP, data += STEP)
		step(data);
	return 0;
}
