/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "nic/port_pool.h"

static void
only_one_array_from_a_chunks_begin_on_will_do(void **state)
{
	static const struct {
		struct port_pool_shape shape;
		const char *text; /* NULL: it will do */
	} rows[] = {
		{{.pieces = 1, .count = 8191, .address = 0x140000000}, NULL},
		{{.pieces = 1, .count = 8191, .address = 0x140001000}, NULL},
		{{.pieces = 2, .count = 8191, .address = 0x140000000}, "in 2 pieces, the driver takes one"},
		{{.pieces = 17, .count = 8191, .misplaced = 8000, .address = 0x140000000}, "fix: virtual addresses"},
		{{.count = 8191, .address = 0x140000000}, "in 0 pieces"},
		{{.pieces = 1, .count = 8191, .misplaced = 6, .address = 0x140000000}, "6 of 8191 buffers are not where"},
		{{.pieces = 1, .count = 8191, .address = 0x140000800}, "begins at 0x140000800, which is no multiple of 4096"},
	};
	char text[512];

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text[0] = 0;
		assert_int_equal(port_pool_is_array(&rows[i].shape, 4096, text, sizeof(text)), !rows[i].text);
		assert_non_null(strstr(text, rows[i].text ? rows[i].text : ""));
		assert_int_equal(text[0] != 0, rows[i].text != NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_one_array_from_a_chunks_begin_on_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
