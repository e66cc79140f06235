/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock produce`: lines or CSV records of a file or of stdin into a topic, through libpenstock.
 * A line is one record: its bytes are the value; with -K the key stands before the separator, with
 * CSV key and timestamp are copied out of columns and the value stays the whole line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/errcode.h"
#include "ctrl/cli/cli.h"
#include "ctrl/cli/csv.h"
#include "ctrl/cli/line_reader.h"
#include "ctrl/cli/local_commands.h"
#include "ctrl/cli/sender.h"
#include "ctrl/schema/value.h"

#define KEY_BYTES_MAX	 4096
#define TOPIC_NAME_MAX 249
#define LOOK_EACH	 64 /* records between looks at the clock */

static const char help[] =
	"usage: penstock produce TOPIC [FILE|-] [--bootstrap HOST:PORT] [--partition N] [--client-id NAME]\n"
	"         [-K SEPARATOR] | [--csv [--header] [--delimiter C] [--key-column C] [--timestamp-column C]]\n\n"
	"  One record a line, from stdin or a file. Ends when all are durable, or --timeout has passed\n"
	"  without one of them.\n\n"
	"  --bootstrap H:P       the native UDP port; else the daemon at the control socket is asked\n"
	"  --client-id NAME      keeps the producer id over runs, and ends an older run of that name\n"
	"  --partition N         all records there; else by key (murmur2), sticky without a key\n"
	"  -K SEPARATOR          KEY SEPARATOR VALUE in each line\n"
	"  --csv                 quoted fields as RFC 4180; the value is the whole line\n"
	"  --header              the first line names the columns and is not sent\n"
	"  --key-column C        a column's name, or its number from 1\n"
	"  --timestamp-column C  the same; whole milliseconds since 1970 UTC\n"
	"  --delimiter C         one byte, or \\t; default ,\n";

struct produce {
	const struct cli *cli;
	const char *topic;
	const char *bootstrap;
	const char *server; /* that, or what the daemon says */
	const char *client_id;
	const char *file;
	const char *separator;
	const char *key_column;
	const char *timestamp_column;
	char delimiter;
	bool csv;
	bool header;
	int32_t partition;
	int64_t key_index; /* -1: none */
	int64_t timestamp_index;
	uint64_t file_bytes; /* 0: unknown */
	struct line_reader reader;
	struct sender sender;
	struct progress progress;
	char key[KEY_BYTES_MAX];
};

enum {
	OPTION_BOOTSTRAP = 256,
	OPTION_CLIENT_ID,
	OPTION_FILE,
	OPTION_CSV,
	OPTION_KEY_COLUMN,
	OPTION_TIMESTAMP_COLUMN,
	OPTION_DELIMITER,
	OPTION_HEADER,
	OPTION_PARTITION,
	OPTION_TOPIC,
	OPTION_HELP,
};

static const struct option options[] = {
	{"bootstrap", required_argument, NULL, OPTION_BOOTSTRAP},
	{"bootstrap-server", required_argument, NULL, OPTION_BOOTSTRAP},
	{"client-id", required_argument, NULL, OPTION_CLIENT_ID},
	{"file", required_argument, NULL, OPTION_FILE},
	{"csv", no_argument, NULL, OPTION_CSV},
	{"key-column", required_argument, NULL, OPTION_KEY_COLUMN},
	{"timestamp-column", required_argument, NULL, OPTION_TIMESTAMP_COLUMN},
	{"delimiter", required_argument, NULL, OPTION_DELIMITER},
	{"header", no_argument, NULL, OPTION_HEADER},
	{"partition", required_argument, NULL, OPTION_PARTITION},
	{"topic", required_argument, NULL, OPTION_TOPIC},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int
take_partition(struct produce *p, const char *text)
{
	uint64_t number;

	if (value_parse_u64(text, &number) != 0 || number > INT32_MAX) {
		return cli_command_error("produce", "--partition %s: want a number from 0", text);
	}
	p->partition = (int32_t)number;
	return 0;
}

static int
take_delimiter(struct produce *p, const char *text)
{
	p->delimiter = strcmp(text, "\\t") == 0 ? '\t' : text[0];
	if (!text[0] || (text[1] && p->delimiter != '\t') || strchr("\"\r\n", p->delimiter)) {
		return cli_command_error("produce", "--delimiter %s: want one byte that is no quote, or \\t", text);
	}
	return 0;
}

static int
take_option(struct produce *p, int option)
{
	switch (option) {
	case OPTION_BOOTSTRAP:
		p->bootstrap = optarg;
		return 0;
	case OPTION_CLIENT_ID:
		p->client_id = optarg;
		return 0;
	case OPTION_FILE:
		p->file = optarg;
		return 0;
	case OPTION_CSV:
		p->csv = true;
		return 0;
	case OPTION_KEY_COLUMN:
		p->key_column = optarg;
		return 0;
	case OPTION_TIMESTAMP_COLUMN:
		p->timestamp_column = optarg;
		return 0;
	case OPTION_DELIMITER:
		return take_delimiter(p, optarg);
	case OPTION_HEADER:
		p->header = true;
		return 0;
	case OPTION_PARTITION:
		return take_partition(p, optarg);
	case OPTION_TOPIC:
		p->topic = optarg;
		return 0;
	case 'K':
		p->separator = optarg;
		return 0;
	case OPTION_HELP:
		fputs(help, stdout);
		return -1;
	default:
		return 0;
	}
}

/* Kafka's rule, told before anything is sent. */
static bool
is_topic_name(const char *name)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= TOPIC_NAME_MAX && strspn(name, legal) == len && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* 0, an exit code, or -1 after --help. */
static int
parse_arguments(struct produce *p, int argc, char **argv)
{
	int option;
	int err = 0;

	optind = 1;
	opterr = 0;
	while (err == 0 && (option = getopt_long(argc, argv, ":K:", options, NULL)) != -1) {
		err = option == '?' || option == ':' ?
			      cli_option_error("produce", argv[optind - 1], option == ':', options) :
			      take_option(p, option);
	}
	if (err) {
		return err;
	}
	if (optind < argc && !p->topic) {
		p->topic = argv[optind++];
	}
	if (optind < argc && !p->file) {
		p->file = argv[optind++];
	}
	if (p->file && strcmp(p->file, "-") == 0) {
		p->file = NULL;
	}
	if (!p->topic || optind < argc) {
		return cli_command_error("produce", p->topic ? "produce: one topic and one file, not also \"%s\"" :
						  "produce: which topic?%s",
			p->topic ? argv[optind] : "");
	}
	if (!is_topic_name(p->topic)) {
		char message[320];

		snprintf(message, sizeof(message), "topic \"%.249s\": not a topic's name", p->topic);
		return cli_error(CLI_USAGE, message, "want 1 to 249 of A-Z a-z 0-9 . _ -",
			"penstock topic list shows those there are");
	}
	if (!p->csv && (p->key_column || p->timestamp_column || p->header)) {
		return cli_command_error("produce", "--key-column, --timestamp-column and --header go with --csv");
	}
	if (p->csv && p->separator) {
		return cli_command_error("produce", "-K is for plain lines; with --csv say --key-column");
	}
	if (p->separator && !*p->separator) {
		return cli_command_error("produce", "-K wants at least one byte");
	}
	return 0;
}

/* Asks the daemon for its native UDP port: "127.0.0.1:PORT". 0 or an exit code, with the reason said. */
static int
produce_find_port(const struct cli *cli, char *ret_bootstrap, size_t room)
{
	struct client client;
	json_t *result = NULL;
	json_int_t port;
	int err = client_open(&client, cli);

	if (err) {
		return err;
	}
	err = client_must(&client, "sys.get", NULL, &result);
	client_close(&client);
	if (err) {
		return err;
	}
	port = json_integer_value(
		json_object_get(json_array_get(json_object_get(result, "lanes"), 0), "port"));
	snprintf(ret_bootstrap, room, "127.0.0.1:%" JSON_INTEGER_FORMAT, port);
	json_decref(result);
	return port > 0 ? 0 : cli_error(CLI_FAILED, "the daemon has no native UDP port", NULL,
				      "penstock sys get");
}

static int
input_error(const struct produce *p, const char *done, int error)
{
	char message[600];
	char fix[400];

	snprintf(message, sizeof(message), "%.500s cannot be %s", p->file ? p->file : "stdin", done);
	snprintf(fix, sizeof(fix), "penstock produce %s FILE, or - for stdin", p->topic);
	return cli_error(CLI_FAILED, message, strerror(error), fix);
}

static int
bad_line(const struct produce *p, const char *what)
{
	char message[256];

	snprintf(message, sizeof(message), "%s, line %" PRIu64 ": %s", p->file ? p->file : "stdin",
		p->reader.line, what);
	return cli_error(CLI_FAILED, message, "no line after it was sent",
		"mend the line, then send the file from there on");
}

static int
find_column(struct produce *p, const char *word, const char *header, size_t len, int64_t *ret_index)
{
	*ret_index = word ? csv_column(header, len, p->delimiter, word) : -1;
	if (word && *ret_index < 0) {
		return cli_command_error("produce", "no column \"%s\"%s", word,
			header ? " in the header" : ": a name wants --header; numbers count from 1");
	}
	return 0;
}

static int
read_header(struct produce *p)
{
	const char *line = NULL;
	size_t len = 0;
	int err;

	if (p->header && line_reader_next(&p->reader, &line, &len) != 1) {
		return cli_error(CLI_FAILED, "no header: the input is empty", NULL, NULL);
	}
	err = find_column(p, p->key_column, line, len, &p->key_index);
	return err ? err : find_column(p, p->timestamp_column, line, len, &p->timestamp_index);
}

static const char *
field_words(int64_t err)
{
	return err == -ENOENT ? "too few columns" : err == -ENOBUFS ? "key longer than 4096 bytes" :
								      "quotes do not match";
}

static int
csv_record(struct produce *p, const char *line, size_t len, struct penstock_record_out *record)
{
	char text[24];
	int64_t n;
	uint64_t ms;

	if (p->key_index >= 0) {
		n = csv_field(line, len, p->delimiter, (uint32_t)p->key_index, p->key, sizeof(p->key));
		if (n < 0) {
			return bad_line(p, field_words(n));
		}
		record->key = p->key;
		record->key_len = (size_t)n;
	}
	if (p->timestamp_index >= 0) {
		n = csv_field(line, len, p->delimiter, (uint32_t)p->timestamp_index, text,
			sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (n < 0 || value_parse_u64(text, &ms) != 0 || ms > INT64_MAX) {
			return bad_line(p, n == -ENOENT ? "too few columns" :
						"the timestamp is not whole milliseconds since 1970");
		}
		record->timestamp_ms = (int64_t)ms;
	}
	return 0;
}

static int
send_line(struct produce *p, const char *line, size_t len)
{
	struct penstock_record_out record = {.struct_bytes = sizeof(record), .partition = p->partition,
		.topic = p->topic, .value = line, .value_len = len, .timestamp_ms = -1};
	const char *at = p->separator ? memmem(line, len, p->separator, strlen(p->separator)) : NULL;
	int err = p->csv ? csv_record(p, line, len, &record) : 0;

	if (err) {
		return err;
	}
	if (at) {
		record.key = line;
		record.key_len = (size_t)(at - line);
		record.value = at + strlen(p->separator);
		record.value_len = len - record.key_len - strlen(p->separator);
	}
	err = sender_send(&p->sender, &record);
	return err == 0	       ? 0 :
	       err == -EINTR    ? CLI_INTERRUPTED :
	       err == -EMSGSIZE ? bad_line(p, "larger than one datagram carries") :
				  bad_line(p, strerror(-err));
}

/* The share of the file that was read says how many records there will be. */
static void
show_progress(struct produce *p)
{
	uint64_t durable = sender_durable(&p->sender);

	if (p->file_bytes && p->reader.bytes_read) {
		uint64_t total = (uint64_t)((double)p->sender.sent * (double)p->file_bytes /
					    (double)p->reader.bytes_read);

		p->progress.total = total > durable ? total : durable + 1;
	}
	progress_update(&p->progress, durable);
}

static int
send_all_lines(struct produce *p)
{
	const char *line;
	size_t len;
	int err = read_header(p);

	while (err == 0) {
		int got = line_reader_next(&p->reader, &line, &len);

		if (got == 0) {
			break;
		}
		err = got == 1	       ? send_line(p, line, len) :
		      got == -EINTR    ? CLI_INTERRUPTED :
		      got == -EBADMSG  ? bad_line(p, "the next record's quotes are never closed") :
		      got == -EMSGSIZE ? bad_line(p, "the next line is longer than 4 MiB") :
					 input_error(p, "read", -got);
		if (p->sender.sent % LOOK_EACH == 0) {
			show_progress(p);
		}
	}
	return err;
}

/* Until all are durable or failed: the delivery timeout bounds it. */
static int
settle(struct produce *p)
{
	int err;

	p->file_bytes = 0;
	p->progress.total = p->sender.sent;
	do {
		err = sender_settle(&p->sender, 50);
		progress_update(&p->progress, sender_durable(&p->sender));
	} while (err == -ETIMEDOUT);
	return err == -EINTR ? CLI_INTERRUPTED : err ? CLI_FAILED : 0;
}

/* Why the daemon takes no records, as it says itself; false: it does, or cannot be asked. */
static bool
daemon_reason(const struct produce *p, char *text, size_t room)
{
	struct client client;
	json_t *health = NULL;
	json_t *error = NULL;
	const char *reason;

	if (p->bootstrap || client_open(&client, p->cli) != 0) {
		return false;
	}
	if (client_call(&client, "health.get", NULL, &health, &error) != 0) {
		health = NULL;
	}
	/* While it is ready the reasons are alarms, of something else. */
	reason = json_is_true(json_object_get(health, "ready")) ? NULL :
		json_string_value(json_array_get(json_object_get(health, "reasons"), 0));
	if (reason) {
		snprintf(text, room, "%s", reason);
	}
	json_decref(health);
	json_decref(error);
	client_close(&client);
	return reason != NULL;
}

/* What the daemon or the library will not take, however often it is sent. */
static int
refused(const struct produce *p, int16_t error)
{
	char why[400];
	char fix[400];

	snprintf(why, sizeof(why), "topic %s: %s (%s)", p->topic,
		error == KAFKA_MESSAGE_TOO_LARGE ?
			"a record is larger than one datagram carries, or than the topic's max.message.bytes" :
			kafka_error_text(error),
		penstock_error_name(error));
	if (error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
		snprintf(fix, sizeof(fix), "penstock partition list %s", p->topic);
	} else if (error == KAFKA_MESSAGE_TOO_LARGE) {
		snprintf(fix, sizeof(fix), "send shorter records, or over an interface with a larger MTU; "
					   "penstock sys get shows the daemon's");
	} else {
		snprintf(fix, sizeof(fix),
			"penstock partition list %s, penstock topic list, penstock health get",
			p->topic);
	}
	return cli_error(CLI_FAILED, "not all records are durable", why, fix);
}

static int
not_durable(const struct produce *p, uint64_t durable)
{
	const struct sender *s = &p->sender;
	char why[512];
	char fix[400];
	bool told;

	/* Without a producer id there never was an answer. */
	if (durable == 0 && s->stats.producer_id < 0) {
		snprintf(why, sizeof(why), "no answer from %s over UDP; last: %s", p->server, s->status);
		return cli_error(CLI_UNREACHABLE, "not all records are durable", why,
			"penstock sys get tells the daemon's ports; another address: --bootstrap HOST:PORT");
	}
	if (s->first_error && s->first_error != KAFKA_REQUEST_TIMED_OUT) {
		return refused(p, (int16_t)s->first_error);
	}
	snprintf(why, sizeof(why), "%s", s->status);
	told = daemon_reason(p, why, sizeof(why));
	snprintf(fix, sizeof(fix),
		"penstock health get, penstock topic list, penstock partition list %s; "
		"more time: penstock --timeout 5m produce ...",
		p->topic);
	return cli_error(CLI_FAILED, "not all records are durable", why,
		told && strncmp(why, "disk: ", 6) == 0 ?
			"free space there, or penstock topic delete TOPIC --yes; then send again what failed" :
			fix);
}

static int
summary(struct produce *p, int err)
{
	struct sender *s = &p->sender;
	uint64_t durable = sender_durable(s);
	uint64_t failed = s->sent - durable; /* given up by us counts as well */
	char a[32], b[32], c[32];

	if (!p->cli->quiet) {
		fprintf(stderr, "  sent %s   durable %s   failed %s\n",
			output_count(s->sent, a, sizeof(a)), output_count(durable, b, sizeof(b)),
			output_count(failed, c, sizeof(c)));
		sender_print(s, stderr, "  ");
	}
	if (p->cli->output != CLI_TEXT) {
		printf("{\"schema\":\"penstock.produce/1\",\"data\":{\"sent\":%" PRIu64
		       ",\"durable\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"p50_ns\":%" PRIu64
		       ",\"p99_ns\":%" PRIu64 ",\"p999_ns\":%" PRIu64 "}}\n",
			s->sent, durable, failed, histogram_percentile(&s->latency, 500000),
			histogram_percentile(&s->latency, 990000),
			histogram_percentile(&s->latency, 999000));
	}
	if (err || failed == 0) {
		return err;
	}
	return not_durable(p, durable);
}

static int
open_input(struct produce *p, int interrupt_fd)
{
	int fd = p->file ? open(p->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	struct stat info;

	if (fd < 0) {
		return input_error(p, "opened", errno);
	}
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
		p->file_bytes = (uint64_t)info.st_size;
	}
	line_reader_init(&p->reader, fd, interrupt_fd, p->csv ? p->delimiter : '\0');
	return 0;
}

int
cli_interrupt_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return sigprocmask(SIG_BLOCK, &set, NULL) == 0 ?
		       signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) :
		       -1;
}

static int
run(struct produce *p)
{
	char bootstrap[64];
	char text[256] = "";
	struct sender_options sender = {.bootstrap = p->bootstrap, .client_id = p->client_id,
		.delivery_timeout_ms = p->cli->timeout_ns / NS_PER_MS,
		.interrupt_fd = cli_interrupt_fd()};
	int err = open_input(p, sender.interrupt_fd);
	int settled;

	if (err == 0 && !p->bootstrap) {
		err = produce_find_port(p->cli, bootstrap, sizeof(bootstrap));
		sender.bootstrap = bootstrap;
	}
	p->server = sender.bootstrap;
	if (err == 0 && sender_open(&p->sender, &sender, text, sizeof(text)) < 0) {
		err = cli_error(CLI_USAGE, "cannot start the producer", text, "--bootstrap 127.0.0.1:9292");
	}
	if (err == 0) {
		progress_begin(&p->progress, p->cli, p->topic, 0);
		err = send_all_lines(p);
		settled = err == CLI_INTERRUPTED ? 0 : settle(p);
		err = err ? err : settled;
		progress_end(&p->progress, sender_durable(&p->sender));
		sender_close(&p->sender);
		err = summary(p, err);
	}
	line_reader_free(&p->reader);
	if (p->file && p->reader.fd > 0) {
		close(p->reader.fd);
	}
	if (sender.interrupt_fd >= 0) {
		close(sender.interrupt_fd);
	}
	return err;
}

int
produce_main(const struct cli *cli, int argc, char **argv)
{
	struct produce p = {.cli = cli, .delimiter = ',', .partition = PENSTOCK_PARTITION_ANY,
		.key_index = -1, .timestamp_index = -1};
	int err = parse_arguments(&p, argc, argv);

	return err < 0 ? CLI_OK : err ? err : run(&p);
}
