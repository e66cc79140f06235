/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: form, levels, the rate limit of a call site, no forged lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

struct lines {
	uint32_t count;
	uint32_t repeated;
	enum log_level level;
	char last[2048];
};

static void
lines_take(void *user_data, enum log_level level, const char *line)
{
	struct lines *lines = user_data;

	lines->count++;
	lines->repeated += strstr(line, " repeated ") != NULL;
	lines->level = level;
	snprintf(lines->last, sizeof(lines->last), "%s", line);
}

static int
lines_setup(void **state)
{
	static struct lines lines;

	lines = (struct lines){0};
	*state = &lines;
	log_set_level(LOG_INFO);
	log_set_sink(lines_take, &lines);
	return 0;
}

static int
lines_teardown(void **state)
{
	log_set_sink(NULL, NULL);
	return 0;
}

static void
test_line_has_time_level_module_message(void **state)
{
	struct lines *lines = *state;

	log_warning("ctrl", "job %s lag=%d", "orders", 7);
	assert_int_equal(lines->count, 1);
	assert_int_equal(lines->level, LOG_WARNING);
	/* 2026-01-02T03:04:05.678Z warning ctrl ... */
	assert_int_equal(lines->last[4], '-');
	assert_int_equal(lines->last[10], 'T');
	assert_int_equal(lines->last[23], 'Z');
	assert_string_equal(lines->last + 24, " warning ctrl job orders lag=7");
}

static void
test_level_filters(void **state)
{
	struct lines *lines = *state;

	log_debug("ctrl", "unseen");
	assert_int_equal(lines->count, 0);
	log_set_level(LOG_DEBUG);
	log_debug("ctrl", "seen");
	assert_int_equal(lines->count, 1);
	log_set_level(LOG_ERROR);
	log_warning("ctrl", "unseen");
	assert_int_equal(lines->count, 1);
}

static void
test_site_is_limited_and_says_so(void **state)
{
	struct lines *lines = *state;
	struct log_site site = {0};
	uint32_t calls = 0;

	/* Until the second changes after the limit was met; 10 lines a second, then one "repeated". */
	while (lines->repeated == 0) {
		log_line(&site, LOG_INFO, "ctrl", "call %u", ++calls);
		assert_true(calls < 100000000);
		assert_true(lines->count <= 10 * 3 + 1);
	}
	/* 'repeated' comes right before the first line of the new second. */
	assert_null(strstr(lines->last, " repeated "));
	assert_int_equal(site.suppressed, 0);
	assert_int_equal(site.in_second, 1);
}

static void
test_sites_do_not_share_the_limit(void **state)
{
	struct lines *lines = *state;
	struct log_site first = {0};
	struct log_site second = {0};

	for (int i = 0; i < 5; i++) {
		log_line(&first, LOG_INFO, "ctrl", "one");
		log_line(&second, LOG_INFO, "ctrl", "two");
	}
	assert_int_equal(lines->count, 10);
}

static void
test_one_call_one_line(void **state)
{
	struct lines *lines = *state;
	char text[3000];

	log_info("ctrl", "name=%s", "a\n2026-01-01T00:00:00.000Z error ctrl forged");
	assert_null(strchr(lines->last, '\n'));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("ctrl", "%s", text);
	assert_true(strlen(lines->last) < 1024);
	assert_int_equal(lines->count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line_has_time_level_module_message, lines_setup,
			lines_teardown),
		cmocka_unit_test_setup_teardown(test_level_filters, lines_setup, lines_teardown),
		cmocka_unit_test_setup_teardown(test_site_is_limited_and_says_so, lines_setup,
			lines_teardown),
		cmocka_unit_test_setup_teardown(test_sites_do_not_share_the_limit, lines_setup,
			lines_teardown),
		cmocka_unit_test_setup_teardown(test_one_call_one_line, lines_setup, lines_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
