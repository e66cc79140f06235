/* SPDX-License-Identifier: Apache-2.0 */
/* ensure() lets true pass and aborts on false, saying where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/ensure.h"

static void
test_true_passes_once(void **state)
{
	int evaluated = 0;

	ensure(++evaluated == 1);
	assert_int_equal(evaluated, 1);
}

static void
test_false_aborts_with_a_line(void **state)
{
	int ends[2];
	char line[512] = "";
	int status;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		ensure(1 + 1 == 3);
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(line, "ensure_test.c"));
	assert_non_null(strstr(line, "1 + 1 == 3"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_true_passes_once),
		cmocka_unit_test(test_false_aborts_with_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
