/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock demo`: the whole path once, on real data. Starts a dev daemon, makes a topic and a job,
 * replays flights over the native protocol while windows fire, drains, and adds everything up.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/csv.h"
#include "ctrl/cli/demo.h"
#include "ctrl/cli/local_commands.h"
#include "ctrl/schema/paths_gen.h"

#define DATA_FILE	"flights-2013.csv.xz"
#define SETS_MAX	16
/*
 * A partition without any record does not hold the event watermark back, and its first ones would be late if
 * they came weeks of event time behind the others': so all partitions are begun before the rest follows.
 */
#define FIRST_RECORDS	1000
#define LOOK_EACH	256 /* records between looks at windows and progress */
#define LOOK_NS		(100 * NS_PER_MS)
#define DELIVERY_MS	45000
#define DRAIN_SECONDS	40
#define WORD_BYTES_MAX	32
/* A year: half of one is replayed in a second, and by default a segment ends with each week of timestamps. */
#define DEMO_SEGMENT_MS "31622400000"

static const char help[] =
	"usage: penstock demo [--keep] [--state /DIR] [--data FILE.csv.xz] [--set KEY=VALUE] [-o json]\n\n"
	"  Starts penstockd --dev in a new directory, replays the flights of New York 2013 into it over the\n"
	"  native UDP protocol, runs a window function over them, and shows that the numbers add up.\n\n"
	"  --keep        leave daemon and directory\n"
	"  --state /DIR  that directory, new or empty\n"
	"  exit: 0 all adds up, 1 something failed, 2 it does not add up, 130 interrupted\n";

static const char *const data_dirs[] = {DEMO_DATA_DIRS};
static const char *const plugin_paths[] = {DEMO_PLUGINS};

/* Idle later than the demo may last: a slow machine must not turn waiting into lateness. */
static const char job_text[] = "name: " DEMO_JOB "\n"
			       "topics: [" DEMO_TOPIC "]\n"
			       "start: earliest\n"
			       "batch_interval: 100ms\n"
			       "time: event\n"
			       "window: {kind: tumbling, size: 7d}\n"
			       "out_of_orderness: 1h\n"
			       "idle_timeout: 60s\n"
			       "function: {plugin: '%s'}\n"
			       "sinks: [print]\n";

static bool
demo_interrupted(const struct demo *demo)
{
	struct pollfd fd = {.fd = demo->interrupt_fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

int
demo_call(struct demo *demo, const char *method, json_t *params, json_t **ret_result)
{
	json_t *result = NULL;
	int err;

	if (demo_interrupted(demo)) {
		json_decref(params);
		return CLI_INTERRUPTED;
	}
	err = client_must(&demo->client, method, params, &result);
	if (err == 0 && ret_result) {
		*ret_result = result;
	} else {
		json_decref(result);
	}
	return err;
}

/* A file from the program's own place, "" if it is not there: a moved tree stays whole. */
static void
find_beside(const struct demo *demo, const char *path, char *ret_path)
{
	char beside[700];

	snprintf(beside, sizeof(beside), "%s/%s", demo->daemon.program_dir, path);
	if (!realpath(beside, ret_path) || access(ret_path, R_OK) != 0) {
		ret_path[0] = '\0';
	}
}

static int
find_data(struct demo *demo)
{
	if (!demo->data[0]) {
		find_beside(demo, DEMO_DATA_BESIDE "/" DATA_FILE, demo->data);
	}
	for (size_t i = 0; i < ARRAY_COUNT(data_dirs) && !demo->data[0]; i++) {
		snprintf(demo->data, sizeof(demo->data), "%s/%s", data_dirs[i], DATA_FILE);
		if (access(demo->data, R_OK) != 0) {
			demo->data[0] = '\0';
		}
	}
	if (!demo->data[0] || access(demo->data, R_OK) != 0) {
		return cli_error(CLI_FAILED, "the data set cannot be read",
			demo->data[0] ? demo->data : data_dirs[0], "penstock demo --data FILE.csv.xz");
	}
	return 0;
}

static int
find_plugin(struct demo *demo)
{
	static const char *const places[] = {"docs/examples/delays.so", "delays.so", DEMO_PLUGIN_BESIDE};
	char found[PATH_MAX] = "";

	for (size_t i = 0; i < ARRAY_COUNT(places) && !found[0]; i++) {
		find_beside(demo, places[i], found);
	}
	for (size_t i = 0; i < ARRAY_COUNT(plugin_paths) && !found[0]; i++) {
		if (access(plugin_paths[i], R_OK) == 0) {
			snprintf(found, sizeof(found), "%s", plugin_paths[i]);
		}
	}
	if (found[0] && strlen(found) < sizeof(demo->plugin) && !strchr(found, '\'')) {
		memcpy(demo->plugin, found, strlen(found) + 1);
		return 0;
	}
	return cli_error(CLI_FAILED, "the example window function delays.so is not there",
		found[0] ? found : plugin_paths[0], "build it: ninja -C build");
}

/* `xz -dc FILE` with its output in a pipe; ends when the pipe is closed. */
static pid_t
open_data(const struct demo *demo, int *ret_fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)setsid(); /* Ctrl-C is ours to handle */
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)execlp("xz", "xz", "-dc", "--", demo->data, (char *)NULL);
		dprintf(STDERR_FILENO, "xz: %s\n", strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
	}
	*ret_fd = ends[0];
	return pid;
}

/* 0 if xz ended well. */
static int
close_data(pid_t pid, int fd)
{
	int status = 0;

	close(fd);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int
data_error(const struct demo *demo)
{
	return cli_error(CLI_FAILED, "the data set cannot be unpacked", demo->data,
		"sudo apt install xz-utils");
}

/* Lines of the data set, so that the bar knows its end. */
static int
count_records(struct demo *demo)
{
	struct line_reader reader;
	const char *line;
	size_t len;
	int fd = -1;
	pid_t pid = open_data(demo, &fd);
	int got;

	if (pid < 0) {
		return data_error(demo);
	}
	line_reader_init(&reader, fd, demo->interrupt_fd, '\0');
	while ((got = line_reader_next(&reader, &line, &len)) == 1) {
		demo->total++;
	}
	line_reader_free(&reader);
	if (close_data(pid, fd) != 0 && got != -EINTR) {
		return data_error(demo);
	}
	if (got == -EINTR) {
		return CLI_INTERRUPTED;
	}
	demo->total -= demo->total > 0 ? 1 : 0; /* the header line */
	return demo->total > 0 ? 0 : data_error(demo);
}

static void
step(const struct demo *demo, uint64_t since_ns, const char *text)
{
	if (!demo->cli.quiet) {
		fprintf(demo->talk, "  %-64s %5.1f s\n", text, (double)(cli_now_ns() - since_ns) / NS_PER_S);
		fflush(demo->talk);
	}
}

static int
start(struct demo *demo, const struct demo_daemon_options *options)
{
	uint64_t since_ns = cli_now_ns();
	json_t *result = NULL;
	const json_t *lane;
	char text[160];
	int err = demo_daemon_start(&demo->daemon, options);

	demo->cli.socket = demo->daemon.socket;
	err = err ? err : client_open(&demo->client, &demo->cli);
	err = err ? err : demo_call(demo, "health.wait", json_pack("{s:i}", "timeout_ms", 15000), NULL);
	err = err ? err : demo_call(demo, "sys.get", NULL, &result);
	if (err) {
		return err;
	}
	lane = json_array_get(json_object_get(result, "lanes"), 0);
	snprintf(demo->bootstrap, sizeof(demo->bootstrap), "%s:%" JSON_INTEGER_FORMAT,
		demo->netns ? DEMO_NETNS_ADDRESS : "127.0.0.1", json_integer_value(json_object_get(lane, "port")));
	snprintf(demo->driver, sizeof(demo->driver), "%s", json_string_value(json_object_get(lane, "driver")));
	snprintf(text, sizeof(text), "[1/5] penstockd --dev: %s, UDP port %s, log by %s",
		json_string_value(json_object_get(lane, "driver")), strchr(demo->bootstrap, ':') + 1,
		json_string_value(json_object_get(json_object_get(result, "log"), "io")));
	step(demo, since_ns, text);
	for (size_t i = 0; i < json_array_size(json_object_get(result, "fallbacks")); i++) {
		fprintf(demo->talk, "        %s\n",
			json_string_value(json_array_get(json_object_get(result, "fallbacks"), i)));
	}
	json_decref(result);
	return 0;
}

static int
make_topic_and_job(struct demo *demo)
{
	uint64_t since_ns = cli_now_ns();
	char text[1200];
	int err = demo_call(demo, "topic.create",
		json_pack("{s:s,s:i,s:{s:s,s:s}}", "topic", DEMO_TOPIC, "partitions", DEMO_PARTITIONS,
			"configs", "retention.ms", "-1", "segment.ms", DEMO_SEGMENT_MS), NULL);

	if (err) {
		return err;
	}
	step(demo, since_ns, "[2/5] topic \"" DEMO_TOPIC "\" with 4 partitions, retention.ms=-1");
	since_ns = cli_now_ns();
	snprintf(text, sizeof(text), job_text, demo->plugin);
	err = demo_call(demo, "job.create", json_pack("{s:s}", "text", text), NULL);
	if (err == 0) {
		step(demo, since_ns, "[3/5] job \"" DEMO_JOB "\": delays a carrier, weeks of event time");
	}
	return err;
}

struct columns {
	uint32_t key;
	uint32_t timestamp;
};

/* key = carrier, timestamp = scheduled departure, value = the line. */
static int
send_flight(struct demo *demo, const struct columns *columns, const char *line, size_t len)
{
	char key[WORD_BYTES_MAX];
	char ms[WORD_BYTES_MAX + 1];
	int64_t key_len = csv_field(line, len, ',', columns->key, key, sizeof(key));
	int64_t ms_len = csv_field(line, len, ',', columns->timestamp, ms, WORD_BYTES_MAX);
	struct penstock_record_out record = {.struct_bytes = sizeof(record),
		.partition = PENSTOCK_PARTITION_ANY, .topic = DEMO_TOPIC, .key = key, .value = line,
		.value_len = len};
	int err;

	if (key_len < 0 || ms_len <= 0) {
		return cli_error(CLI_FAILED, "a line of the data set is malformed", demo->data, NULL);
	}
	ms[ms_len] = '\0';
	record.key_len = (size_t)key_len;
	record.timestamp_ms = strtoll(ms, NULL, 10);
	err = sender_send(&demo->sender, &record);
	return err == 0	    ? 0 :
	       err == -EINTR ? CLI_INTERRUPTED :
			       cli_error(CLI_FAILED, "a record cannot be sent", strerror(-err),
				       penstock_producer_status(demo->sender.producer));
}

static int
look(struct demo *demo, uint64_t *looked_ns)
{
	if (cli_now_ns() - *looked_ns < LOOK_NS) {
		return 0;
	}
	*looked_ns = cli_now_ns();
	progress_update(&demo->progress, sender_durable(&demo->sender));
	return demo_show_windows(demo);
}

static int
settle(struct demo *demo)
{
	uint64_t looked_ns = 0;
	int settled;
	int err;

	do {
		settled = sender_settle(&demo->sender, 50);
		err = look(demo, &looked_ns);
	} while (settled == -ETIMEDOUT && err == 0);
	if (settled == -EINTR) {
		return CLI_INTERRUPTED;
	}
	if (err == 0 && sender_failed(&demo->sender)) {
		err = cli_error(CLI_FAILED, "records were given up",
			penstock_producer_status(demo->sender.producer),
			penstock_error_name((int16_t)demo->sender.first_error));
	}
	return err;
}

static int
send_flights(struct demo *demo, struct line_reader *reader)
{
	struct columns columns;
	uint64_t looked_ns = 0;
	const char *line = "";
	size_t len = 0;
	int got = line_reader_next(reader, &line, &len);
	int64_t key = csv_column(line, len, ',', "carrier");
	int64_t timestamp = csv_column(line, len, ',', "scheduled_ms");
	int err = got == -EINTR ? CLI_INTERRUPTED : key < 0 || timestamp < 0 ? data_error(demo) : 0;

	columns = (struct columns){(uint32_t)key, (uint32_t)timestamp};
	for (uint64_t i = 1; err == 0 && (got = line_reader_next(reader, &line, &len)) == 1; i++) {
		err = send_flight(demo, &columns, line, len);
		if (err == 0 && i % LOOK_EACH == 0) {
			err = look(demo, &looked_ns);
		}
		if (err == 0 && i == FIRST_RECORDS) {
			err = settle(demo);
		}
	}
	return err ? err : got == -EINTR ? CLI_INTERRUPTED : got < 0 ? data_error(demo) : 0;
}

/* The producer's sockets are where its threads are: in a namespace, if there is one. */
static int
open_sender(struct demo *demo, const struct sender_options *options)
{
	char text[256] = "";
	int err = demo->netns ? demo_netns_enter_client(demo->netns) : 0;

	if (err == 0) {
		err = sender_open(&demo->sender, options, text, sizeof(text));
	}
	if (demo->netns && demo_netns_enter_home(demo->netns) < 0) {
		err = -EIO;
	}
	return err < 0 ? cli_error(CLI_FAILED, "cannot start the producer", text[0] ? text : strerror(-err), NULL) :
			 0;
}

static int
replay(struct demo *demo)
{
	struct sender_options options = {.bootstrap = demo->bootstrap, .delivery_timeout_ms = DELIVERY_MS,
		.interrupt_fd = demo->interrupt_fd};
	struct line_reader reader;
	uint64_t since_ns = cli_now_ns();
	char text[256] = "";
	char count[32];
	int fd = -1;
	pid_t pid = open_data(demo, &fd);
	int err = pid < 0 ? data_error(demo) : 0;

	err = err ? err : open_sender(demo, &options);
	progress_begin(&demo->progress, &demo->cli, "        replay", demo->total);
	line_reader_init(&reader, fd, demo->interrupt_fd, '\0');
	err = err ? err : send_flights(demo, &reader);
	err = err ? err : settle(demo);
	if (pid > 0 && close_data(pid, fd) != 0 && err == 0) {
		err = data_error(demo);
	}
	line_reader_free(&reader);
	if (err == 0) {
		progress_end(&demo->progress, sender_durable(&demo->sender));
	}
	demo->progress.on = false;
	sender_close(&demo->sender);
	if (err == 0) {
		snprintf(text, sizeof(text), "[4/5] %s flights over UDP (native), all acknowledged durable",
			output_count(sender_durable(&demo->sender), count, sizeof(count)));
		step(demo, since_ns, text);
	}
	return err;
}

/* The job's state is asked for in short turns: windows go on being printed, Ctrl-C goes on working. */
static int
wait_drained(struct demo *demo)
{
	uint64_t until_ns = cli_now_ns() + DRAIN_SECONDS * NS_PER_S;
	json_t *job = NULL;
	int err = 0;

	while (err == 0 && !demo->drained) {
		const char *state;

		err = demo_call(demo, "job.describe", json_pack("{s:s}", "job", DEMO_JOB), &job);
		err = err ? err : demo_show_windows(demo);
		state = json_string_value(json_object_get(job, "state"));
		demo->drained = err == 0 && state && strcmp(state, "drained") == 0;
		if (err == 0 && state && strcmp(state, "failed") == 0) {
			err = cli_error(CLI_FAILED, "the job failed",
				json_string_value(json_object_get(job, "reason")), NULL);
		} else if (err == 0 && !demo->drained && cli_now_ns() > until_ns) {
			err = cli_error(CLI_FAILED, "the job is still draining after 40 s", NULL, NULL);
		}
		json_decref(job);
		job = NULL;
		if (err == 0 && !demo->drained) {
			cli_sleep_ms(30);
		}
	}
	return err ? err : demo_show_windows(demo);
}

static int
drain(struct demo *demo)
{
	uint64_t since_ns = cli_now_ns();
	json_t *result = NULL;
	json_t *refusal = NULL;
	char text[96];
	int err = client_call(&demo->client, "job.drain",
		json_pack("{s:s,s:i}", "job", DEMO_JOB, "deadline_ms", 0), &result, &refusal);
	bool deadline = refusal && json_integer_value(json_object_get(refusal, "code")) == 1006;

	if (refusal && !deadline) {
		(void)cli_rpc_error(refusal, "job.drain");
	}
	json_decref(result);
	json_decref(refusal);
	err = deadline ? 0 : err; /* it goes on draining */
	err = err ? err : wait_drained(demo);
	if (err == 0) {
		snprintf(text, sizeof(text), "[5/5] job drained: %llu windows fired, none is open",
			(unsigned long long)demo->windows_count);
		step(demo, since_ns, text);
	}
	return err;
}

enum {
	OPTION_KEEP = 256,
	OPTION_STATE,
	OPTION_SET,
	OPTION_DATA,
	OPTION_HELP,
};

/* 0, an exit code, or -1 after --help. */
static int
take_options(struct demo *demo, int argc, char **argv, struct demo_daemon_options *options,
	const char **sets)
{
	static const struct option flags[] = {{"keep", no_argument, NULL, OPTION_KEEP},
		{"state", required_argument, NULL, OPTION_STATE}, {"set", required_argument, NULL, OPTION_SET},
		{"data", required_argument, NULL, OPTION_DATA}, {"help", no_argument, NULL, OPTION_HELP},
		{NULL, 0, NULL, 0}};
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
		if (option == OPTION_KEEP) {
			demo->keep = true;
		} else if (option == OPTION_STATE && optarg[0] == '/') {
			options->dir = optarg;
		} else if (option == OPTION_SET && options->set_count < SETS_MAX) {
			sets[options->set_count++] = optarg;
		} else if (option == OPTION_DATA) {
			snprintf(demo->data, sizeof(demo->data), "%s", optarg);
		} else if (option == OPTION_HELP) {
			fputs(help, stdout);
			return -1;
		} else {
			return option == OPTION_STATE ?
				       cli_command_error("demo", "--state %s: want an absolute path", optarg) :
			       option == OPTION_SET ?
				       cli_command_error("demo", "more than %d times --set", SETS_MAX) :
				       cli_option_error("demo", argv[optind - 1], option == ':', flags);
		}
	}
	options->keep = demo->keep;
	return optind < argc ? cli_command_error("demo", "penstock demo takes no words") : 0;
}

void
demo_finish(struct demo *demo, int err)
{
	json_t *result = NULL;
	json_t *refusal = NULL;
	bool failed = err != CLI_OK && err != CLI_CHECK_FAILED;
	bool asked = false;

	sender_close(&demo->sender);
	if (failed && err != CLI_INTERRUPTED) {
		demo_daemon_show_log(&demo->daemon);
	}
	if (failed || !demo->keep) {
		asked = demo->client.fd >= 0 && demo_daemon_runs(&demo->daemon) &&
			client_call(&demo->client, "sys.stop", json_pack("{s:i}", "deadline_ms", 5000),
				&result, &refusal) == 0;
		json_decref(result);
		json_decref(refusal);
		client_close(&demo->client);
		demo_daemon_stop(&demo->daemon, asked);
	}
	client_close(&demo->client);
}

int
demo_run(struct demo *demo, const struct demo_daemon_options *options)
{
	int err = start(demo, options);

	err = err ? err : make_topic_and_job(demo);
	err = err ? err : replay(demo);
	err = err ? err : drain(demo);
	return err ? err : demo_summary(demo);
}

/* Both runs. A daemon that is kept waits; one that is not is gone before the second begins. */
static int
run_both(struct demo *demo, struct demo *nic, const struct demo_daemon_options *options)
{
	int err = find_data(demo);
	int nic_err = 0;

	err = err ? err : find_plugin(demo);
	err = err ? err : count_records(demo);
	err = err ? err : demo_run(demo, options);
	if (err != CLI_OK || !demo->keep) {
		demo_finish(demo, err);
	}
	if (err == CLI_OK) {
		nic_err = demo_nic(demo, nic);
	}
	if (err == CLI_OK && demo->keep) {
		demo_finish(demo, nic_err);
	}
	return err ? err : nic_err;
}

int
demo_main(const struct cli *cli, int argc, char **argv)
{
	struct demo *demos = calloc(2, sizeof(*demos));
	struct demo *demo = demos;
	const char *sets[SETS_MAX] = {"native.port=0"};
	struct demo_daemon_options options = {.sets = sets, .set_count = 1, .netns_fd = -1};
	int err;

	if (!demos) {
		return CLI_FAILED;
	}
	demo->cli = *cli;
	demo->talk = cli->output == CLI_TEXT ? stdout : stderr;
	demo->client.fd = -1;
	demo->start_ns = cli_now_ns();
	err = take_options(demo, argc, argv, &options, sets);
	if (err) {
		free(demos);
		return err < 0 ? CLI_OK : err;
	}
	demo->interrupt_fd = options.interrupt_fd = cli_interrupt_fd();
	demo_daemon_find(&demo->daemon);
	err = run_both(demo, &demos[1], &options);
	if (err == CLI_OK || err == CLI_CHECK_FAILED) {
		if (cli->output != CLI_TEXT) {
			demo_print_json(demo, &demos[1]);
		}
		demo_print_next(demo);
	} else if (err == CLI_INTERRUPTED) {
		fprintf(stderr, "\ninterrupted; the daemon is stopped and its directory removed\n");
	}
	if (demo->interrupt_fd >= 0) {
		close(demo->interrupt_fd);
	}
	json_decref(demos[0].ledger);
	json_decref(demos[1].ledger);
	free(demos);
	return err;
}
