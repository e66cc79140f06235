/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as people write them: sizes, durations, shares, CPU lists, and the nearest name to a
 * mistyped one. Used by the configuration and by the CLI's flags. No state; any thread.
 */
#ifndef CTRL_VALUE_H
#define CTRL_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include "ctrl/schema/config_key.h"

/* Plain decimal. 0, -EINVAL (not decimal), -ERANGE (beyond u64). */
int value_parse_u64(const char *text, uint64_t *ret_value);
/* `50us 10ms 5s 2m 1h 7d`; -EINVAL without a unit. */
int value_parse_duration(const char *text, uint64_t *ret_ns);
/* `10B 64KiB 1GiB 500MB`; -EINVAL without a unit. */
int value_parse_bytes(const char *text, uint64_t *ret_bytes);
/* `5% 0.5% 5000ppm 0.05` in ppm. */
int value_parse_ppm(const char *text, uint32_t *ret_ppm);
/* `2-9,12`, ascending or not, no CPU twice; empty text: none. */
int value_parse_cpulist(const char *text, struct config_cpus *ret_cpus);
/* The largest unit that divides the value. */
void value_format_duration(uint64_t ns, char *ret_text, size_t room);
void value_format_bytes(uint64_t bytes, char *ret_text, size_t room);
void value_format_cpulist(const struct config_cpus *cpus, char *ret_text, size_t room);

#define VALUE_WORD_MAX 96 /* no name that anything is compared with is longer */

/* Edits (insert, delete, change, swap of neighbours) between two words; 255 if one is longer than VALUE_WORD_MAX bytes. */
uint32_t value_distance(const char *a, const char *b);

/* Collects the nearest of many names, best first. */
struct value_nearest {
	const char *word;
	uint32_t count;
	const char *names[3];
	uint32_t distances[3];
};

void value_nearest_init(struct value_nearest *nearest, const char *word);
void value_nearest_offer(struct value_nearest *nearest, const char *name);

#endif
