/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock NOUN VERB [ARG ...] [--flag value]` from the generated grammar, and `penstock call`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"
#include "ctrl/schema/value.h"

#define TEXT_BYTES_MAX 65536
#define HEALTH_WAIT_MS 60000 /* the schema's default of timeout_ms */

/* A whole file, or stdin for "-", as a JSON string; NULL after having said why not. */
static json_t *
file_text(const char *path)
{
	char *text = calloc(1, TEXT_BYTES_MAX + 1);
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	json_t *value = NULL;
	char why[300];
	size_t len;

	if (!file || !text) {
		snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
		(void)cli_error(CLI_USAGE, "the file cannot be read", why,
			"name a file that is there, or - for stdin");
		free(text);
		return NULL;
	}
	errno = 0;
	len = fread(text, 1, TEXT_BYTES_MAX + 1, file);
	if (ferror(file)) {
		snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
		(void)cli_error(CLI_USAGE, "the file cannot be read", why,
			"name a file that is there, or - for stdin");
		free(text);
		if (file != stdin) {
			fclose(file);
		}
		return NULL;
	}
	if (file != stdin) {
		fclose(file);
	}
	value = len <= TEXT_BYTES_MAX ? json_stringn(text, len) : NULL;
	if (!value) {
		(void)cli_error(CLI_USAGE, "the file is longer than 64 KiB, or not UTF-8", path,
			"name a text file: YAML");
	}
	free(text);
	return value;
}

/* "topic create": what precedes --help in a fix. */
static const char *
command_words(const struct command *c, char *text, size_t room)
{
	snprintf(text, room, "%s %s", c->noun, c->verb);
	return text;
}

static json_t *
integer_value(const struct command *c, const struct command_param *p, const char *text)
{
	char words[64];
	uint64_t value;
	const char *digits = text[0] == '-' ? text + 1 : text;

	if (strncmp(p->type, "duration", 8) == 0) {
		if (value_parse_duration(text, &value) == 0) {
			return json_integer((json_int_t)(value / (p->type[9] == 'm' ? NS_PER_MS : NS_PER_US)));
		}
		(void)cli_command_error(command_words(c, words, sizeof(words)),
			"--%s: \"%s\" is not a duration like 500ms, 30s, 5m", p->flag, text);
		return NULL;
	}
	if (strcmp(p->type, "bytes") == 0 && value_parse_bytes(text, &value) == 0) {
		return json_integer((json_int_t)value);
	}
	if (value_parse_u64(digits, &value) != 0 || value > INT64_MAX) {
		(void)cli_command_error(command_words(c, words, sizeof(words)), "%s: \"%s\" is not a number",
			p->flag, text);
		return NULL;
	}
	return json_integer(text[0] == '-' ? -(json_int_t)value : (json_int_t)value);
}

/* A scalar from text; NULL after having said why not. */
static json_t *
scalar_value(const struct command *c, const struct command_param *p, const char *text)
{
	char words[64];

	switch (p->kind) {
	case COMMAND_BOOL:
		if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
			return json_boolean(text[0] == 't');
		}
		(void)cli_command_error(command_words(c, words, sizeof(words)), "--%s: want true or false",
			p->flag);
		return NULL;
	case COMMAND_U32:
	case COMMAND_U64:
	case COMMAND_I64:
		return integer_value(c, p, text);
	default:
		return strcmp(p->type, "text") == 0 ? file_text(text) : json_string(text);
	}
}

/* Adds one value to the request: lists and maps collect. */
static int
add_value(const struct command *c, json_t *params, const struct command_param *p, const char *text)
{
	char words[64];
	json_t *held = json_object_get(params, p->name);
	const char *equals = strchr(text, '=');
	json_t *value;

	if (p->kind == COMMAND_MAP) {
		if (!equals || equals == text) {
			return cli_command_error(command_words(c, words, sizeof(words)),
				"--%s wants name=value, not \"%s\"", p->alias ? p->alias : p->flag, text);
		}
		if (!held) {
			held = json_object();
			json_object_set_new(params, p->name, held);
		}
		value = json_string(equals + 1);
		return json_object_setn_new(held, text, (size_t)(equals - text), value) == 0 ? 0 : CLI_USAGE;
	}
	if (p->kind == COMMAND_LIST) {
		if (!held) {
			held = json_array();
			json_object_set_new(params, p->name, held);
		}
		return json_array_append_new(held, json_string(text)) == 0 ? 0 : CLI_USAGE;
	}
	value = scalar_value(c, p, text);
	return value && json_object_set_new(params, p->name, value) == 0 ? 0 : CLI_USAGE;
}

static const struct command_param *
find_flag(const struct command *c, const char *word, size_t len)
{
	struct value_nearest nearest;
	char name[64];
	char words[64];

	snprintf(name, sizeof(name), "%.*s", (int)(len < 63 ? len : 63), word);
	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < c->param_count; i++) {
		const struct command_param *p = &c->params[i];

		if (strcmp(p->flag, name) == 0 || strcmp(p->name, name) == 0 ||
			(p->alias && strcmp(p->alias, name) == 0)) {
			return p;
		}
		value_nearest_offer(&nearest, p->flag);
	}
	(void)cli_command_error(command_words(c, words, sizeof(words)), "penstock %s %s has no flag --%s%s%s", c->noun,
		c->verb, name,
		nearest.count ? "; nearest: --" : "", nearest.count ? nearest.names[0] : "");
	return NULL;
}

/* The next positional parameter that was not given yet; a list takes all that follow. */
static const struct command_param *
next_positional(const struct command *c, const json_t *params)
{
	for (uint32_t i = 0; i < c->param_count; i++) {
		const struct command_param *p = &c->params[i];

		if (p->positional && (p->kind == COMMAND_LIST || !json_object_get(params, p->name))) {
			return p;
		}
	}
	return NULL;
}

static int
take_word(const struct command *c, json_t *params, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	const struct command_param *p;
	const char *equals;
	const char *value;
	char words[64];

	if (strncmp(word, "--", 2) != 0) {
		p = next_positional(c, params);
		(void)command_words(c, words, sizeof(words));
		return p ? add_value(c, params, p, word) :
			   cli_command_error(words, "penstock %s: one word too many: \"%s\"", words, word);
	}
	equals = strchr(word, '=');
	p = find_flag(c, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
	if (!p) {
		return CLI_USAGE;
	}
	if (equals && p->kind != COMMAND_MAP) {
		value = equals + 1;
	} else if (p->kind == COMMAND_BOOL) {
		value = "true";
	} else if (equals && strchr(equals + 1, '=')) {
		value = equals + 1; /* --config=name=value */
	} else if (*at + 1 < argc) {
		value = argv[++*at];
	} else {
		return cli_command_error(command_words(c, words, sizeof(words)), "--%s wants a value", p->flag);
	}
	return add_value(c, params, p, value);
}

/* Disruptive methods ask, unless -y; without a terminal they refuse. */
static int
confirm(const struct cli *cli, const struct command *c)
{
	char answer[16] = "";

	if (c->effect != 2 || cli->yes) {
		return 0;
	}
	if (!isatty(STDIN_FILENO)) {
		return cli_error(CLI_USAGE, "this command asks first, and there is no terminal", c->summary,
			"say yes beforehand: --yes");
	}
	fprintf(stderr, "%s\nGo on? [y/N] ", c->summary);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
		return cli_error(CLI_FAILED, "not done", "you did not say y", NULL);
	}
	return 0;
}

static int
run(const struct cli *cli, const struct command *c, json_t *params)
{
	struct client client;
	json_t *result;
	int err = confirm(cli, c);

	if (err == 0 && strcmp(c->method, "health.wait") == 0) {
		const json_t *timeout = json_object_get(params, "timeout_ms");
		uint64_t wait_ms = timeout ? (uint64_t)json_integer_value(timeout) : HEALTH_WAIT_MS;

		err = client_open_wait(&client, cli, wait_ms * NS_PER_MS);
	} else if (err == 0) {
		err = client_open(&client, cli);
	}
	if (err) {
		json_decref(params);
		return err;
	}
	err = client_must(&client, c->method, params, &result);
	if (err == 0) {
		output_result(cli, c, result);
		json_decref(result);
	}
	client_close(&client);
	return err;
}

const struct command *
invoke_find(const char *noun, const char *verb)
{
	for (uint32_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].noun, noun) == 0 && strcmp(commands[i].verb, verb) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

/* A noun without a verb that it has: names all, and the nearest in the fix. */
static int
wrong_verb(const char *noun, const char *verb)
{
	struct value_nearest nearest;
	char message[256];
	char fix[128];
	size_t len;

	value_nearest_init(&nearest, verb ? verb : "");
	len = verb ? (size_t)snprintf(message, sizeof(message), "penstock %s has no verb \"%.64s\"; it has:", noun, verb)
		   : (size_t)snprintf(message, sizeof(message), "penstock %s wants a verb:", noun);
	for (uint32_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].noun, noun) == 0) {
			value_nearest_offer(&nearest, commands[i].verb);
			len += len < sizeof(message) ? (size_t)snprintf(message + len, sizeof(message) - len, " %s",
							       commands[i].verb) : 0;
		}
	}
	snprintf(fix, sizeof(fix), verb && nearest.count ? "penstock %s %s --help" : "penstock %s VERB --help tells more",
		noun, verb && nearest.count ? nearest.names[0] : "");
	return cli_error(CLI_USAGE, message, NULL, fix);
}

static int
wrong_noun(const char *noun)
{
	struct value_nearest nearest;

	value_nearest_init(&nearest, noun);
	for (uint32_t i = 0; i < command_count; i++) {
		value_nearest_offer(&nearest, commands[i].noun);
	}
	return cli_usage_error("unknown word \"%s\"%s%s", noun, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
}

static bool
is_noun(const char *word)
{
	for (uint32_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].noun, word) == 0) {
			return true;
		}
	}
	return false;
}

static int
missing_argument(const struct command *c, const struct command_param *p)
{
	char message[128];

	snprintf(message, sizeof(message), "penstock %s %s: which %s?", c->noun, c->verb, p->flag);
	return cli_error(CLI_USAGE, message, p->doc, c->example);
}

int
invoke_main(const struct cli *cli, int argc, char **argv)
{
	const struct command *c = argc > 1 ? invoke_find(argv[0], argv[1]) : NULL;
	json_t *params;
	int err = 0;

	if (!c && argc > 1 && strcmp(argv[1], "--help") == 0 && help_noun(argv[0])) {
		return CLI_OK;
	}
	if (!c) {
		return is_noun(argv[0]) ? wrong_verb(argv[0], argc > 1 ? argv[1] : NULL) : wrong_noun(argv[0]);
	}
	params = json_object();

	for (int i = 2; i < argc && err == 0; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			help_command(c);
			json_decref(params);
			return CLI_OK;
		}
		err = take_word(c, params, argc, argv, &i);
	}
	for (uint32_t i = 0; err == 0 && i < c->param_count; i++) {
		if (c->params[i].required && !json_object_get(params, c->params[i].name)) {
			err = missing_argument(c, &c->params[i]);
		}
	}
	if (err == 0 && cli->dry_run) {
		printf("%s ", c->method);
		json_dumpf(params, stdout, JSON_COMPACT);
		printf("\n");
	} else if (err == 0) {
		return run(cli, c, params);
	}
	json_decref(params);
	return err;
}

int
call_main(const struct cli *cli, int argc, char **argv)
{
	struct client client;
	json_error_t error;
	json_t *params = NULL;
	json_t *result;
	int err;

	if (argc < 2 || argc > 3) {
		return cli_error(CLI_USAGE, argc < 2 ? "call: which method?" : "call: one method and one JSON object",
			"usage: penstock call METHOD [JSON]", "penstock rpc list names them; penstock call topic.list '{\"limit\":10}'");
	}
	if (argc == 3) {
		params = json_loads(argv[2], JSON_REJECT_DUPLICATES, &error);
		if (!params) {
			return cli_error(CLI_USAGE, "the parameters are not JSON", error.text,
				"penstock call topic.list '{\"limit\":10}'");
		}
	}
	err = client_open(&client, cli);
	if (err) {
		json_decref(params);
		return err;
	}
	err = client_must(&client, argv[1], params, &result);
	if (err == 0) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		printf("\n");
		json_decref(result);
	}
	client_close(&client);
	return err;
}
