/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the generated grammar: one method, one noun-verb pair. */
#ifndef CTRL_CLI_COMMAND_H
#define CTRL_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_kind {
	COMMAND_BOOL,
	COMMAND_U32,
	COMMAND_U64,
	COMMAND_I64,
	COMMAND_ENUM,
	COMMAND_STRING,
	COMMAND_LIST,
	COMMAND_MAP,
};

struct command_param {
	const char *name; /* on the wire */
	const char *flag; /* without -- */
	const char *alias;
	enum command_kind kind;
	const char *type; /* the schema's word */
	bool positional;
	bool required;
	const char *const *values;
	const char *initial; /* NULL: none */
	const char *range;   /* "1 to 1024"; NULL: nothing to say */
	const char *doc;
};

struct command {
	const char *noun;
	const char *verb;
	const char *method;
	const char *summary;
	int effect; /* 0 ro, 1 rw, 2 disruptive: asks first */
	const char *role;
	const struct command_param *params;
	uint32_t param_count;
	const char *list; /* in the result, printed as a table; NULL: names and values */
	const char *const *columns;
	const char *example;
};

extern const struct command commands[];
extern const uint32_t command_count;

#endif
