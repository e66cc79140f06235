/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of fault rules: words separated by commas; see io_fault.h. Start-up only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "logstore/io/io_fault.h"

#define WORD_MAX 64

static const struct {
	const char *name;
	uint64_t unit_ns;
	size_t field;
} delays[] = {
	{"flush_delay_ms", NS_PER_MS, offsetof(struct io_fault_options, flush_delay_ns)},
	{"flush_delay_us", NS_PER_US, offsetof(struct io_fault_options, flush_delay_ns)},
	{"write_delay_ms", NS_PER_MS, offsetof(struct io_fault_options, write_delay_ns)},
	{"write_delay_us", NS_PER_US, offsetof(struct io_fault_options, write_delay_ns)},
	{"read_delay_ms", NS_PER_MS, offsetof(struct io_fault_options, read_delay_ns)},
	{"read_delay_us", NS_PER_US, offsetof(struct io_fault_options, read_delay_ns)},
	{"delays_end_ms", NS_PER_MS, offsetof(struct io_fault_options, delays_end_ns)},
};

static const struct {
	const char *name;
	int error;
} errors[] = {
	{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EAGAIN", EAGAIN}, {"ECANCELED", ECANCELED},
};

static const char *const op_names[] = {
	[IO_FAULT_WRITE] = "write",
	[IO_FAULT_FLUSH] = "flush",
	[IO_FAULT_READ] = "read",
};

/* Decimal up to `stop`; moves *at behind it. */
static int
parse_number(const char **at, const char *stop, uint32_t *ret_value)
{
	char *end;
	unsigned long value;

	if (**at < '0' || **at > '9') {
		return -EINVAL;
	}
	value = strtoul(*at, &end, 10);
	if (value > UINT32_MAX || !strchr(stop, *end)) {
		return -EINVAL;
	}
	*at = end;
	*ret_value = (uint32_t)value;
	return 0;
}

static int
parse_delay(const char *key, const char *value, struct io_fault_options *options)
{
	uint32_t number;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(delays); i++) {
		if (strcmp(key, delays[i].name) == 0) {
			if (parse_number(&value, "", &number) < 0 || *value != '\0') {
				return -EINVAL;
			}
			*(uint64_t *)((char *)options + delays[i].field) =
				number * delays[i].unit_ns;
			return 0;
		}
	}
	return -ENOENT;
}

static int
parse_error(const char *text, int *ret_error)
{
	size_t i;

	for (i = 0; i < ARRAY_COUNT(errors); i++) {
		if (strcmp(text, errors[i].name) == 0) {
			*ret_error = errors[i].error;
			return 0;
		}
	}
	return -EINVAL;
}

/* `<op>:<nth>[+]:<error name or bytes>` */
static int
parse_rule(const char *value, enum io_fault_kind kind, struct io_fault_options *options)
{
	struct io_fault_rule rule = {.kind = kind};
	const char *at = strchr(value, ':');
	size_t op;

	if (!at || options->rule_count == IO_FAULT_RULES_MAX) {
		return -EINVAL;
	}
	for (op = 0; op < ARRAY_COUNT(op_names); op++) {
		if (strlen(op_names[op]) == (size_t)(at - value) &&
			memcmp(op_names[op], value, (size_t)(at - value)) == 0) {
			break;
		}
	}
	at++;
	if (op == ARRAY_COUNT(op_names) || parse_number(&at, ":+", &rule.nth) < 0 ||
		rule.nth == 0) {
		return -EINVAL;
	}
	rule.op = (enum io_fault_op)op;
	rule.sticky = *at == '+';
	at += rule.sticky;
	if (*at++ != ':') {
		return -EINVAL;
	}
	if (kind == IO_FAULT_ERROR ? parse_error(at, &rule.error) < 0 :
		parse_number(&at, "", &rule.bytes) < 0 || *at != '\0' || op == IO_FAULT_FLUSH) {
		return -EINVAL;
	}
	options->rules[options->rule_count++] = rule;
	return 0;
}

static int
parse_word(char *word, struct io_fault_options *options)
{
	char *equals = strchr(word, '=');

	if (!equals) {
		return -EINVAL;
	}
	*equals = '\0';
	if (strcmp(word, "fail") == 0) {
		return parse_rule(equals + 1, IO_FAULT_ERROR, options);
	}
	if (strcmp(word, "short") == 0) {
		return parse_rule(equals + 1, IO_FAULT_SHORT, options);
	}
	return parse_delay(word, equals + 1, options);
}

int
io_fault_parse(const char *text, struct io_fault_options *options, const char **ret_bad)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		char word[WORD_MAX];

		*ret_bad = text;
		if (len >= sizeof(word)) {
			return -EINVAL;
		}
		memcpy(word, text, len);
		word[len] = '\0';
		if (parse_word(word, options) < 0) {
			return -EINVAL;
		}
		text += len + (text[len] == ',');
	}
	return 0;
}
