/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration keys as data (config_key.h): parse, check, print. Pure functions. */
#include "ctrl/schema/config_key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/schema/value.h"

static const char *const type_names[] = {
	[CONFIG_BOOL] = "bool", [CONFIG_U32] = "u32", [CONFIG_U64] = "u64", [CONFIG_PPM] = "ratio",
	[CONFIG_BYTES] = "size", [CONFIG_DURATION] = "duration", [CONFIG_ENUM] = "enum",
	[CONFIG_STRING] = "string", [CONFIG_PATH] = "path", [CONFIG_ADDR] = "addr",
	[CONFIG_CPULIST] = "cpulist", [CONFIG_MAP] = "map",
};

static const char *const layer_names[] = {"defaults", "profile", "file", "set"};

const char *
config_type_name(enum config_type type)
{
	return type_names[type];
}

const char *
config_layer_name(enum config_layer layer)
{
	return layer_names[layer];
}

/* A number with the key's unit. */
static void
format_number(const struct config_key *key, uint64_t value, char *ret_text, size_t room)
{
	if (key->type == CONFIG_BYTES && !key->raw) {
		value_format_bytes(value, ret_text, room);
	} else if (key->type == CONFIG_DURATION && !key->raw) {
		value_format_duration(value, ret_text, room);
	} else if (key->type == CONFIG_PPM) {
		snprintf(ret_text, room, "%" PRIu64 "ppm", value);
	} else {
		snprintf(ret_text, room, "%" PRIu64, value);
	}
}

static bool
is_number(const struct config_key *key)
{
	return key->type == CONFIG_U32 || key->type == CONFIG_U64 || key->type == CONFIG_PPM ||
	       key->type == CONFIG_BYTES || key->type == CONFIG_DURATION;
}

void
config_key_want(const struct config_key *key, char *ret_text, size_t room)
{
	size_t len = (size_t)snprintf(ret_text, room, "%s%s", key->list_max ? "list of " : "",
		type_names[key->type]);

	if (key->type == CONFIG_ENUM) {
		len = (size_t)snprintf(ret_text, room, "one of");
		for (uint32_t i = 0; key->values[i] && len < room; i++) {
			len += (size_t)snprintf(ret_text + len, room - len, "%s %s", i ? "," : "",
				key->values[i]);
		}
	} else if (is_number(key)) {
		char least[32];
		char most[32];

		format_number(key, key->min, least, sizeof(least));
		format_number(key, key->max, most, sizeof(most));
		snprintf(ret_text + len, room - len, " %s..%s%s", least, most,
			key->has_auto ? " or auto" : "");
	}
}

static int
number_from_text(const struct config_key *key, const char *text, uint64_t *ret_value)
{
	uint32_t ppm;
	int err;

	if (key->type == CONFIG_PPM) {
		err = value_parse_ppm(text, &ppm);
		*ret_value = err ? 0 : ppm;
		return err;
	}
	if (key->type == CONFIG_DURATION && !key->raw) {
		return value_parse_duration(text, ret_value);
	}
	if (key->type == CONFIG_BYTES && !key->raw) {
		return value_parse_bytes(text, ret_value);
	}
	return value_parse_u64(text, ret_value);
}

static int
parse_number(const struct config_key *key, void *place, const char *text, char *ret_why,
	size_t why_bytes)
{
	uint64_t value = 0;
	char want[160];
	bool automatic = key->has_auto && strcmp(text, "auto") == 0;
	int err = automatic ? 0 : number_from_text(key, text, &value);
	uint64_t bare;

	config_key_want(key, want, sizeof(want));
	if (err == -EINVAL && (key->type == CONFIG_DURATION || key->type == CONFIG_BYTES) &&
		value_parse_u64(text, &bare) == 0) {
		snprintf(ret_why, why_bytes, "a number without a unit; want %s", want);
		return -EINVAL;
	}
	if (err == -EINVAL) {
		snprintf(ret_why, why_bytes, "not a %s; want %s", type_names[key->type], want);
		return -EINVAL;
	}
	if (err || (!automatic && (value < key->min || value > key->max))) {
		snprintf(ret_why, why_bytes, "out of range; want %s", want);
		return -EINVAL;
	}
	if (key->step && value % key->step != 0) {
		format_number(key, key->step, want, sizeof(want));
		snprintf(ret_why, why_bytes, "not a multiple of %s", want);
		return -EINVAL;
	}
	if (key->power_of_two && (value & (value - 1)) != 0) {
		snprintf(ret_why, why_bytes, "not a power of two; want %s", want);
		return -EINVAL;
	}
	if (key->type == CONFIG_U32 || key->type == CONFIG_PPM) {
		*(uint32_t *)place = (uint32_t)value;
	} else {
		*(uint64_t *)place = value;
	}
	return 0;
}

static int
parse_enum(const struct config_key *key, void *place, const char *text, char *ret_why,
	size_t why_bytes)
{
	struct value_nearest nearest;
	char want[160];

	value_nearest_init(&nearest, text);
	for (int i = 0; key->values[i]; i++) {
		if (strcmp(key->values[i], text) == 0) {
			*(int *)place = i;
			return 0;
		}
		value_nearest_offer(&nearest, key->values[i]);
	}
	config_key_want(key, want, sizeof(want));
	snprintf(ret_why, why_bytes, "want %s%s%s", want, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
	return -EINVAL;
}

static bool
is_address(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int
parse_string(const struct config_key *key, char *place, const char *text, char *ret_why,
	size_t why_bytes)
{
	bool automatic = key->has_auto && strcmp(text, "auto") == 0;

	if (strlen(text) > key->max) {
		snprintf(ret_why, why_bytes, "longer than %" PRIu64 " bytes", key->max);
		return -EINVAL;
	}
	if (key->type == CONFIG_PATH && text[0] != '/' && !automatic) {
		snprintf(ret_why, why_bytes, "not an absolute path");
		return -EINVAL;
	}
	if (key->type == CONFIG_ADDR && !is_address(text)) {
		snprintf(ret_why, why_bytes, "not an IPv4 or IPv6 address");
		return -EINVAL;
	}
	memset(place, 0, key->element_bytes);
	if (!automatic) {
		memcpy(place, text, strlen(text));
	}
	return 0;
}

int
config_key_parse(const struct config_key *key, void *base, const char *text, char *ret_why,
	size_t why_bytes)
{
	uint32_t *count = key->list_max ? (uint32_t *)((char *)base + key->count_offset) : NULL;
	char *place = (char *)base + key->offset;
	int err = 0;

	if (count && *count == key->list_max) {
		snprintf(ret_why, why_bytes, "more than %u items", key->list_max);
		return -EINVAL;
	}
	place += count ? (size_t)*count * key->element_bytes : 0;
	if (is_number(key)) {
		err = parse_number(key, place, text, ret_why, why_bytes);
	} else if (key->type == CONFIG_ENUM) {
		err = parse_enum(key, place, text, ret_why, why_bytes);
	} else if (key->type == CONFIG_CPULIST) {
		err = value_parse_cpulist(text, (struct config_cpus *)place);
		if (err) {
			snprintf(ret_why, why_bytes, "not a CPU list like 2-9,12");
		}
	} else if (key->type == CONFIG_BOOL) {
		err = strcmp(text, "true") != 0 && strcmp(text, "false") != 0 ? -EINVAL : 0;
		if (err) {
			snprintf(ret_why, why_bytes, "want true or false");
		} else {
			*(bool *)place = text[0] == 't';
		}
	} else {
		err = parse_string(key, place, text, ret_why, why_bytes);
	}
	if (err == 0 && count) {
		(*count)++;
	}
	return err ? -EINVAL : 0;
}

void
config_key_clear(const struct config_key *key, void *base)
{
	if (key->list_max) {
		*(uint32_t *)((char *)base + key->count_offset) = 0;
	}
}

void
config_key_default(const struct config_key *key, void *base, bool dev)
{
	const char *text = dev && key->dev_text ? key->dev_text : key->default_text;
	char why[256];
	char item[512];

	config_key_clear(key, base);
	if (!key->list_max) {
		ensure(config_key_parse(key, base, text, why, sizeof(why)) == 0);
		return;
	}
	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		ensure(len < sizeof(item));
		memcpy(item, text, len);
		item[len] = '\0';
		ensure(config_key_parse(key, base, item, why, sizeof(why)) == 0);
		text += len + (text[len] == ',');
	}
}

static void
format_one(const struct config_key *key, const char *place, char *ret_text, size_t room)
{
	uint64_t value;

	if (is_number(key)) {
		value = key->type == CONFIG_U32 || key->type == CONFIG_PPM ?
				*(const uint32_t *)place :
				*(const uint64_t *)place;
		if (key->has_auto && value == 0) {
			snprintf(ret_text, room, "auto");
		} else {
			format_number(key, value, ret_text, room);
		}
	} else if (key->type == CONFIG_ENUM) {
		snprintf(ret_text, room, "%s", key->values[*(const int *)place]);
	} else if (key->type == CONFIG_CPULIST) {
		value_format_cpulist((const struct config_cpus *)place, ret_text, room);
	} else if (key->type == CONFIG_BOOL) {
		snprintf(ret_text, room, "%s", *(const bool *)place ? "true" : "false");
	} else {
		snprintf(ret_text, room, "%s", key->has_auto && !*place ? "auto" : place);
	}
}

void
config_key_format(const struct config_key *key, const void *base, char *ret_text, size_t room)
{
	const char *place = (const char *)base + key->offset;
	uint32_t count;
	size_t len = 0;

	if (!key->list_max) {
		format_one(key, place, ret_text, room);
		return;
	}
	count = *(const uint32_t *)((const char *)base + key->count_offset);
	ret_text[0] = '\0';
	for (uint32_t i = 0; i < count && len + 2 < room; i++) {
		if (i) {
			ret_text[len++] = ',';
		}
		format_one(key, place + (size_t)i * key->element_bytes, ret_text + len, room - len);
		len += strlen(ret_text + len);
	}
}
