/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of the control socket: made, taken as it is, or refused with the reason. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctrl/daemon/run_dir.h"

static struct wiring_error error;
static char base[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/penstock-run-dir-XXXXXX");
	memset(&error, 0, sizeof(error));
	return mkdtemp(base) ? 0 : -1;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/run", base);
	(void)remove(path);
	return rmdir(base);
}

static mode_t
mode_of(const char *path)
{
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_mode & 0777;
}

static void
a_missing_directory_is_made_for_us_alone_in_dev_mode(void **state)
{
	char socket[128];
	char dir[128];

	(void)state;
	snprintf(socket, sizeof(socket), "%s/run/ctl.sock", base);
	snprintf(dir, sizeof(dir), "%s/run", base);
	assert_int_equal(run_dir_make(socket, true, &error), 0);
	assert_int_equal(mode_of(dir), 0700);
	assert_int_equal(run_dir_make(socket, true, &error), 0); /* it is there already */
}

static void
the_group_may_enter_it_in_production(void **state)
{
	char socket[128];
	char dir[128];
	mode_t mask = umask(022);

	(void)state;
	snprintf(socket, sizeof(socket), "%s/run/ctl.sock", base);
	snprintf(dir, sizeof(dir), "%s/run", base);
	assert_int_equal(run_dir_make(socket, false, &error), 0);
	assert_int_equal(mode_of(dir), 0750);
	(void)umask(mask);
}

static void
a_missing_parent_is_an_error_that_names_the_directory_and_the_key(void **state)
{
	char socket[128];

	(void)state;
	snprintf(socket, sizeof(socket), "%s/none/run/ctl.sock", base);
	assert_int_equal(run_dir_make(socket, true, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/none/run"));
	assert_non_null(strstr(error.text, "ctl.socket"));
}

static void
a_file_in_its_place_is_refused(void **state)
{
	char socket[128];
	char file[128];
	FILE *made;

	(void)state;
	snprintf(socket, sizeof(socket), "%s/run/ctl.sock", base);
	snprintf(file, sizeof(file), "%s/run", base);
	made = fopen(file, "w");
	assert_non_null(made);
	fclose(made);
	assert_int_equal(run_dir_make(socket, true, &error), -ENOTDIR);
	assert_non_null(strstr(error.text, "is no directory"));
}

/* Only root can make one that belongs to somebody else: without it the others still run. */
static void
a_directory_of_another_user_is_refused(void **state)
{
	char socket[128];
	char dir[128];

	(void)state;
	snprintf(socket, sizeof(socket), "%s/run/ctl.sock", base);
	snprintf(dir, sizeof(dir), "%s/run", base);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (chown(dir, 65534, 65534) != 0) {
		assert_int_equal(errno, EPERM);
		return;
	}
	assert_int_equal(run_dir_make(socket, true, &error), -EPERM);
	assert_non_null(strstr(error.text, "another user"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_missing_directory_is_made_for_us_alone_in_dev_mode, setup,
			teardown),
		cmocka_unit_test_setup_teardown(the_group_may_enter_it_in_production, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_parent_is_an_error_that_names_the_directory_and_the_key,
			setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_in_its_place_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_of_another_user_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
