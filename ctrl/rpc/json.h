/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What jansson lacks: UTF-8 and the limits of nesting, keys, items and string length are checked
 * before anything is parsed, so that a hostile line costs one pass over its bytes. Pure functions.
 */
#ifndef CTRL_JSON_H
#define CTRL_JSON_H

#include <stddef.h>
#include <stdint.h>
#include "ctrl/rpc/problem.h"

#define JSON_NESTING_MAX      32
#define JSON_KEYS_MAX	      1024
#define JSON_ITEMS_MAX	      65536
#define JSON_STRING_BYTES_MAX (256 * 1024)

/*
 * One line (without its newline) -> a value of any kind. Integers that do not fit i64, and -0, come
 * as reals, so that the decoder refuses them where an integer is asked. -EINVAL with the problem.
 */
int json_line_parse(const char *bytes, size_t len, json_t **ret_value,
	struct rpc_problem *ret_problem);

#endif
