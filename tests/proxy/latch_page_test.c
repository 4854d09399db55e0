/* latch_page_test.c - the page of the latch: what is set stays set, whatever is tried from inside the process. */
#include "proxy/latch_page.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 100, MSEAL = 462 };

/* Every case has a process of its own, since a latch is for the life of one. The exit code, or minus the signal. */
static int in_child(int (*act)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGSEGV, SIG_DFL); /* the sanitizer would make an exit of it */
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *bytes_of(const struct latch *l)
{
	union {
		const struct latch *read_only;
		void *any;
	} p = { l };

	return p.any;
}

static int write_to(bool secure)
{
	const struct latch *l = latch_page(secure);

	if (!l || l->secure != secure)
		return FAILED;
	*(volatile bool *)bytes_of(l) = !secure;
	return 0;
}

static int write_open(void) { return write_to(false); }
static int write_secure(void) { return write_to(true); }

static void cannot_be_written(void **state)
{
	(void)state;
	assert_int_equal(in_child(write_secure), -SIGSEGV);
	assert_int_equal(in_child(write_open), -SIGSEGV);
}

static int only_tightens(void)
{
	static const bool asked[] = { false, false, true, false, true, false }, is[] = { false, false, true, true, true, true };
	const struct latch *first = latch_page(false);

	for (size_t i = 0; i < sizeof asked; i++) {
		const struct latch *l = latch_page(asked[i]);

		if (!l || l != first || l->secure != is[i])
			return FAILED;
	}
	return 0;
}

static int tightened_cannot_be_written(void)
{
	if (!latch_page(false) || !latch_page(true))
		return FAILED;
	return write_to(true);
}

static void goes_one_way(void **state)
{
	(void)state;
	assert_int_equal(in_child(only_tightens), 0);
	assert_int_equal(in_child(tightened_cannot_be_written), -SIGSEGV);
}

static bool seals(void)
{
	void *p = mmap(NULL, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && syscall(MSEAL, p, page_size(), 0UL) == 0;
}

static int sealed_here(void)
{
	return seals() ? 0 : FAILED;
}

static bool stays(const struct latch *l, bool refused)
{
	return refused && errno == EPERM && l->secure;
}

/* What would make the page writable, or put another in its place. */
static int opened_by_no_call(void)
{
	const struct latch *l = latch_page(true);
	void *p = bytes_of(l);
	size_t n = page_size();

	if (!stays(l, mprotect(p, n, PROT_READ | PROT_WRITE) < 0))
		return 1;
	if (!stays(l, munmap(p, n) < 0))
		return 2;
	if (!stays(l, mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED))
		return 3;
	if (!stays(l, mremap(p, n, 2 * n, MREMAP_MAYMOVE) == MAP_FAILED))
		return 4;
	if (!stays(l, mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)p + 64 * n) == MAP_FAILED))
		return 5;
	if (!stays(l, madvise(p, n, MADV_DONTNEED) < 0))
		return 6;
	return latch_page(false) == l && l->secure ? 0 : 7;
}

static void cannot_be_replaced(void **state)
{
	(void)state;
	if (in_child(sealed_here) != 0) {
		print_message("skipped: this kernel has no mseal (Linux 6.10 has)\n");
		skip();
	}
	assert_int_equal(in_child(opened_by_no_call), 0);
}

/* Not secure, it may still be tightened: it is not sealed. */
static int open_is_not_sealed(void)
{
	const struct latch *l = latch_page(false);

	return mprotect(bytes_of(l), page_size(), PROT_READ) == 0 && latch_page(true) == l && l->secure ? 0 : FAILED;
}

static void open_can_be_tightened(void **state)
{
	(void)state;
	assert_int_equal(in_child(open_is_not_sealed), 0);
}

/* A page that cannot be had, or not be tightened, is no latch. */
static int without_a_page(void)
{
	struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_AS, &none) == 0 && !latch_page(true) ? 0 : FAILED;
}

static int sealed_before_it_was_set(void)
{
	const struct latch *l = latch_page(false);

	return syscall(MSEAL, l, page_size(), 0UL) == 0 && !latch_page(true) && !l->secure ? 0 : FAILED;
}

static void fails_closed(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_a_page), 0);
	if (in_child(sealed_here) == 0)
		assert_int_equal(in_child(sealed_before_it_was_set), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cannot_be_written), cmocka_unit_test(goes_one_way), cmocka_unit_test(cannot_be_replaced),
		cmocka_unit_test(open_can_be_tightened), cmocka_unit_test(fails_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
