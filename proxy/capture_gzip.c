/* capture_gzip.c - see capture_gzip.h. */
#include "proxy/capture_gzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16 /* zlib's way to ask for gzip alone */, PACKED = 16384 };

struct gzip {
	FILE *from;
	z_stream z;
	bool within; /* a file that has not ended */
	uint8_t packed[PACKED];
};

/* false: there is no more. */
static bool fill(struct gzip *g)
{
	if (g->z.avail_in)
		return true;
	g->z.next_in = g->packed;
	g->z.avail_in = (uInt)fread(g->packed, 1, sizeof g->packed, g->from);
	return g->z.avail_in > 0;
}

static ssize_t fail(int cause)
{
	errno = cause;
	return -1;
}

/* Several gzip files one behind the other are one. 0, -errno. */
static int unpack(struct gzip *g)
{
	int rc = g->within ? Z_OK : inflateReset(&g->z);

	if (rc == Z_OK)
		rc = inflate(&g->z, Z_NO_FLUSH);
	g->within = rc == Z_OK;
	return rc == Z_OK || rc == Z_STREAM_END ? 0 : -EBADMSG;
}

/* A file that ends too early is damaged, too. */
static ssize_t gzip_read(void *cookie, char *to, size_t n)
{
	struct gzip *g = cookie;

	g->z.next_out = (Bytef *)to;
	g->z.avail_out = n < PACKED ? (uInt)n : PACKED;
	while (g->z.next_out == (Bytef *)to && n && fill(g))
		if (unpack(g) < 0)
			return fail(EBADMSG);
	if (g->z.next_out == (Bytef *)to && n && (g->within || ferror(g->from)))
		return fail(EBADMSG);
	return (char *)g->z.next_out - to;
}

static int gzip_close(void *cookie)
{
	struct gzip *g = cookie;

	inflateEnd(&g->z);
	if (g->from != stdin)
		fclose(g->from);
	free(g);
	return 0;
}

int capture_gzip_open(FILE **out, FILE *f)
{
	static const cookie_io_functions_t io = { .read = gzip_read, .close = gzip_close };
	struct gzip *g = calloc(1, sizeof *g);

	if (!g || inflateInit2(&g->z, GZIP_WINDOW) != Z_OK) {
		free(g);
		return -ENOMEM;
	}
	*out = fopencookie(g, "rb", io);
	if (*out) {
		g->from = f;
		return 0;
	}
	inflateEnd(&g->z);
	free(g);
	return -ENOMEM;
}
