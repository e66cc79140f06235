/* SPDX-License-Identifier: Apache-2.0 */
/* What `penstock demo` prints: windows, the account, the drop ledger, what to try next. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/bytes.h"
#include "ctrl/cli/demo.h"

#define LEDGER_TRIES 20

static void
date_text(int64_t ms, char *text, size_t room)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, room, "%Y-%m-%d", &tm);
}

/* A row is "UA flights 1102 cancelled 8 mean 12 max 301". The carrier of most flights among them. */
static void
busiest_carrier(const json_t *rows, char *text, size_t room)
{
	long most = -1;
	size_t index;
	json_t *row;

	text[0] = '\0';
	json_array_foreach(rows, index, row) {
		char code[8];
		long flights, cancelled, mean, max;

		if (sscanf(json_string_value(row), "%7s flights %ld cancelled %ld mean %ld max %ld", code,
			    &flights, &cancelled, &mean, &max) == 5 && flights > most) {
			most = flights;
			snprintf(text, room, "%s %4ld  mean %2ld  max %3ld", code, flights, mean, max);
		}
	}
}

/* A row of a table, cut to the terminal; never when it goes elsewhere. */
static void
print_cut(FILE *out, const char *row)
{
	uint32_t width = output_width(fileno(out));

	if (strlen(row) > width && width > 3) {
		fprintf(out, "%.*s...\n", (int)width - 3, row);
	} else {
		fprintf(out, "%s\n", row);
	}
}

static void
print_window(struct demo *demo, const json_t *w)
{
	char from[16];
	char until[16];
	char count[32];
	char carrier[96];
	char row[256];

	if (demo->progress.tty && demo->progress.on) {
		fprintf(stderr, "\r\033[K");
		fflush(stderr);
	}
	if (demo->windows_count == 1) {
		snprintf(row, sizeof(row), "    %-20s  %7s  %-7s  %7s  %s", "window (event time)", "flights",
			"fired", "task us", "busiest, delay in min");
		print_cut(demo->talk, row);
	}
	date_text(json_integer_value(json_object_get(w, "start_ms")), from, sizeof(from));
	date_text(json_integer_value(json_object_get(w, "end_ms")), until, sizeof(until));
	busiest_carrier(json_object_get(w, "rows"), carrier, sizeof(carrier));
	snprintf(row, sizeof(row), "    %s..%s  %7s  %-7s  %7" JSON_INTEGER_FORMAT "  %s", from, until + 2,
		output_count((uint64_t)json_integer_value(json_object_get(w, "records")), count,
			sizeof(count)),
		json_string_value(json_object_get(w, "reason")),
		json_integer_value(json_object_get(w, "busy_us")), carrier);
	print_cut(demo->talk, row);
	fflush(demo->talk);
}

int
demo_show_windows(struct demo *demo)
{
	json_t *result = NULL;
	size_t index;
	json_t *window;
	int err = demo_call(demo, "window.list",
		json_pack("{s:s,s:I}", "job", DEMO_JOB, "since", (json_int_t)demo->windows_seen), &result);

	if (err) {
		return err;
	}
	json_array_foreach(json_object_get(result, "windows"), index, window) {
		demo->windows_seen = json_integer_value(json_object_get(window, "sequence"));
		demo->windows_count++;
		if (!demo->cli.quiet && !demo->brief) {
			print_window(demo, window);
		}
	}
	json_decref(result);
	return 0;
}

static int
records_in_log(struct demo *demo, uint64_t *ret_count)
{
	json_t *result = NULL;
	size_t index;
	json_t *row;
	int err = demo_call(demo, "partition.list", json_pack("{s:s}", "topic", DEMO_TOPIC), &result);

	*ret_count = 0;
	json_array_foreach(json_object_get(result, "partitions"), index, row) {
		*ret_count += (uint64_t)(json_integer_value(json_object_get(row, "durable_offset")) -
					 json_integer_value(json_object_get(row, "log_start_offset")));
	}
	json_decref(result);
	return err;
}

/* The ledger, once no packet is in flight any more: up to two seconds. */
static int
settled_ledger(struct demo *demo, json_t **ret_result)
{
	for (int i = 1;; i++) {
		int err = demo_call(demo, "drop.list", NULL, ret_result);

		if (err || i == LEDGER_TRIES || json_is_true(json_object_get(*ret_result, "adds_up"))) {
			return err;
		}
		json_decref(*ret_result);
		*ret_result = NULL;
		cli_sleep_ms(100);
	}
}

static void
print_term(const struct demo *demo, const char *name, uint64_t value, uint64_t due)
{
	char text[32];

	fprintf(demo->talk, "    %-22s %12s", name, output_count(value, text, sizeof(text)));
	if (value != due) {
		fprintf(demo->talk, "   off by %+" PRId64, (int64_t)(value - due));
	}
	fprintf(demo->talk, "\n");
}

static void
print_account(const struct demo *demo, const struct demo_account *a)
{
	char late[32];
	char windowed[32];

	fprintf(demo->talk, "\n  The account\n");
	print_term(demo, "sent", a->sent, demo->total);
	print_term(demo, "acknowledged durable", a->durable, a->sent);
	print_term(demo, "in the log", a->logged, a->durable);
	print_term(demo, "in windows + late", a->windowed + a->late, a->logged);
	fprintf(demo->talk, "      (%s in windows, %s late)\n",
		output_count(a->windowed, windowed, sizeof(windowed)),
		output_count(a->late, late, sizeof(late)));
	fprintf(demo->talk, "    %s\n", a->adds_up ?
		"it adds up: sent = acknowledged durable = in the log = in windows + late" :
		"IT DOES NOT ADD UP");
	sender_print(&demo->sender, demo->talk, "    ");
}

/* One line an equation of a lane. */
static void
print_ledger(const struct demo *demo, const json_t *ledger, bool adds_up)
{
	size_t index;
	size_t at;
	json_t *lane;
	json_t *equation;

	fprintf(demo->talk, "\n  The drop ledger\n");
	json_array_foreach(json_object_get(ledger, "lanes"), index, lane) {
		json_array_foreach(json_object_get(lane, "equations"), at, equation) {
			const json_t *difference = json_object_get(equation, "difference");

			fprintf(demo->talk, "    lane %zu  %-12s ", index,
				json_string_value(json_object_get(equation, "name")));
			if (!json_is_integer(difference)) {
				fprintf(demo->talk, "not visible\n");
			} else if (json_integer_value(difference) == 0) {
				fprintf(demo->talk, "adds up\n");
			} else {
				fprintf(demo->talk, "off by %" JSON_INTEGER_FORMAT "\n",
					json_integer_value(difference));
			}
		}
	}
	fprintf(demo->talk, "    %s\n", adds_up ? "all that is visible adds up" : "IT DOES NOT ADD UP");
}

static json_t *
run_document(const struct demo *demo)
{
	const struct histogram *h = &demo->sender.latency;
	const struct demo_account *a = &demo->account;

	return json_pack(
		"{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b,s:I,s:I,s:I,s:I,s:s,s:s,s:s,s:O}", "driver", demo->driver, "sent",
		(json_int_t)a->sent, "durable", (json_int_t)a->durable, "logged", (json_int_t)a->logged, "windowed",
		(json_int_t)a->windowed, "late", (json_int_t)a->late, "windows", (json_int_t)demo->windows_count,
		"adds_up", a->adds_up, "ledger_adds_up", a->ledger_adds_up, "replay_ns",
		(json_int_t)(demo->sender.last_ns - demo->sender.first_ns), "ack_p50_ns",
		(json_int_t)histogram_percentile(h, 500000), "ack_p99_ns",
		(json_int_t)histogram_percentile(h, 990000), "ack_p999_ns",
		(json_int_t)histogram_percentile(h, 999000), "window_digest", demo->window_digest, "state_dir",
		demo->daemon.dir, "socket", demo->daemon.socket, "ledger", demo->ledger);
}

void
demo_print_json(const struct demo *demo, const struct demo *nic)
{
	json_t *data = run_document(demo);
	json_t *document;

	(void)json_object_set_new(data, "nic", nic->left_out[0] || !nic->ledger ?
						       json_pack("{s:s}", "left_out", nic->left_out) :
						       run_document(nic));
	document = json_pack("{s:s,s:o}", "schema", "penstock.demo/1", "data", data);
	json_dumpf(document, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(document);
}

int
demo_summary(struct demo *demo)
{
	struct demo_account a = {.sent = demo->sender.sent, .durable = sender_durable(&demo->sender)};
	json_t *job = NULL;
	const json_t *counters;
	int err = records_in_log(demo, &a.logged);

	err = err ? err : demo_call(demo, "job.describe", json_pack("{s:s}", "job", DEMO_JOB), &job);
	err = err ? err : settled_ledger(demo, &demo->ledger);
	if (err == 0) {
		counters = json_object_get(job, "counters");
		a.windowed = (uint64_t)json_integer_value(json_object_get(counters, "window_records"));
		a.late = (uint64_t)json_integer_value(json_object_get(counters, "late_records"));
		a.adds_up = a.sent == demo->total && a.sent == a.durable && a.durable == a.logged &&
			    a.logged == a.windowed + a.late;
		a.ledger_adds_up = json_is_true(json_object_get(demo->ledger, "adds_up"));
		demo->account = a;
		snprintf(demo->window_digest, sizeof(demo->window_digest), "%s",
			json_string_value(json_object_get(job, "window_digest")));
		print_account(demo, &a);
		fprintf(demo->talk, "    delivery     %s\n",
			json_string_value(json_object_get(job, "guarantee")));
		print_ledger(demo, demo->ledger, a.ledger_adds_up);
		err = a.adds_up && a.ledger_adds_up ? CLI_OK : CLI_CHECK_FAILED;
	}
	json_decref(job);
	return err;
}

void
demo_print_next(const struct demo *demo)
{
	const char *p = demo->daemon.program_dir;
	const char *s = demo->daemon.socket;

	fprintf(demo->talk, "\n  done in %.1f s\n", (double)(cli_now_ns() - demo->start_ns) / NS_PER_S);
	if (demo->cli.quiet) {
		return;
	}
	if (demo->keep) {
		fprintf(demo->talk,
			"  the log lies in %s/log; penstockd runs on, pid %d\n\n  Five things to try next\n"
			"    export PENSTOCK_SOCKET=%s\n"
			"    %s/penstock window list " DEMO_JOB "\n"
			"    %s/penstock partition list " DEMO_TOPIC "\n"
			"    echo 'hello' | %s/penstock produce " DEMO_TOPIC "\n"
			"    %s/penstock log dump --deep --max-bytes 1KiB %s/log/" DEMO_TOPIC
			"-0/00000000000000000000.log\n"
			"    %s/penstock sys stop --yes    # the end; then: rm -r %s\n",
			demo->daemon.dir, (int)demo->daemon.pid, s, p, p, p, p, demo->daemon.dir, p,
			demo->daemon.dir);
		return;
	}
	fprintf(demo->talk,
		"  the log lay in %s/log; it went with the daemon (--keep leaves both)\n\n"
		"  Five things to try next\n"
		"    %s/penstock demo --keep       # the same, left running, with what to look at\n"
		"    %s/penstockd --dev            # a daemon of your own; the next ones in a second terminal\n"
		"    %s/penstock topic create lines --partitions 4\n"
		"    seq 100000 | %s/penstock produce lines\n"
		"    %s/penstock ledger            # what came in, what became of it\n",
		demo->daemon.dir, p, p, p, p, p);
}
