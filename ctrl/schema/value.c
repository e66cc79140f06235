/* SPDX-License-Identifier: Apache-2.0 */
/* Values as people write them (value.h). Pure functions. */
#include "ctrl/schema/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"

struct value_unit {
	const char *name;
	uint64_t factor;
};

static const struct value_unit duration_units[] = {
	{"ns", 1}, {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S},
	{"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S},
};

static const struct value_unit byte_units[] = {
	{"B", 1}, {"kB", 1000}, {"KiB", KIB}, {"MB", 1000000}, {"MiB", MIB}, {"GB", 1000000000},
	{"GiB", GIB}, {"TB", 1000000000000}, {"TiB", 1024 * GIB},
};

/* Digits at the front of text; the rest is where the unit starts. */
static int
parse_digits(const char *text, const char **ret_rest, uint64_t *ret_value)
{
	const char *at = text;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*at)) {
		return -EINVAL;
	}
	for (; isdigit((unsigned char)*at); at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
			return -ERANGE;
		}
	}
	*ret_rest = at;
	*ret_value = value;
	return 0;
}

int
value_parse_u64(const char *text, uint64_t *ret_value)
{
	const char *rest;
	uint64_t value;
	int err = parse_digits(text, &rest, &value);

	if (err) {
		return err;
	}
	if (*rest != '\0' || (text[0] == '0' && text[1] != '\0')) {
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

static int
parse_with_unit(const char *text, const struct value_unit *units, size_t unit_count,
	uint64_t *ret_value)
{
	const char *rest;
	uint64_t value;
	int err = parse_digits(text, &rest, &value);

	if (err) {
		return err;
	}
	for (size_t i = 0; i < unit_count; i++) {
		if (strcmp(rest, units[i].name) == 0) {
			return __builtin_mul_overflow(value, units[i].factor, ret_value) ? -ERANGE : 0;
		}
	}
	return -EINVAL;
}

int
value_parse_duration(const char *text, uint64_t *ret_ns)
{
	return parse_with_unit(text, duration_units, ARRAY_COUNT(duration_units), ret_ns);
}

int
value_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, byte_units, ARRAY_COUNT(byte_units), ret_bytes);
}

/* Decimal text with up to six digits behind the point, in millionths. */
static int
parse_millionths(const char *text, const char **ret_rest, uint64_t *ret_value)
{
	const char *at;
	uint64_t value;
	uint64_t scale = 100000;
	int err = parse_digits(text, &at, &value);

	if (err || value > UINT32_MAX) {
		return err ? err : -ERANGE;
	}
	value *= 1000000;
	if (*at == '.') {
		at++;
		if (!isdigit((unsigned char)*at)) {
			return -EINVAL;
		}
		for (; isdigit((unsigned char)*at); at++) {
			value += (uint64_t)(*at - '0') * scale;
			scale /= 10;
		}
	}
	*ret_rest = at;
	*ret_value = value;
	return 0;
}

int
value_parse_ppm(const char *text, uint32_t *ret_ppm)
{
	const char *rest;
	uint64_t value;
	int err = parse_millionths(text, &rest, &value);

	if (err) {
		return err;
	}
	if (strcmp(rest, "%") == 0) {
		value /= 100;
	} else if (strcmp(rest, "ppm") == 0) {
		value /= 1000000;
	} else if (*rest != '\0') {
		return -EINVAL;
	}
	if (value > 1000000) {
		return -ERANGE;
	}
	*ret_ppm = (uint32_t)value;
	return 0;
}

static int
cpus_add(struct config_cpus *cpus, uint64_t cpu)
{
	if (cpu >= 4096 || cpus->count == CONFIG_CPUS_MAX) {
		return -ERANGE;
	}
	for (uint32_t i = 0; i < cpus->count; i++) {
		if (cpus->cpus[i] == cpu) {
			return -EINVAL;
		}
	}
	cpus->cpus[cpus->count++] = (uint16_t)cpu;
	return 0;
}

int
value_parse_cpulist(const char *text, struct config_cpus *ret_cpus)
{
	struct config_cpus cpus = {.count = 0};
	const char *at = text;

	while (*at != '\0') {
		uint64_t first;
		uint64_t last;
		int err = parse_digits(at, &at, &first);

		last = first;
		if (err == 0 && *at == '-') {
			err = parse_digits(at + 1, &at, &last);
		}
		if (err || last < first || last >= 4096) {
			return err ? err : -EINVAL;
		}
		for (uint64_t cpu = first; cpu <= last; cpu++) {
			err = cpus_add(&cpus, cpu);
			if (err) {
				return err;
			}
		}
		if (*at == ',' && at[1] != '\0') {
			at++;
		} else if (*at != '\0') {
			return -EINVAL;
		}
	}
	*ret_cpus = cpus;
	return 0;
}

static void
format_with_unit(uint64_t value, const struct value_unit *units, size_t unit_count, char *ret_text,
	size_t room)
{
	const struct value_unit *best = &units[0];

	for (size_t i = 0; i < unit_count && value > 0; i++) {
		if (value % units[i].factor == 0 && units[i].factor > best->factor) {
			best = &units[i];
		}
	}
	snprintf(ret_text, room, "%" PRIu64 "%s", value / best->factor, best->name);
}

void
value_format_duration(uint64_t ns, char *ret_text, size_t room)
{
	if (ns == 0) {
		snprintf(ret_text, room, "0s");
		return;
	}
	format_with_unit(ns, duration_units, ARRAY_COUNT(duration_units), ret_text, room);
}

void
value_format_bytes(uint64_t bytes, char *ret_text, size_t room)
{
	format_with_unit(bytes, byte_units, ARRAY_COUNT(byte_units), ret_text, room);
}

void
value_format_cpulist(const struct config_cpus *cpus, char *ret_text, size_t room)
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (uint32_t i = 0; i < cpus->count && len + 16 < room; i++) {
		uint32_t last = i;

		while (last + 1 < cpus->count && cpus->cpus[last + 1] == cpus->cpus[last] + 1) {
			last++;
		}
		len += (size_t)snprintf(ret_text + len, room - len, "%s%u", i ? "," : "", cpus->cpus[i]);
		if (last > i) {
			len += (size_t)snprintf(ret_text + len, room - len, "-%u", cpus->cpus[last]);
		}
		i = last;
	}
}

static uint32_t
min3(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t least = a < b ? a : b;

	return least < c ? least : c;
}

uint32_t
value_distance(const char *a, const char *b)
{
	uint32_t rows[3][VALUE_WORD_MAX + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > VALUE_WORD_MAX || b_len > VALUE_WORD_MAX) {
		return 255;
	}
	for (uint32_t j = 0; j <= b_len; j++) {
		rows[0][j] = j;
		rows[1][j] = j;
		rows[2][j] = j;
	}
	for (uint32_t i = 1; i <= a_len; i++) {
		uint32_t *now = rows[i % 3];
		const uint32_t *before = rows[(i - 1) % 3];

		now[0] = i;
		for (uint32_t j = 1; j <= b_len; j++) {
			now[j] = min3(before[j] + 1, now[j - 1] + 1,
				before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				rows[(i - 2) % 3][j - 2] + 1 < now[j]) {
				now[j] = rows[(i - 2) % 3][j - 2] + 1;
			}
		}
	}
	return rows[a_len % 3][b_len];
}

void
value_nearest_init(struct value_nearest *nearest, const char *word)
{
	*nearest = (struct value_nearest){.word = word};
}

void
value_nearest_offer(struct value_nearest *nearest, const char *name)
{
	uint32_t distance = value_distance(nearest->word, name);
	uint32_t limit = 1 + (uint32_t)strlen(nearest->word) / 3;
	uint32_t at = nearest->count;

	if (distance > limit) {
		return;
	}
	while (at > 0 && nearest->distances[at - 1] > distance) {
		at--;
	}
	if (at >= ARRAY_COUNT(nearest->names)) {
		return;
	}
	if (nearest->count < ARRAY_COUNT(nearest->names)) {
		nearest->count++;
	}
	for (uint32_t i = nearest->count - 1; i > at; i--) {
		nearest->names[i] = nearest->names[i - 1];
		nearest->distances[i] = nearest->distances[i - 1];
	}
	nearest->names[at] = name;
	nearest->distances[at] = distance;
}
