/* SPDX-License-Identifier: Apache-2.0 */
/* penstock explain: an error by code or kind, an event, a key of the configuration or of a job, a
 * metric. Offline, from the tables. */
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/counter.h"
#include "ctrl/cli/cli.h"
#include "ctrl/schema/config_gen.h"
#include "ctrl/schema/errors_gen.h"
#include "ctrl/schema/events_gen.h"
#include "ctrl/schema/job_gen.h"
#include "ctrl/schema/value.h"

/* Exit codes, which errors of this program itself carry in place of a code of the daemon. */
static const struct {
	int code;
	const char *kind;
	const char *summary;
	const char *fix;
} exit_rows[] = {
	{CLI_FAILED, "failed", "The request or the command failed; the message says how.",
		"See why and fix below the message."},
	{CLI_CHECK_FAILED, "check_failed", "A check was made and found something wrong.",
		"Look at the lines that say so, for example of penstock ledger or log dump."},
	{CLI_CHECK_NOT_MADE, "check_not_made", "A check could not be made, for example of a file that cannot be read.",
		"Name a file or directory that is there and readable."},
	{CLI_USAGE, "usage", "The command line is wrong; nothing was sent.", "penstock help"},
	{CLI_UNREACHABLE, "unreachable", "penstockd is not running, or listens on another socket.",
		"penstockd --dev, or name its socket: penstock -s PATH"},
	{CLI_BUSY, "busy_or_deadline", "Something was in the way, or it took longer than --timeout.",
		"Try again, or give more time: penstock --timeout 5m ..."},
	{CLI_PERMISSION, "permission", "The caller's role is too low.", "Join the group that the message names."},
	{CLI_INTERRUPTED, "interrupted", "Ctrl-C or a signal ended the command.", "Start it again."},
};

static bool
explain_error(const char *word, struct value_nearest *nearest)
{
	bool found = false;
	char code[16];

	for (uint32_t i = 0; i < ERROR_KIND_COUNT; i++) {
		const struct error_row *row = &error_rows[i];

		snprintf(code, sizeof(code), "%d", row->code);
		value_nearest_offer(nearest, row->kind);
		if (strcmp(word, row->kind) == 0 || strcmp(word, code) == 0) {
			printf("%d %s%s\n  %s\n  fix   %s\n", row->code, row->kind,
				row->retryable ? " (try again)" : "", row->summary, row->fix);
			found = true;
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(exit_rows); i++) {
		snprintf(code, sizeof(code), "%d", exit_rows[i].code);
		if (strcmp(word, code) == 0 || strcmp(word, exit_rows[i].kind) == 0) {
			printf("%d %s (of this program)\n  %s\n  fix   %s\n", exit_rows[i].code,
				exit_rows[i].kind, exit_rows[i].summary, exit_rows[i].fix);
			found = true;
		}
	}
	return found;
}

static bool
explain_event(const char *word, struct value_nearest *nearest)
{
	for (uint32_t i = 0; i < EVENT_COUNT; i++) {
		const struct event_row *row = &event_rows[i];

		value_nearest_offer(nearest, row->id);
		if (strcmp(word, row->id) == 0) {
			printf("%s (event, %s)\n  %s\n  why   %s\n  fix   %s\n", row->id, row->level, row->text, row->cause,
				row->fix);
			return true;
		}
	}
	return false;
}

static const char *
reload_words(const char *reload)
{
	return strcmp(reload, "restart") == 0 ? "counts at the next start" :
						"fixed when the data directory is made";
}

static bool
explain_key(const char *word, const char *prefix, const struct config_key *keys, uint32_t count,
	struct value_nearest *nearest)
{
	char want[256];

	for (uint32_t i = 0; i < count; i++) {
		const struct config_key *key = &keys[i];

		if (!*prefix) {
			value_nearest_offer(nearest, key->name);
		}
		if (strncmp(word, prefix, strlen(prefix)) == 0 && strcmp(word + strlen(prefix), key->name) == 0) {
			config_key_want(key, want, sizeof(want));
			printf("%s (%s)\n  %s\n  want    %s\n  default %s%s%s\n", word,
				keys == job_text_keys ? "key of a job's text" : "configuration key",
				key->doc, want,
				key->default_text[0] ? key->default_text : "(empty)",
				key->dev_text ? "; in dev mode " : "",
				key->dev_text ? key->dev_text : "");
			if (keys != job_text_keys) {
				printf("  change  %s\n", reload_words(key->reload));
			}
			return true;
		}
	}
	return false;
}

/* Names as metric.list gives them. */
static bool
explain_metric(const char *word, const char *scope, const struct counter_row *rows, uint32_t count)
{
	char name[96];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "penstock_%s_%s%s", scope, rows[i].name,
			rows[i].class == COUNTER_HOLD ? "" : "_total");
		if (rows[i].class != COUNTER_DROP && rows[i].class != COUNTER_REJECT &&
			rows[i].class != COUNTER_DISCARD && strcmp(word, name) == 0) {
			printf("%s (metric, a %s)\n  %s\n", word, rows[i].class == COUNTER_HOLD ? "gauge" : "counter",
				rows[i].help);
			return true;
		}
	}
	return false;
}

/* The three families whose label says the reason. */
static bool
explain_reasons(const char *word, enum counter_class class, const char *name, const char *what)
{
	if (strcmp(word, name) != 0) {
		return false;
	}
	printf("%s (metric, a counter by reason)\n  %s\n", name, what);
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		if (lane_counter_rows[i].class == class) {
			printf("  reason %-24s %s\n", lane_counter_rows[i].name, lane_counter_rows[i].help);
		}
	}
	return true;
}

int
explain_main(const struct cli *cli, int argc, char **argv)
{
	const char *word = argv[argc > 1 ? 1 : 0];
	struct value_nearest nearest;
	bool found;

	(void)cli;
	if (argc != 2) {
		return cli_usage_error("explain wants one code, kind, event, key or metric: penstock explain 1003");
	}
	value_nearest_init(&nearest, word);
	found = explain_error(word, &nearest);
	found |= explain_event(word, &nearest);
	found |= explain_key(word, "", config_keys, CONFIG_KEY_COUNT, &nearest);
	found |= explain_key(word, "ports[].", config_port_keys, CONFIG_PORT_KEY_COUNT, &nearest);
	found |= explain_key(word, "", job_text_keys, JOB_TEXT_KEY_COUNT, &nearest);
	found |= explain_metric(word, "lane", lane_counter_rows, LANE_COUNTER_COUNT);
	found |= explain_metric(word, "log", shard_counter_rows, SHARD_COUNTER_COUNT);
	found |= explain_metric(word, "job", job_counter_rows, JOB_COUNTER_COUNT);
	found |= explain_reasons(word, COUNTER_DROP, "penstock_drops_total", "Lost before an acknowledgement.");
	found |= explain_reasons(word, COUNTER_REJECT, "penstock_rejects_total", "Refused with an error.");
	found |= explain_reasons(word, COUNTER_DISCARD, "penstock_discards_total", "Late or duplicate, by rule.");
	return found ? CLI_OK :
		       cli_usage_error("no error, event, key or metric \"%s\"%s%s", word, nearest.count ? "; nearest: " : "",
			       nearest.count ? nearest.names[0] : "");
}
