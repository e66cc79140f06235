/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock demo`: the whole path once, on real data. Starts a dev daemon, makes a topic and a job,
 * replays flights over the native protocol, prints windows as they fire, drains, adds everything up.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/demo_daemon.h"
#include "ctrl/cli/feed.h"
#include "ctrl/schema/paths_gen.h"

#define TOPIC	   "flights"
#define JOB	   "delays"
#define SETS_MAX   16
#define DATA_FILE  "flights-2013.csv.xz"

struct demo {
	struct cli cli; /* a copy that talks to our daemon */
	struct demo_daemon daemon;
	struct client client;
	struct feed feed;
	struct progress progress;
	char data[512];
	char plugin[600];
	char bootstrap[64];
	uint64_t total;
	int64_t windows_seen;
	uint64_t windows_records;
	bool header;
	bool keep;
};

static const char *const data_dirs[] = {DEMO_DATA_DIRS};
static const char *const plugin_paths[] = {DEMO_PLUGINS};

static const char job_text[] = "name: " JOB "\n"
			       "topics: [" TOPIC "]\n"
			       "start: earliest\n"
			       "batch_interval: 100ms\n"
			       "time: event\n"
			       "window: {kind: tumbling, size: 7d}\n"
			       "function: {plugin: \"%s\"}\n"
			       "sinks: [print]\n";

static int
find_files(struct demo *demo)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_COUNT(data_dirs) && !demo->data[0]; i++) {
		snprintf(demo->data, sizeof(demo->data), "%s/%s", data_dirs[i], DATA_FILE);
		if (access(demo->data, R_OK) != 0) {
			demo->data[0] = '\0';
		}
	}
	if (!demo->data[0]) {
		return cli_error(CLI_FAILED, "the data set " DATA_FILE " is not there", data_dirs[0],
			"penstock demo --data FILE.csv.xz");
	}
	snprintf(demo->plugin, sizeof(demo->plugin), "%s/docs/examples/delays.so",
		demo->daemon.program_dir);
	found = access(demo->plugin, R_OK) == 0;
	for (size_t i = 0; i < ARRAY_COUNT(plugin_paths) && !found; i++) {
		snprintf(demo->plugin, sizeof(demo->plugin), "%s", plugin_paths[i]);
		found = access(demo->plugin, R_OK) == 0;
	}
	return found ? 0 :
		       cli_error(CLI_FAILED, "the example window function delays.so is not there",
			       demo->plugin, "build it: ninja -C build");
}

/* xz -dc of the data; the path is ours or the user's own. */
static FILE *
open_data(const struct demo *demo, const char *then)
{
	char command[700];

	if (strchr(demo->data, '\'')) {
		return NULL;
	}
	snprintf(command, sizeof(command), "xz -dc -- '%s' %s", demo->data, then);
	return popen(command, "re");
}

static int
count_records(struct demo *demo)
{
	FILE *pipe = open_data(demo, "| wc -l");
	char text[32] = "";

	if (pipe) {
		(void)!fgets(text, sizeof(text), pipe);
		(void)pclose(pipe);
	}
	demo->total = strtoull(text, NULL, 10);
	if (demo->total < 2) {
		return cli_error(CLI_FAILED, "the data set cannot be read", demo->data,
			"sudo apt install xz-utils");
	}
	demo->total--; /* the header line */
	return 0;
}

static void
step(const struct demo *demo, uint64_t since_ns, const char *text)
{
	if (!demo->cli.quiet) {
		printf("%-58s %5.1f s\n", text, (double)(cli_now_ns() - since_ns) / (double)NS_PER_S);
		fflush(stdout);
	}
}

static int
must(struct demo *demo, const char *method, json_t *params, json_t **ret_result)
{
	return demo_interrupted() ? CLI_INTERRUPTED :
				    client_must(&demo->client, method, params, ret_result);
}

static int
must_do(struct demo *demo, const char *method, json_t *params)
{
	json_t *result = NULL;
	int err = must(demo, method, params, &result);

	json_decref(result);
	return err;
}

static void
date_text(int64_t ms, char *text, size_t room)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, room, "%Y-%m-%d", &tm);
}

static void
print_window(struct demo *demo, const json_t *w)
{
	const json_t *rows = json_object_get(w, "rows");
	char from[16];
	char until[16];
	char count[32];

	if (demo->progress.tty && demo->progress.on) {
		fprintf(stderr, "\r\033[K");
	}
	if (!demo->header) {
		printf("  %-24s %9s  %-8s %8s  %s\n", "WINDOW (event time)", "FLIGHTS", "FIRED", "TASK us",
			"FIRST CARRIERS");
		demo->header = true;
	}
	date_text(json_integer_value(json_object_get(w, "start_ms")), from, sizeof(from));
	date_text(json_integer_value(json_object_get(w, "end_ms")), until, sizeof(until));
	printf("  %s - %s  %9s  %-8s %8" JSON_INTEGER_FORMAT "  %.60s\n", from, until,
		output_count((uint64_t)json_integer_value(json_object_get(w, "records")), count,
			sizeof(count)),
		json_string_value(json_object_get(w, "reason")),
		json_integer_value(json_object_get(w, "busy_us")),
		json_array_size(rows) ? json_string_value(json_array_get(rows, 0)) : "");
	fflush(stdout);
}

/* Windows that fired since the last look. */
static int
show_windows(struct demo *demo)
{
	json_t *result;
	size_t index;
	json_t *window;
	int err = must(demo, "window.list",
		json_pack("{s:s,s:I}", "job", JOB, "since", (json_int_t)demo->windows_seen), &result);

	if (err) {
		return err;
	}
	json_array_foreach(json_object_get(result, "windows"), index, window) {
		demo->windows_seen = json_integer_value(json_object_get(window, "sequence"));
		demo->windows_records +=
			(uint64_t)json_integer_value(json_object_get(window, "records"));
		if (demo->cli.output == CLI_TEXT) {
			print_window(demo, window);
		}
	}
	json_decref(result);
	return 0;
}

static int
start(struct demo *demo, const char *dir, const char *const *sets, uint32_t set_count)
{
	uint64_t since_ns = cli_now_ns();
	json_t *result = NULL;
	int err = demo_daemon_start(&demo->daemon, dir, sets, set_count);

	err = err ? err : find_files(demo);
	err = err ? err : count_records(demo);
	demo->cli.socket = demo->daemon.socket;
	err = err ? err : client_open(&demo->client, &demo->cli);
	err = err ? err : must_do(demo, "health.wait", NULL);
	err = err ? err : must(demo, "sys.get", NULL, &result);
	if (err) {
		return err;
	}
	const json_t *lane = json_array_get(json_object_get(result, "lanes"), 0);
	char text[160];

	if (!demo->bootstrap[0]) {
		snprintf(demo->bootstrap, sizeof(demo->bootstrap), "127.0.0.1:%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(lane, "port")));
	}
	snprintf(text, sizeof(text), "[1/5] penstockd --dev: driver %s, log by %s",
		json_string_value(json_object_get(lane, "driver")),
		json_string_value(json_object_get(json_object_get(result, "log"), "io")));
	step(demo, since_ns, text);
	json_decref(result);
	return 0;
}

static int
make_topic_and_job(struct demo *demo)
{
	uint64_t since_ns = cli_now_ns();
	char text[1024];
	int err = must_do(demo, "topic.create",
		json_pack("{s:s,s:i,s:{s:s}}", "topic", TOPIC, "partitions", 4, "configs", "retention.ms",
			"-1"));

	if (err) {
		return err;
	}
	step(demo, since_ns, "[2/5] topic \"" TOPIC "\" with 4 partitions, retention.ms=-1");
	since_ns = cli_now_ns();
	snprintf(text, sizeof(text), job_text, demo->plugin);
	err = must_do(demo, "job.create", json_pack("{s:s}", "text", text));
	if (err == 0) {
		step(demo, since_ns, "[3/5] job \"" JOB "\": delays a carrier, 7 d windows of event time");
	}
	return err;
}

static int
replay(struct demo *demo)
{
	struct feed_options options = {.topic = TOPIC, .bootstrap = demo->bootstrap, .csv = true,
		.delimiter = ',', .key_column = "carrier", .timestamp_column = "scheduled_ms",
		.partition = PENSTOCK_PARTITION_ANY};
	FILE *pipe = open_data(demo, "");
	uint64_t since_ns = cli_now_ns();
	char text[96];
	char count[32];
	int more = 1;
	int err = pipe ? feed_open(&demo->feed, &options, pipe) :
			 cli_error(CLI_FAILED, "cannot run xz", demo->data, "sudo apt install xz-utils");

	progress_begin(&demo->progress, &demo->cli, "      replay", demo->total);
	while (err == 0 && more == 1) {
		more = feed_step(&demo->feed, 100 * NS_PER_MS);
		progress_update(&demo->progress, atomic_load(&demo->feed.durable));
		err = show_windows(demo);
	}
	err = err ? err : more < 0 ? -more : feed_finish(&demo->feed, 60000);
	if (err == 0) {
		progress_end(&demo->progress, atomic_load(&demo->feed.durable));
	}
	if (pipe) {
		(void)pclose(pipe);
	}
	if (err) {
		return err;
	}
	snprintf(text, sizeof(text), "[4/5] %s flights over UDP, all acknowledged durable",
		output_count(atomic_load(&demo->feed.durable), count, sizeof(count)));
	demo->progress.on = false;
	step(demo, since_ns, text);
	return 0;
}

static int
drain(struct demo *demo)
{
	uint64_t since_ns = cli_now_ns();
	int err = must_do(demo, "job.drain", json_pack("{s:s,s:i}", "job", JOB, "deadline_ms", 60000));

	err = err ? err : show_windows(demo);
	if (err == 0) {
		step(demo, since_ns, "[5/5] job drained: the last windows are closed");
	}
	return err;
}

static int
records_in_log(struct demo *demo, uint64_t *ret_count)
{
	json_t *result;
	size_t index;
	json_t *row;
	int err = must(demo, "partition.list", json_pack("{s:s}", "topic", TOPIC), &result);

	*ret_count = 0;
	if (err) {
		return err;
	}
	json_array_foreach(json_object_get(result, "partitions"), index, row) {
		*ret_count += (uint64_t)(json_integer_value(json_object_get(row, "durable_offset")) -
					 json_integer_value(json_object_get(row, "log_start_offset")));
	}
	json_decref(result);
	return 0;
}

/* The ledger, once nothing is in flight any more: up to two seconds. */
static int
settled_ledger(struct demo *demo, json_t **ret_result)
{
	for (int i = 0; i < 20; i++) {
		int err = must(demo, "drop.list", NULL, ret_result);

		if (err || json_is_true(json_object_get(*ret_result, "adds_up"))) {
			return err;
		}
		if (i < 19) {
			json_decref(*ret_result);
			cli_sleep_ms(100);
		}
	}
	return 0;
}

static double
milliseconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

static void
print_numbers(struct demo *demo, uint64_t logged, uint64_t windowed, uint64_t late)
{
	const struct feed *f = &demo->feed;
	double seconds = (double)(f->end_ns - f->start_ns) / (double)NS_PER_S;
	uint64_t durable = atomic_load(&demo->feed.durable);
	char text[32];

	printf("\n  sent %28s\n", output_count(f->sent, text, sizeof(text)));
	printf("  acknowledged durable %12s\n", output_count(durable, text, sizeof(text)));
	printf("  in the log %22s\n", output_count(logged, text, sizeof(text)));
	printf("  in windows %22s\n", output_count(windowed, text, sizeof(text)));
	printf("  late %28s\n", output_count(late, text, sizeof(text)));
	printf("  sent = acknowledged = in the log = in windows + late: %s\n",
		f->sent == durable && durable == logged && logged == windowed + late ? "adds up" :
										       "DOES NOT ADD UP");
	printf("\n  throughput  %.0f records/s, %.1f MB/s\n", (double)durable / seconds,
		(double)f->sent_bytes / seconds / 1e6);
	printf("  ack latency p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms (send to durable)\n",
		milliseconds(histogram_percentile(&f->latency, 500000)),
		milliseconds(histogram_percentile(&f->latency, 990000)),
		milliseconds(histogram_percentile(&f->latency, 999000)));
}

static int
summary(struct demo *demo)
{
	json_t *job = NULL;
	json_t *ledger = NULL;
	uint64_t logged = 0;
	int err = records_in_log(demo, &logged);

	err = err ? err : must(demo, "job.describe", json_pack("{s:s}", "job", JOB), &job);
	err = err ? err : settled_ledger(demo, &ledger);
	if (err == 0) {
		const json_t *counters = json_object_get(job, "counters");
		uint64_t windowed = (uint64_t)json_integer_value(json_object_get(counters, "window_records"));
		uint64_t late = (uint64_t)json_integer_value(json_object_get(counters, "late_records"));
		bool adds_up = json_is_true(json_object_get(ledger, "adds_up"));

		print_numbers(demo, logged, windowed, late);
		printf("\n");
		ledger_print(ledger);
		err = adds_up && demo->feed.sent == logged && logged == windowed + late ? CLI_OK :
											   CLI_CHECK_FAILED;
		printf("  delivery    %s\n", json_string_value(json_object_get(job, "guarantee")));
	}
	json_decref(job);
	json_decref(ledger);
	return err;
}

static void
print_next(const struct demo *demo)
{
	const char *s = demo->daemon.socket;
	const char *p = demo->daemon.program_dir;

	if (!demo->keep) {
		printf("\n  the log lay in %s/log and is gone with the daemon; keep both:  %s/penstock demo --keep\n"
		       "\nfive things to try next\n"
		       "  %s/penstock demo --keep\n"
		       "  %s/penstock help\n"
		       "  %s/penstock explain 1003\n"
		       "  %s/penstockd --dev\n"
		       "  docs/tutorials, and docs/examples/delays.c: a window function in 80 lines\n",
			demo->daemon.dir, p, p, p, p, p);
		return;
	}
	printf("\n  the log lies in %s/log; the daemon runs on, pid %d\n"
	       "\nfive things to try next\n"
	       "  %s/penstock -s %s topic list\n"
	       "  echo hello | %s/penstock -s %s produce greetings\n"
	       "  %s/penstock -s %s window list " JOB "\n"
	       "  %s/penstock log dump --records %s/log/" TOPIC "-0 | less\n"
	       "  %s/penstock -s %s sys stop --yes\n",
		demo->daemon.dir, (int)demo->daemon.pid, p, s, p, s, p, s, p, demo->daemon.dir, p, s);
}

enum {
	OPTION_KEEP = 256,
	OPTION_STATE,
	OPTION_SET,
	OPTION_DATA,
	OPTION_BOOTSTRAP,
};

static int
take_options(struct demo *demo, int argc, char **argv, const char **ret_dir, const char **sets,
	uint32_t *set_count)
{
	static const struct option options[] = {{"keep", no_argument, NULL, OPTION_KEEP},
		{"state", required_argument, NULL, OPTION_STATE}, {"set", required_argument, NULL, OPTION_SET},
		{"data", required_argument, NULL, OPTION_DATA},
		{"bootstrap", required_argument, NULL, OPTION_BOOTSTRAP}, {NULL, 0, NULL, 0}};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPTION_KEEP) {
			demo->keep = true;
		} else if (option == OPTION_STATE && optarg[0] == '/') {
			*ret_dir = optarg;
		} else if (option == OPTION_SET && *set_count < SETS_MAX) {
			sets[(*set_count)++] = optarg;
		} else if (option == OPTION_DATA) {
			snprintf(demo->data, sizeof(demo->data), "%s", optarg);
		} else if (option == OPTION_BOOTSTRAP) {
			snprintf(demo->bootstrap, sizeof(demo->bootstrap), "%s", optarg);
		} else {
			return cli_usage_error("penstock demo [--keep] [--state /DIR] [--data FILE.csv.xz] [--set KEY=VALUE]");
		}
	}
	return optind < argc ? cli_usage_error("penstock demo takes no words") : 0;
}

int
demo_main(const struct cli *cli, int argc, char **argv)
{
	struct demo *demo = calloc(1, sizeof(*demo));
	const char *sets[SETS_MAX] = {"native.port=0"};
	uint32_t set_count = 1;
	const char *dir = NULL;
	sigset_t set;
	int err;

	if (!demo) {
		return CLI_FAILED;
	}
	demo->cli = *cli;
	demo->client.fd = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	err = take_options(demo, argc, argv, &dir, sets, &set_count);
	if (err) {
		free(demo);
		return err;
	}
	err = start(demo, dir, sets, set_count);
	err = err ? err : make_topic_and_job(demo);
	err = err ? err : replay(demo);
	err = err ? err : drain(demo);
	feed_close(&demo->feed);
	err = err ? err : summary(demo);
	client_close(&demo->client);
	if (err == 0 || err == CLI_CHECK_FAILED) {
		print_next(demo);
	}
	if (!demo->keep || (err && err != CLI_CHECK_FAILED)) {
		demo_daemon_stop(&demo->daemon);
	}
	free(demo);
	return err;
}
