/* config_key_test.c - keys of KDNET targets: from files and credentials, which are refused, and that no words hold them. */
#include "proxy/config.h"

#include "backends/link/kdnet_key.h"
#include "proxy/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SECRET "1m770ts6ru0p.3671pemyie4i.2b8djy3wt5et.1p99ir125v4q"

static char dir[64], path[96], why[CONFIG_WHY];
static struct config c;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kdgate-key-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/kdnet-key", dir);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(config_prepare(&c), 0);
	c.targets_n = 1;
	config_target_init(c.targets);
	strcpy(c.targets->name, "vm");
	return config_target_text(c.targets, "kdnet:127.0.0.1:50000", why, sizeof why);
}

static int teardown(void **state)
{
	(void)state;
	config_fini(&c);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	return unsetenv("CREDENTIALS_DIRECTORY");
}

static void file(const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int keys(const char *key_file)
{
	config_keys_drop(&c);
	if (key_file && config_key_file_text(c.targets, key_file, why, sizeof why) < 0)
		return -EINVAL;
	return config_keys(&c, why, sizeof why);
}

static void is_the_key(void)
{
	char text[KDNET_KEY_TEXT];

	assert_non_null(c.targets->key);
	assert_string_equal(kdnet_key_text(c.targets->key, text), SECRET);
}

static void from_files(void **state)
{
	static const char *const texts[] = { SECRET, SECRET "\n", "  " SECRET "\r\n\n" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		file(texts[i], i ? 0600 : 0400);
		assert_int_equal(keys(path), 0);
		is_the_key();
	}
}

static void refused(void **state)
{
	static const struct { const char *text, *words; mode_t mode; } files[] = {
		{ SECRET, "others may read", 0640 }, { SECRET, "others may read", 0604 }, { SECRET, "others may read", 0620 },
		{ "", "no key", 0600 }, { SECRET ".5", "stands behind", 0600 }, { "\n\n", "no key", 0600 },
	};
	char much[1024];

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		file(files[i].text, files[i].mode);
		assert_int_equal(keys(path), -EINVAL);
		assert_non_null(strstr(why, files[i].words));
		assert_null(strstr(why, "1m770"));
		assert_null(c.targets->key);
	}
	memset(much, ' ', sizeof much);
	much[sizeof much - 1] = 0;
	file(much, 0600);
	assert_int_equal(keys(path), -EINVAL);
	assert_non_null(strstr(why, "too large"));
	assert_int_equal(keys(dir), -EINVAL);
	assert_non_null(strstr(why, "no regular file"));
	assert_int_equal(keys("credential:../x"), -EINVAL);
	assert_int_equal(keys(""), -EINVAL);
}

static void from_credentials(void **state)
{
	(void)state;
	assert_int_equal(keys(NULL), -EINVAL);
	assert_non_null(strstr(why, "has no key"));
	assert_int_equal(keys("credential:kdnet-key"), -EINVAL);
	assert_non_null(strstr(why, "given no credentials"));
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	assert_int_equal(keys("credential:another"), -EINVAL);
	assert_non_null(strstr(why, "No such file"));
	file(SECRET "\n", 0440); /* as systemd's access list looks */
	assert_int_equal(keys("credential:kdnet-key"), 0);
	is_the_key();
	c.targets->key_file[0] = 0;
	assert_int_equal(keys(NULL), 0);
	is_the_key();
	file(SECRET "\n", 0444);
	assert_int_equal(keys(NULL), -EINVAL);
}

static void two_with_one_key(void **state)
{
	(void)state;
	file(SECRET, 0600);
	c.targets_n = 2;
	c.targets[1] = c.targets[0];
	strcpy(c.targets[1].name, "other");
	assert_int_equal(config_key_file_text(&c.targets[1], path, why, sizeof why), 0);
	assert_int_equal(keys(path), -EINVAL);
	assert_non_null(strstr(why, "targets vm and other have the same port and the same key"));
	strcpy(c.targets[1].addr.port, "50001");
	assert_int_equal(keys(path), 0);
}

static void check_does_not_tell(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	file(SECRET, 0600);
	assert_int_equal(keys(path), 0);
	config_print(&c, f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, path));
	assert_null(strstr(text, "1m770"));
	free(text);
}

/* What it prints is a key, as a file; the rest is not in it. */
static void a_new_key(void **state)
{
	FILE *f = fopen(path, "w+"), *nothing = fopen("/dev/null", "w");

	(void)state;
	assert_true(f && nothing);
	assert_int_equal(keygen_print(f, nothing), 0);
	assert_true(ftell(nothing) > 0);
	rewind(f);
	assert_int_equal(ftruncate(fileno(f), 0), 0); /* not all keys are of one length */
	assert_int_equal(keygen_print(f, NULL), 0);
	fclose(f);
	fclose(nothing);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(keys(path), 0);
	assert_in_range(kdnet_key_bits(c.targets->key), 200, 256);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(from_files), CASE(refused), CASE(from_credentials), CASE(two_with_one_key), CASE(check_does_not_tell), CASE(a_new_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
