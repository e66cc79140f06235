/* SPDX-License-Identifier: Apache-2.0 */
/* Limits before parsing (json.h). The scan tolerates bad grammar: jansson judges that afterwards. */
#include "ctrl/rpc/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/utf8.h"

struct scan {
	const char *bytes;
	size_t len;
	size_t at;
	uint32_t depth;
	uint32_t commas[JSON_NESTING_MAX];
	bool object[JSON_NESTING_MAX];
	size_t odd_numbers; /* that must be parsed as reals */
};

static int
scan_problem(const struct scan *s, struct rpc_problem *problem, enum error_kind kind,
	const char *what, int64_t limit)
{
	json_t *data = limit ? json_pack("{s:I,s:I}", "byte", (json_int_t)s->at, "limit",
				       (json_int_t)limit) :
			       json_pack("{s:I,s:s}", "byte", (json_int_t)s->at, "expected",
				       "valid UTF-8 without NUL");

	return problem_set(problem, kind, data, "request line, byte %zu: %s", s->at, what);
}

/* Four hex digits behind \u at the given place; -1 if they are not there. */
static int32_t
scan_hex4(const struct scan *s, size_t at)
{
	int32_t value = 0;

	if (at + 4 > s->len) {
		return -1;
	}
	for (size_t i = 0; i < 4; i++) {
		char c = (char)tolower((unsigned char)s->bytes[at + i]);

		if (!isxdigit((unsigned char)c)) {
			return -1;
		}
		value = value << 4 | (c >= 'a' ? c - 'a' + 10 : c - '0');
	}
	return value;
}

/* From behind the opening quote to behind the closing one. */
static int
scan_string(struct scan *s, struct rpc_problem *problem)
{
	size_t begin = s->at;

	while (s->at < s->len && s->bytes[s->at] != '"') {
		int32_t unit;

		if (s->at - begin > JSON_STRING_BYTES_MAX) {
			return scan_problem(s, problem, ERROR_TOO_LONG, "string too long",
				JSON_STRING_BYTES_MAX);
		}
		if (s->bytes[s->at] != '\\') {
			s->at++;
			continue;
		}
		if (s->at + 1 >= s->len || s->bytes[s->at + 1] != 'u') {
			s->at += 2;
			continue;
		}
		unit = scan_hex4(s, s->at + 2);
		if (unit < 0) {
			s->at += 2; /* no escape: the parser says so */
			continue;
		}
		if (unit == 0 || (unit >= 0xdc00 && unit < 0xe000)) {
			return scan_problem(s, problem, ERROR_BAD_ENCODING, "NUL or lone surrogate", 0);
		}
		if (unit >= 0xd800 && unit < 0xdc00) {
			int32_t low = s->at + 8 <= s->len && memcmp(s->bytes + s->at + 6, "\\u", 2) == 0 ?
					      scan_hex4(s, s->at + 8) :
					      -1;

			if (low < 0xdc00 || low >= 0xe000) {
				return scan_problem(s, problem, ERROR_BAD_ENCODING, "lone surrogate", 0);
			}
			s->at += 6;
		}
		s->at += 6;
	}
	/* A cut escape at the end of the line would step beyond it. */
	s->at = s->at < s->len ? s->at + 1 : s->len;
	return 0;
}

/* Length of the number token at `at`; true in ret_odd if it is an integer that i64 does not hold. */
static size_t
number_len(const struct scan *s, size_t at, bool *ret_odd)
{
	size_t begin = at + (s->bytes[at] == '-');
	size_t end = begin;
	char text[24];

	while (end < s->len && isdigit((unsigned char)s->bytes[end])) {
		end++;
	}
	*ret_odd = false;
	if (end == begin || (end < s->len && strchr(".eE", s->bytes[end]) && s->bytes[end])) {
		while (end < s->len && s->bytes[end] && strchr("0123456789+-.eE", s->bytes[end])) {
			end++;
		}
		return end > at ? end - at : 1;
	}
	if (s->bytes[begin] == '0') {
		*ret_odd = begin > at && end == begin + 1;
	} else if (end - begin >= 20) {
		*ret_odd = true;
	} else if (end - begin == 19) {
		memcpy(text, s->bytes + begin, 19);
		text[19] = '\0';
		*ret_odd = strcmp(text, begin > at ? "9223372036854775808" : "9223372036854775807") > 0;
	}
	return end - at;
}

static int
scan_open(struct scan *s, struct rpc_problem *problem, bool object)
{
	if (s->depth == JSON_NESTING_MAX) {
		return scan_problem(s, problem, ERROR_TOO_DEEP, "nested too deep", JSON_NESTING_MAX);
	}
	s->object[s->depth] = object;
	s->commas[s->depth++] = 0;
	return 0;
}

static int
scan_comma(struct scan *s, struct rpc_problem *problem)
{
	uint32_t limit;

	if (s->depth == 0) {
		return 0;
	}
	limit = s->object[s->depth - 1] ? JSON_KEYS_MAX : JSON_ITEMS_MAX;
	if (++s->commas[s->depth - 1] >= limit) {
		return scan_problem(s, problem, ERROR_TOO_MANY,
			s->object[s->depth - 1] ? "too many keys" : "too many items", limit);
	}
	return 0;
}

static int
scan_token(struct scan *s, struct rpc_problem *problem)
{
	char c = s->bytes[s->at];
	bool odd;

	if (c == '-' || isdigit((unsigned char)c)) {
		s->at += number_len(s, s->at, &odd);
		s->odd_numbers += odd;
		return 0;
	}
	if (c == '{' || c == '[') {
		int err = scan_open(s, problem, c == '{');

		s->at++;
		return err;
	}
	if ((c == '}' || c == ']') && s->depth > 0) {
		s->depth--;
	}
	if (c == ',' && scan_comma(s, problem) != 0) {
		return -EINVAL;
	}
	s->at++;
	return c == '"' ? scan_string(s, problem) : 0;
}

static int
scan_line(struct scan *s, struct rpc_problem *problem)
{
	int err = 0;

	while (s->at < s->len) {
		size_t bytes = utf8_step((const uint8_t *)s->bytes + s->at, s->len - s->at);

		if (bytes == 0) {
			return scan_problem(s, problem, ERROR_BAD_ENCODING, "invalid UTF-8 or NUL", 0);
		}
		s->at += bytes;
	}
	s->at = 0;
	while (s->at < s->len && err == 0) {
		err = scan_token(s, problem);
	}
	return err;
}

/* Copies the line, odd integers written as reals. */
static char *
rewrite_numbers(const char *bytes, size_t len, size_t odd_numbers, size_t *ret_len)
{
	struct scan s = {.bytes = bytes, .len = len};
	struct rpc_problem ignored;
	char *copy = malloc(len + odd_numbers * 2 + 1);
	size_t out = 0;

	while (copy && s.at < len) {
		size_t begin = s.at;
		bool odd = false;

		if (bytes[begin] == '-' || isdigit((unsigned char)bytes[begin])) {
			s.at += number_len(&s, begin, &odd);
		} else {
			s.at++;
			if (bytes[begin] == '"') {
				(void)scan_string(&s, &ignored);
			}
		}
		if (odd && s.at - begin > 300) {
			memcpy(copy + out, "1e300", 5); /* jansson refuses what no double holds */
			out += 5;
			continue;
		}
		memcpy(copy + out, bytes + begin, s.at - begin);
		out += s.at - begin;
		if (odd) {
			memcpy(copy + out, ".0", 2);
			out += 2;
		}
	}
	*ret_len = out;
	return copy;
}

static int
jansson_problem(const json_error_t *error, struct rpc_problem *problem)
{
	enum json_error_code code = json_error_code(error);
	const char *near = strstr(error->text, " near ");
	int len = near ? (int)(near - error->text) : (int)strlen(error->text);
	const char *expected = error->text;

	if (code == json_error_invalid_syntax && strncmp(error->text, "invalid token", 13) == 0) {
		expected = "a JSON value"; /* jansson names what stands there */
		len = (int)strlen(expected);
	}
	if (code == json_error_duplicate_key) {
		const char *quote = strchr(error->text, '"');
		size_t key_len = quote ? strcspn(quote + 1, "\"") : 0;

		return problem_set(problem, ERROR_DUPLICATE_KEY,
			json_pack("{s:i,s:s%}", "byte", error->position, "key", quote ? quote + 1 : "",
				key_len),
			"request line, byte %d: key \"%.*s\" stands twice", error->position, (int)key_len,
			quote ? quote + 1 : "");
	}
	return problem_set(problem, code == json_error_invalid_utf8 || code == json_error_null_character ?
					    ERROR_BAD_ENCODING : ERROR_PARSE_ERROR,
		json_pack("{s:i,s:s%}", "byte", error->position, "expected", expected, (size_t)len),
		"request line, byte %d: not JSON: %s", error->position, error->text);
}

int
json_line_parse(const char *bytes, size_t len, json_t **ret_value, struct rpc_problem *ret_problem)
{
	struct scan scan = {.bytes = bytes, .len = len};
	json_error_t error;
	json_t *value;
	char *copy = NULL;
	int err = scan_line(&scan, ret_problem);

	if (err) {
		return err;
	}
	if (scan.odd_numbers) {
		copy = rewrite_numbers(bytes, len, scan.odd_numbers, &len);
		if (!copy) {
			return problem_no_memory(ret_problem, "request line");
		}
	}
	value = json_loadb(copy ? copy : bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	free(copy);
	if (!value) {
		return jansson_problem(&error, ret_problem);
	}
	*ret_value = value;
	return 0;
}
