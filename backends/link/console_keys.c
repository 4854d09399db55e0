/* console_keys.c - see console_keys.h. */
#include "backends/link/console_keys.h"

#include "backends/link/console.h"
#include "backends/link/link.h"

#include <errno.h>

enum {
	KEY_MAX = 16,
	PIECE = 256, /* typed at once */
};

int console_keys_init(struct console_keys *k, const struct link *to)
{
	*k = (struct console_keys){ 0 };
	if (buf_init(&k->key, KEY_MAX) == 0 && buf_init(&k->typed, CONSOLE_TYPED) == 0 && buf_init(&k->tx, PIECE + link_headroom(to)) == 0)
		return 0;
	return -ENOMEM;
}

void console_keys_fini(struct console_keys *k)
{
	buf_fini(&k->key);
	buf_fini(&k->typed);
	buf_fini(&k->tx);
}

void console_keys_await(struct console_keys *k)
{
	k->key_next = true;
	buf_reset(&k->key, 0);
}

size_t console_keys_put(struct console_keys *k, struct span bytes)
{
	struct buf *to = k->key_next ? &k->key : &k->typed;
	size_t n;

	buf_pack(to);
	n = bytes.len < buf_room(to) ? bytes.len : buf_room(to);
	if (buf_put(to, bytes.p, n) < 0)
		return 0;
	k->key_next = k->key_next && !n;
	return n;
}

size_t console_keys_gone(int rc, size_t before, size_t left)
{
	if (rc == 0)
		return before;
	return rc == -EAGAIN && left < before ? before - left : 0;
}

int console_keys_push(struct console_keys *k, struct buf *from, struct link *to, uint64_t now)
{
	int rc = 0;

	while (!rc && from->len) {
		size_t n = from->len < PIECE ? from->len : PIECE;

		buf_reset(&k->tx, link_headroom(to));
		rc = buf_put(&k->tx, buf_data(from), n);
		if (!rc)
			rc = link_send(to, &k->tx, now);
		if (buf_pull(from, console_keys_gone(rc, n, k->tx.len)) < 0)
			return -EPROTO;
	}
	k->refused = rc != 0;
	return rc;
}
