/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one configuration key is, as data: the rows of config_keys[] and config_port_keys[] are
 * generated from config.yaml, and everything that reads, checks, prints or explains configuration
 * walks them. Plain functions without state; any thread.
 */
#ifndef CTRL_CONFIG_KEY_H
#define CTRL_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_CPUS_MAX	 128
#define CONFIG_FILES_MAX 12
#define CONFIG_REASON_BYTES 256

enum config_type {
	CONFIG_BOOL,
	CONFIG_U32,
	CONFIG_U64,
	CONFIG_PPM,	 /* `0.5%` or `5000ppm` */
	CONFIG_BYTES,	 /* `64KiB 1GiB 500MB 10B` */
	CONFIG_DURATION, /* `50us 10ms 5s 2m 1h 7d`, kept in ns */
	CONFIG_ENUM,	 /* kept as int */
	CONFIG_STRING,
	CONFIG_PATH,
	CONFIG_ADDR,
	CONFIG_CPULIST, /* `2-9,12` */
	CONFIG_MAP,	/* names with plain values: in the text of a job only */
};

struct config_cpus {
	uint32_t count;
	uint16_t cpus[CONFIG_CPUS_MAX];
};

enum config_layer {
	CONFIG_LAYER_DEFAULT,
	CONFIG_LAYER_PROFILE,
	CONFIG_LAYER_FILE,
	CONFIG_LAYER_SET, /* --set key=value */
};

/* Where a key's value came from. */
struct config_origin {
	uint8_t layer; /* enum config_layer */
	uint8_t file;  /* index into struct config's files; 0 for defaults and --set */
	uint32_t line; /* 0: none */
};

struct config_key {
	const char *name;
	enum config_type type;
	uint32_t offset;       /* of the value, in struct config or struct config_port */
	uint32_t count_offset; /* of a list's uint32_t count */
	uint32_t list_max;     /* 0: no list */
	uint32_t element_bytes;
	uint64_t min;
	uint64_t max; /* of strings: greatest length */
	uint64_t step; /* a number is a multiple of it; 0: any */
	bool has_auto;
	bool power_of_two;
	bool raw; /* Kafka's raw milliseconds or bytes, without a unit */
	bool dev_only;
	const char *const *values; /* of an enum, NULL-terminated */
	const char *default_text;  /* a list: items joined by commas */
	const char *dev_text;	   /* NULL: as default_text */
	const char *unit;	   /* "ns", "bytes", "ppm", "ms" or "" */
	const char *reload;	   /* restart, fixed */
	const char *doc;
};

/* "production", "64MiB..1GiB or auto", "list of path": what a value must be, for errors and help. */
void config_key_want(const struct config_key *key, char *ret_text, size_t room);
/*
 * Parses one scalar into the key's place beneath base (a list's next element). 0, or -EINVAL with
 * what is wrong, in words that follow `"TEXT": `.
 */
int config_key_parse(const struct config_key *key, void *base, const char *text, char *ret_why,
	size_t why_bytes);
/* Empties a list before its items are parsed. */
void config_key_clear(const struct config_key *key, void *base);
/* The built-in default; ensures that it parses. */
void config_key_default(const struct config_key *key, void *base, bool dev);
/* The value as the file would write it, list items joined by commas, cut to room. */
void config_key_format(const struct config_key *key, const void *base, char *ret_text, size_t room);

const char *config_type_name(enum config_type type);
const char *config_layer_name(enum config_layer layer);

#endif
