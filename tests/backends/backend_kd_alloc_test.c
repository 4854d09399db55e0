/* backend_kd_alloc_test.c - a session with a KD target with the n-th allocation failing, for every n: it cannot be begun, and nothing is
 * lost. None at all while it runs; how much it takes; and that it can be ended at any moment. Linked with --wrap=malloc,--wrap=calloc. */
#include "tests/allocs.h"
#include "tests/backends/kd_drive.h"

enum { MOST = 1500 * 1024 };

static void its_beginning_fails(void **state)
{
	unsigned long all;

	(void)state;
	allocs.made = 0;
	drive_plug(DRIVE_STEP);
	all = allocs.made;
	be->ops->destroy(be);
	link_destroy_stack(peer.link);
	for (unsigned long n = 2; n <= all; n++) { /* the first is the line's */
		struct link *near = link_pair_new(&peer.link, DRIVE_STEP);

		allocs.left = n - 1;
		be = backend_kd_new(near);
		allocs.left = 0;
		assert_null(be);
		link_destroy_stack(near); /* still the caller's */
		link_destroy_stack(peer.link);
	}
	peer.link = NULL;
}

static void how_much_it_takes(void **state)
{
	(void)state;
	allocs.bytes = 0;
	drive_plug(DRIVE_STEP);
	assert_in_range(allocs.bytes, 1, MOST);
}

/* But for the description, which is made when it is met. */
static void none_while_it_runs(void **state)
{
	unsigned long before;

	(void)state;
	peer.executes = true;
	drive_plug(DRIVE_STEP);
	meets();
	before = allocs.made;
	replies("g");
	replies("p39"); /* an MSR's */
	replies("mfffff80000000000,2000");
	says_ok("Mfffff80000000900,4:01020304");
	says_ok("P10=0030000000f8ffff");
	says_ok("Z0,fffff80000003008,1");
	says_ok("Z2,fffff80000001000,8");
	runs("vCont;c");
	stops(5, RSP_WHY_SWBREAK, 0);
	replies("qXfer:libraries:read::0,4000");
	says_ok("qRcmd,68656c70");
	kd_peer_prompt(&peer, "(boipt)? ", 2);
	assert_int_equal(next(), BACKEND_NONE);
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
	assert_int_equal(allocs.made, before);
}

/* A whole session, ended after so many polls: whatever was under way. true: it went as far as that. */
static bool session_until(unsigned polls)
{
	static const char *const says[] = { "g", "mfffff80000000000,4000", "Z0,fffff80000003008,1", "Z2,fffff80000001000,8", "vCont;c", "qRcmd,70726f636573736f7273",
		                            "z0,fffff80000003008,1", "vCont;s:1", "Z0,fffff80000003008,1", "Mfffff80000003007,4:90909090", "vCont;c" };
	size_t at = 0;
	int rc = BACKEND_NONE;

	drive_plug(DRIVE_STEP);
	for (; polls && rc >= 0; polls--) {
		bool stands = rc == BACKEND_STOPPED || rc == BACKEND_REPLY;

		(void)!kd_peer_step(&peer, now);
		if (stands && at < sizeof says / sizeof *says)
			at += submit(says[at]) == 0;
		else if (stands)
			be->ops->leave(be);
		rc = be->ops->poll(be, &news, now);
		now += rc == BACKEND_NONE ? 100 : 0;
	}
	return rc >= 0;
}

static void ended_at_any_moment(void **state)
{
	unsigned n = 0;
	bool more = true;

	(void)state;
	for (; more; n++) {
		assert_true(n < 5000);
		more = session_until(n);
		be->ops->destroy(be);
		kd_peer_fini(&peer);
		assert_int_equal(kd_peer_init(&peer), 0);
		peer.executes = true;
	}
	assert_true(n > 100);
}

static int prepare(void **state)
{
	(void)state;
	be = NULL;
	now = 1000;
	assert_int_equal(kd_peer_init(&peer), 0);
	peer.executes = true;
	return 0;
}

static int finish(void **state)
{
	(void)state;
	if (be)
		be->ops->destroy(be);
	kd_peer_fini(&peer);
	return 0;
}

static int finish_peer(void **state)
{
	be = NULL;
	return finish(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_beginning_fails, prepare, finish_peer),
		cmocka_unit_test_setup_teardown(how_much_it_takes, prepare, finish),
		cmocka_unit_test_setup_teardown(none_while_it_runs, prepare, finish),
		cmocka_unit_test_setup_teardown(ended_at_any_moment, prepare, finish_peer),
	};

	return cmocka_run_group_tests_name("backend_kd_alloc", tests, NULL, NULL);
}
