/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock ledger`: what came in, what became of it, and whether it adds up. */
#include <stdio.h>
#include "ctrl/cli/cli.h"

static void
print_equation(const json_t *equation)
{
	const json_t *terms = json_object_get(equation, "terms");
	const json_t *difference = json_object_get(equation, "difference");
	char text[32];
	size_t index;
	json_t *term;

	printf("  %-14s", json_string_value(json_object_get(equation, "name")));
	if (json_is_integer(difference)) {
		printf(" %s", json_integer_value(difference) == 0 ? "OK  adds up" : "FAIL");
		if (json_integer_value(difference) != 0) {
			printf("  off by %" JSON_INTEGER_FORMAT, json_integer_value(difference));
		}
	} else {
		printf(" not visible");
	}
	printf("\n");
	json_array_foreach(terms, index, term) {
		const json_t *value = json_object_get(term, "value");
		json_int_t sign = json_integer_value(json_object_get(term, "sign"));

		if (json_is_integer(value) && json_integer_value(value) == 0) {
			continue;
		}
		printf("    %c %-28s %15s\n", sign > 0 ? '+' : sign < 0 ? '-' : ' ',
			json_string_value(json_object_get(term, "name")),
			json_is_integer(value) ?
				output_count((uint64_t)json_integer_value(value), text, sizeof(text)) :
				"not visible");
	}
}

/* Prints the ledger of a drop.list result. */
static void
ledger_print(const json_t *result)
{
	const json_t *lanes = json_object_get(result, "lanes");
	size_t index;
	json_t *lane;

	json_array_foreach(lanes, index, lane) {
		size_t i;
		json_t *equation;

		printf("lane %" JSON_INTEGER_FORMAT " (%s)\n",
			json_integer_value(json_object_get(lane, "lane")),
			json_string_value(json_object_get(lane, "driver")));
		json_array_foreach(json_object_get(lane, "equations"), i, equation) {
			print_equation(equation);
		}
	}
	printf("log\n");
	json_array_foreach(json_object_get(result, "log"), index, lane) {
		print_equation(lane);
	}
	printf("ledger: %s\n", json_is_true(json_object_get(result, "adds_up")) ?
				       "adds up" :
				       "DOES NOT ADD UP (while packets are in flight ask again)");
}

int
ledger_main(const struct cli *cli, int argc, char **argv)
{
	struct client client;
	json_t *result;
	int err;

	(void)argv;
	if (argc != 1) {
		return cli_command_error("ledger", "penstock ledger takes no words");
	}
	err = client_open(&client, cli);
	if (err) {
		return err;
	}
	err = client_must(&client, "drop.list", NULL, &result);
	client_close(&client);
	if (err) {
		return err;
	}
	if (cli->output == CLI_TEXT) {
		ledger_print(result);
	} else {
		output_document(cli, "drop.list", result);
	}
	err = json_is_true(json_object_get(result, "adds_up")) ? CLI_OK : CLI_CHECK_FAILED;
	json_decref(result);
	return err;
}
