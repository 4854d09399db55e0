/* backend_kgdb_test.c - KGDB's backend on a line in memory that it shares with the console. */
#include "backends/backend.h"

#include "backends/link/console.h"
#include "backends/link/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { POLLS = 20 };

static struct link *far;
static struct backend *be;
static const uint64_t now = 1000;
static char heard[256];

static int begin(void **state)
{
	struct link *near = link_pair_new(&far, 4096), *console = near ? link_console_new(near) : NULL;

	(void)state;
	*heard = 0;
	be = console ? backend_kgdb_new(console, console, NULL) : NULL;
	return be ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	be->ops->destroy(be);
	link_destroy_stack(far);
	return 0;
}

static void says(const char *text)
{
	uint8_t room[256];
	struct buf b = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_text(&b, text), 0);
	assert_int_equal(link_send(far, &b, now), 0);
}

/* Until nothing moves, once: the program would sleep then. */
static const char *hears(void)
{
	struct backend_news news;
	int rc = BACKEND_MOVED;

	be->ops->ready(be);
	for (int i = 0; i < POLLS && rc != BACKEND_NONE; i++) {
		rc = be->ops->poll(be, &news, now);
		assert_true(rc >= 0);
		if (rc == BACKEND_CONSOLE)
			strncat(heard, (const char *)news.reply.bytes.p, news.reply.bytes.len);
	}
	assert_int_equal(rc, BACKEND_NONE);
	return heard;
}

static void test_text_is_told_before_it_sleeps(void **state)
{
	(void)state;
	hears();
	says("login: ");
	assert_string_equal(hears(), "login: ");
	says("root\r\n");
	assert_string_equal(hears(), "login: root\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_is_told_before_it_sleeps, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
