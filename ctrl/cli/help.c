/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated commands can do: of one, and of all verbs of a noun. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "ctrl/cli/cli.h"

/* A parameter's flag where people fill in a value: --partitions U32 -> "U32"; an argument: TOPIC. */
static void
upper(const char *text, char *ret, size_t room)
{
	size_t len = 0;

	for (; text[len] && len + 1 < room; len++) {
		ret[len] = text[len] == '-' ? '_' : (char)toupper((unsigned char)text[len]);
	}
	ret[len] = '\0';
}

/* What stands for the value: "30s", N, FILE, TOPIC ... */
static const char *
value_words(const struct command_param *p, char *room, size_t bytes)
{
	switch (p->kind) {
	case COMMAND_MAP:
		return "NAME=VALUE";
	case COMMAND_ENUM:
	case COMMAND_LIST:
		return "WORD";
	case COMMAND_U32:
	case COMMAND_U64:
	case COMMAND_I64:
		return strncmp(p->type, "duration", 8) == 0 ? "30s" : strcmp(p->type, "bytes") == 0 ? "64KiB" : "N";
	default:
		upper(strcmp(p->type, "text") == 0 ? "file" : strcmp(p->type, "string") == 0 ? "text" : p->type, room,
			bytes);
		return room;
	}
}

/* "--config NAME=VALUE": the short name if there is one. */
static void
flag_words(const struct command_param *p, char *ret, size_t room)
{
	const char *flag = p->alias ? p->alias : p->flag;
	char value[32];

	if (p->kind == COMMAND_BOOL) {
		snprintf(ret, room, "--%s", flag);
	} else {
		snprintf(ret, room, "--%s %s", flag, value_words(p, value, sizeof(value)));
	}
}

static void
print_param(const struct command_param *p)
{
	char words[96];

	flag_words(p, words, sizeof(words));
	printf("  %-24s %s", words, p->doc);
	if (p->range) {
		printf(" %s.", p->range);
	}
	for (uint32_t v = 0; p->values && p->values[v]; v++) {
		printf("%s%s", v ? ", " : " One of ", p->values[v]);
	}
	printf("%s%s%s%s\n", p->values ? "." : "", p->initial ? " Default " : "", p->initial ? p->initial : "",
		p->required ? " (required)" : "");
}

void
help_command(const struct command *c)
{
	char word[64];

	printf("penstock %s %s: %s\n\nusage: penstock %s %s", c->noun, c->verb, c->summary, c->noun,
		c->verb);
	for (uint32_t i = 0; i < c->param_count; i++) {
		if (c->params[i].positional) {
			upper(c->params[i].flag, word, sizeof(word));
			printf(c->params[i].required ? " %s" : " [%s]", word);
		}
	}
	printf("%s\n", c->param_count ? " [--flag value ...]" : "");
	for (uint32_t i = 0; i < c->param_count; i++) {
		print_param(&c->params[i]);
	}
	printf("\nneeds role %s%s\nexample: %s\n", c->role,
		c->effect == 2 ? "; asks first, unless --yes" : "", c->example);
}

bool
help_noun(const char *noun)
{
	bool known = false;

	for (uint32_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].noun, noun) != 0) {
			continue;
		}
		if (!known) {
			printf("usage: penstock %s VERB [ARG ...] [--flag value ...]\n\n", noun);
		}
		known = true;
		printf("  penstock %s %-10s %s\n", noun, commands[i].verb, commands[i].summary);
	}
	if (known) {
		printf("\npenstock %s VERB --help tells more.\n", noun);
	}
	return known;
}
