/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock produce TOPIC`: lines or CSV from files or stdin, over the native protocol. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/feed.h"
#include "ctrl/schema/value.h"

static const char produce_help[] =
	"usage: penstock produce TOPIC [FILE ...]     - or no file: stdin; one record a line\n\n"
	"  --csv                   lines are CSV; the value is the whole line\n"
	"  --key-column NAME       key of the record: a name of the header line, or a number from 1\n"
	"  --timestamp-column NAME its timestamp, ms since 1970\n"
	"  --delimiter CHAR        default ,\n"
	"  --partition N           instead of by key\n"
	"  --client-id NAME        keeps the producer id over runs\n"
	"  --bootstrap HOST:PORT   default: the running daemon's first lane, else 127.0.0.1:9292\n"
	"  --total N               records expected, for the progress bar\n\n"
	"example: penstock produce flights --csv --key-column carrier --timestamp-column scheduled_ms f.csv\n";

enum {
	OPTION_CSV = 256,
	OPTION_KEY,
	OPTION_TIMESTAMP,
	OPTION_DELIMITER,
	OPTION_PARTITION,
	OPTION_CLIENT_ID,
	OPTION_BOOTSTRAP,
	OPTION_TOTAL,
	OPTION_HELP,
};

static const struct option produce_options[] = {
	{"csv", no_argument, NULL, OPTION_CSV},
	{"key-column", required_argument, NULL, OPTION_KEY},
	{"timestamp-column", required_argument, NULL, OPTION_TIMESTAMP},
	{"delimiter", required_argument, NULL, OPTION_DELIMITER},
	{"partition", required_argument, NULL, OPTION_PARTITION},
	{"client-id", required_argument, NULL, OPTION_CLIENT_ID},
	{"bootstrap", required_argument, NULL, OPTION_BOOTSTRAP},
	{"total", required_argument, NULL, OPTION_TOTAL},
	{"topic", required_argument, NULL, 't'},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int
take_option(struct feed_options *o, int option, uint64_t *ret_total)
{
	uint64_t value = 0;

	switch (option) {
	case OPTION_CSV:
		o->csv = true;
		return 0;
	case OPTION_KEY:
		o->key_column = optarg;
		o->csv = true;
		return 0;
	case OPTION_TIMESTAMP:
		o->timestamp_column = optarg;
		o->csv = true;
		return 0;
	case OPTION_DELIMITER:
		o->delimiter = strcmp(optarg, "\\t") == 0 ? '\t' : optarg[0];
		return strlen(optarg) == 1 || o->delimiter == '\t' ? 0 :
				cli_usage_error("--delimiter wants one character");
	case OPTION_PARTITION:
		if (value_parse_u64(optarg, &value) != 0 || value > 65535) {
			return cli_usage_error("--partition wants a number");
		}
		o->partition = (int32_t)value;
		return 0;
	case OPTION_CLIENT_ID:
		o->client_id = optarg;
		return 0;
	case OPTION_BOOTSTRAP:
		o->bootstrap = optarg;
		return 0;
	case OPTION_TOTAL:
		return value_parse_u64(optarg, ret_total) == 0 ? 0 : cli_usage_error("--total wants a number");
	case 't':
		o->topic = optarg;
		return 0;
	default:
		return cli_usage_error("penstock produce --help tells the flags");
	}
}

/* The daemon's first lane, if one answers on the control socket: no address to type in dev mode. */
static void
find_bootstrap(const struct cli *cli, struct feed_options *o, char *text, size_t room)
{
	char dev[108];
	const char *path = cli->socket ? cli->socket : getenv("PENSTOCK_SOCKET");
	struct client client;
	json_t *result;

	client_dev_socket(dev, sizeof(dev));
	if (o->bootstrap || (!path && access(dev, F_OK) != 0) || client_open(&client, cli) != 0) {
		return;
	}
	if (client_must(&client, "sys.get", NULL, &result) == 0) {
		const json_t *lane = json_array_get(json_object_get(result, "lanes"), 0);

		if (json_is_true(json_object_get(lane, "kernel_stack"))) {
			snprintf(text, room, "127.0.0.1:%" JSON_INTEGER_FORMAT,
				json_integer_value(json_object_get(lane, "port")));
			o->bootstrap = text;
		}
		json_decref(result);
	}
	client_close(&client);
}

static int
produce_input(const struct cli *cli, const struct feed_options *options, FILE *input, uint64_t total)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	struct progress progress;
	char text[32];
	int more = 1;
	int err;

	if (!feed) {
		return CLI_FAILED;
	}
	err = feed_open(feed, options, input);
	progress_begin(&progress, cli, options->topic, total);
	while (err == 0 && more == 1) {
		more = feed_step(feed, 50 * NS_PER_MS);
		progress_update(&progress, atomic_load(&feed->durable));
	}
	err = err ? err : more < 0 ? -more : feed_finish(feed, 60000);
	if (feed->producer) {
		progress_end(&progress, atomic_load(&feed->durable));
		if (!cli->quiet) {
			fprintf(stderr, "%s of %llu records acknowledged durable\n",
				output_count(atomic_load(&feed->durable), text, sizeof(text)),
				(unsigned long long)feed->sent);
		}
	}
	feed_close(feed);
	free(feed);
	return err;
}

int
produce_main(const struct cli *cli, int argc, char **argv)
{
	struct feed_options options = {.delimiter = ',', .partition = PENSTOCK_PARTITION_ANY};
	char bootstrap[64];
	uint64_t total = 0;
	int option;
	int err = 0;

	optind = 1;
	while (err == 0 && (option = getopt_long(argc, argv, "", produce_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(produce_help, stdout);
			return CLI_OK;
		}
		err = take_option(&options, option, &total);
	}
	if (err == 0 && !options.topic) {
		options.topic = optind < argc ? argv[optind++] : NULL;
	}
	if (err || !options.topic) {
		return err ? err : cli_usage_error("penstock produce wants a topic");
	}
	find_bootstrap(cli, &options, bootstrap, sizeof(bootstrap));
	if (optind == argc) {
		return produce_input(cli, &options, stdin, total);
	}
	for (; optind < argc && err == 0; optind++) {
		bool standard = strcmp(argv[optind], "-") == 0;
		FILE *input = standard ? stdin : fopen(argv[optind], "re");

		if (!input) {
			return cli_error(CLI_USAGE, "cannot open the input", strerror(errno), argv[optind]);
		}
		err = produce_input(cli, &options, input, total);
		if (!standard) {
			fclose(input);
		}
	}
	return err;
}
