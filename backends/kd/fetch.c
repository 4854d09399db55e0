/* fetch.c - see fetch.h. */
#include "backends/kd/fetch.h"

#include "backends/kd/machine.h"

enum { PACKET_LEAST = 512 };

void kd_fetch_forget(struct kd_fetch *f)
{
	f->want = 0;
}

bool kd_fetch_begin(struct kd_fetch *f, uint64_t addr, size_t n, bool physical)
{
	if (f->addr == addr && f->want == n && f->physical == physical && n)
		return false;
	buf_reset(&f->bytes, 0);
	*f = (struct kd_fetch){ .addr = addr, .want = n, .physical = physical, .bytes = f->bytes };
	return true;
}

bool kd_fetch_over(const struct kd_fetch *f)
{
	return f->ended || f->bytes.len == f->want;
}

uint64_t kd_fetch_at(const struct kd_fetch *f)
{
	return f->addr + f->bytes.len;
}

size_t kd_fetch_size(const struct kd_fetch *f, size_t most)
{
	size_t left = f->want - f->bytes.len, page = kd_page_left(kd_fetch_at(f));

	if (left > most)
		left = most;
	return f->narrow && left > page ? page : left;
}

/* A hole is refused, not cut short. */
static bool tells_packets(struct span got, size_t asked, size_t most)
{
	return got.len < asked && got.len >= PACKET_LEAST && got.len < most;
}

void kd_fetch_take(struct kd_fetch *f, struct span got, bool good, size_t asked, size_t *most)
{
	bool one_page = asked <= kd_page_left(kd_fetch_at(f));

	if (got.len > f->want - f->bytes.len)
		got.len = f->want - f->bytes.len;
	if (buf_put_span(&f->bytes, got) < 0)
		f->ended = true;
	if (good && got.len) {
		if (tells_packets(got, asked, *most))
			*most = got.len;
		return;
	}
	f->ended = f->ended || one_page;
	f->narrow = true;
}
