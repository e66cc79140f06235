/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as people write them, and every configuration key. What parses is written out again and
 * reads the same; what does not leaves its place as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/schema/config_gen.h"
#include "ctrl/schema/value.h"
#include "fuzz/fuzz.h"

#define CPULIST_BYTES 1024
#define FORMAT_BYTES  8192

static void
fuzz_numbers(const char *text)
{
	char again[64];
	uint64_t value = 7, twice = 0;
	uint32_t ppm = 7;

	if (value_parse_u64(text, &value) == 0) {
		snprintf(again, sizeof(again), "%llu", (unsigned long long)value);
		ensure(value_parse_u64(again, &twice) == 0);
		ensure(twice == value);
	}
	value = 7;
	if (value_parse_duration(text, &value) == 0) {
		value_format_duration(value, again, sizeof(again));
		ensure(value_parse_duration(again, &twice) == 0);
		ensure(twice == value);
	}
	if (value_parse_bytes(text, &value) == 0) {
		value_format_bytes(value, again, sizeof(again));
		ensure(value_parse_bytes(again, &twice) == 0);
		ensure(twice == value);
	}
	if (value_parse_ppm(text, &ppm) == 0) {
		snprintf(again, sizeof(again), "%uppm", ppm);
		ensure(value_parse_ppm(again, (uint32_t *)&twice) == 0);
		ensure((uint32_t)twice == ppm);
	}
}

static void
fuzz_cpulist(const char *text)
{
	struct config_cpus cpus = {0}, twice = {0};
	char again[CPULIST_BYTES];

	if (value_parse_cpulist(text, &cpus) != 0) {
		return;
	}
	ensure(cpus.count <= CONFIG_CPUS_MAX);
	for (uint32_t i = 0; i < cpus.count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			ensure(cpus.cpus[i] != cpus.cpus[k]);
		}
	}
	value_format_cpulist(&cpus, again, sizeof(again));
	ensure(value_parse_cpulist(again, &twice) == 0);
	ensure(twice.count == cpus.count);
	ensure(memcmp(twice.cpus, cpus.cpus, cpus.count * sizeof(cpus.cpus[0])) == 0);
}

/* The first byte chooses the key. */
static void
fuzz_key(const struct config_key *key, size_t base_bytes, const char *text)
{
	uint8_t *once = calloc(1, base_bytes);
	uint8_t *twice = calloc(1, base_bytes);
	char first[FORMAT_BYTES], second[FORMAT_BYTES], why[256] = "";

	ensure(once != NULL);
	ensure(twice != NULL);
	if (config_key_parse(key, once, text, why, sizeof(why)) == 0) {
		config_key_format(key, once, first, sizeof(first));
		ensure(config_key_parse(key, twice, first, why, sizeof(why)) == 0);
		config_key_format(key, twice, second, sizeof(second));
		ensure(strcmp(first, second) == 0);
	} else {
		ensure(why[0] != '\0');
	}
	free(once);
	free(twice);
}

static void
fuzz_nearest(const char *text)
{
	struct value_nearest nearest;
	const char *half = text + strlen(text) / 2;

	ensure(value_distance(text, half) == value_distance(half, text));
	ensure(value_distance(text, text) == (strlen(text) <= VALUE_WORD_MAX ? 0 : 255));
	value_nearest_init(&nearest, text);
	for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
		value_nearest_offer(&nearest, config_keys[i].name);
	}
	ensure(nearest.count <= 3);
	for (uint32_t i = 1; i < nearest.count; i++) {
		ensure(nearest.distances[i - 1] <= nearest.distances[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = len > 0 ? calloc(1, len) : NULL;

	if (!text) {
		return 0;
	}
	memcpy(text, bytes + 1, len - 1);
	fuzz_numbers(text);
	fuzz_cpulist(text);
	fuzz_nearest(text);
	if (bytes[0] < CONFIG_KEY_COUNT) {
		fuzz_key(&config_keys[bytes[0]], sizeof(struct config), text);
	} else {
		fuzz_key(&config_port_keys[bytes[0] % CONFIG_PORT_KEY_COUNT], sizeof(struct config_port),
			text);
	}
	free(text);
	return 0;
}
