/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/cli/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "ctrl/schema/value.h"

static void
delivered(void *user_data, const struct penstock_delivery *delivery)
{
	struct feed *feed = user_data;

	if (delivery->error == 0) {
		histogram_add(&feed->latency, delivery->latency_ns);
		atomic_fetch_add(&feed->durable, 1);
	} else {
		atomic_store(&feed->last_error, delivery->error);
		atomic_fetch_add(&feed->failed, 1);
	}
}

/* Field `index` (from 0) of a CSV line; quotes around a field are taken off. */
static bool
csv_field(const char *line, char delimiter, int index, const char **ret_field, size_t *ret_len)
{
	const char *at = line;

	for (;; index--) {
		bool quoted = *at == '"';
		const char *begin = quoted ? at + 1 : at;
		const char *end;

		if (quoted) {
			end = strchr(begin, '"');
			if (!end) {
				return false;
			}
			at = end + 1;
		} else {
			end = begin;
			while (*end && *end != delimiter) {
				end++;
			}
			at = end;
		}
		if (index == 0) {
			*ret_field = begin;
			*ret_len = (size_t)(end - begin);
			return true;
		}
		if (*at != delimiter) {
			return false;
		}
		at++;
	}
}

static bool
read_line(struct feed *feed, size_t *ret_len)
{
	ssize_t len = getline(&feed->line, &feed->line_room, feed->input);

	if (len < 0) {
		return false;
	}
	while (len > 0 && (feed->line[len - 1] == '\n' || feed->line[len - 1] == '\r')) {
		feed->line[--len] = '\0';
	}
	feed->line_number++;
	*ret_len = (size_t)len;
	return true;
}

/* -1: no such column. */
static int
column_index(const struct feed *feed, const char *header, const char *name)
{
	const char *field;
	size_t len;
	uint64_t number;

	if (value_parse_u64(name, &number) == 0 && number > 0 && number < 1000) {
		return (int)number - 1;
	}
	for (int i = 0; header && csv_field(header, feed->options.delimiter, i, &field, &len); i++) {
		if (strlen(name) == len && memcmp(field, name, len) == 0) {
			return i;
		}
	}
	return -1;
}

/* A column by name means that the first line names the columns. */
static int
find_columns(struct feed *feed)
{
	const struct feed_options *o = &feed->options;
	uint64_t number;
	bool named = (o->key_column && value_parse_u64(o->key_column, &number) != 0) ||
		     (o->timestamp_column && value_parse_u64(o->timestamp_column, &number) != 0);
	size_t len;

	feed->key_index = feed->timestamp_index = -1;
	if (!o->csv) {
		return 0;
	}
	if (named && !read_line(feed, &len)) {
		return cli_error(CLI_USAGE, "the input is empty", "a header line was expected", NULL);
	}
	if (o->key_column) {
		feed->key_index = column_index(feed, named ? feed->line : NULL, o->key_column);
	}
	if (o->timestamp_column) {
		feed->timestamp_index = column_index(feed, named ? feed->line : NULL, o->timestamp_column);
	}
	if ((o->key_column && feed->key_index < 0) ||
		(o->timestamp_column && feed->timestamp_index < 0)) {
		return cli_error(CLI_USAGE, "no such column", feed->line,
			"name a column of the header line, or give its number from 1");
	}
	return 0;
}

static int
open_producer(struct feed *feed)
{
	struct penstock_config *config = penstock_config_create();
	char text[256] = "";
	int err = config ? 0 : -ENOMEM;

	if (err == 0 && feed->options.bootstrap) {
		err = penstock_config_set(config, "bootstrap", feed->options.bootstrap, text, sizeof(text));
	}
	if (err == 0 && feed->options.client_id) {
		err = penstock_config_set(config, "client.id", feed->options.client_id, text, sizeof(text));
	}
	if (err == 0) {
		err = penstock_config_set(config, "linger.ms", "2", text, sizeof(text));
	}
	if (err == 0) {
		penstock_config_set_delivery(config, delivered, feed);
		err = penstock_producer_create(config, &feed->producer, text, sizeof(text));
	}
	if (config) {
		penstock_config_destroy(config);
	}
	return err == 0 ? 0 :
			  cli_error(CLI_FAILED, "cannot open a producer", text[0] ? text : strerror(-err),
				  "look at the address: penstock sys get");
}

int
feed_open(struct feed *feed, const struct feed_options *options, FILE *input)
{
	int err;

	memset(feed, 0, sizeof(*feed));
	feed->options = *options;
	feed->input = input;
	histogram_init(&feed->latency);
	feed->start_ns = cli_now_ns();
	err = find_columns(feed);
	return err ? err : open_producer(feed);
}

static int
parse_timestamp(const struct feed *feed, const char *field, size_t len, int64_t *ret_ms)
{
	char text[32];
	uint64_t ms;
	char message[96];

	snprintf(text, sizeof(text), "%.*s", (int)(len < 31 ? len : 31), field);
	if (value_parse_u64(text, &ms) != 0 || ms > INT64_MAX) {
		snprintf(message, sizeof(message), "line %llu: \"%s\" is no time in ms since 1970",
			(unsigned long long)feed->line_number, text);
		return cli_error(CLI_USAGE, message, NULL, "name another --timestamp-column");
	}
	*ret_ms = (int64_t)ms;
	return 0;
}

static int
build_record(struct feed *feed, size_t len, struct penstock_record_out *record)
{
	const char *field;
	size_t field_len;
	char message[96];

	*record = (struct penstock_record_out){.struct_bytes = sizeof(*record),
		.partition = feed->options.partition, .topic = feed->options.topic, .value = feed->line,
		.value_len = len, .timestamp_ms = -1};
	snprintf(message, sizeof(message), "line %llu has too few columns",
		(unsigned long long)feed->line_number);
	if (feed->key_index >= 0) {
		if (!csv_field(feed->line, feed->options.delimiter, feed->key_index, &field, &field_len)) {
			return cli_error(CLI_USAGE, message, feed->line, "mend the line, or leave it out");
		}
		record->key = field;
		record->key_len = field_len;
	}
	if (feed->timestamp_index < 0) {
		return 0;
	}
	if (!csv_field(feed->line, feed->options.delimiter, feed->timestamp_index, &field, &field_len)) {
		return cli_error(CLI_USAGE, message, feed->line, "mend the line, or leave it out");
	}
	return parse_timestamp(feed, field, field_len, &record->timestamp_ms);
}

static int
send_failed(const struct feed *feed, int err)
{
	char message[128];

	snprintf(message, sizeof(message), "line %llu cannot be sent",
		(unsigned long long)feed->line_number);
	return cli_error(CLI_FAILED, message,
		err == -EMSGSIZE ? "the line is larger than one datagram carries" : strerror(-err),
		penstock_producer_status(feed->producer));
}

int
feed_step(struct feed *feed, uint64_t budget_ns)
{
	uint64_t until_ns = cli_now_ns() + budget_ns;
	struct penstock_record_out record;
	size_t len;
	int err;

	for (uint32_t i = 1; i % 64 != 0 || cli_now_ns() < until_ns; i++) {
		if (!read_line(feed, &len)) {
			return 0;
		}
		if (feed->options.csv && len == 0) {
			continue;
		}
		err = build_record(feed, len, &record);
		if (err) {
			return -err;
		}
		do {
			err = penstock_send_wait(feed->producer, &record, 1000);
		} while (err == -ETIMEDOUT);
		if (err) {
			return -send_failed(feed, err);
		}
		feed->sent++;
		feed->sent_bytes += record.value_len + record.key_len;
	}
	return 1;
}

int
feed_finish(struct feed *feed, uint32_t timeout_ms)
{
	int err = penstock_flush(feed->producer, timeout_ms);
	char why[160];

	feed->end_ns = cli_now_ns();
	if (err) {
		return cli_error(CLI_BUSY, "not everything was acknowledged in time",
			penstock_producer_status(feed->producer), "look at the daemon: penstock health get");
	}
	if (atomic_load(&feed->failed)) {
		snprintf(why, sizeof(why), "%llu records, last error %s",
			(unsigned long long)atomic_load(&feed->failed),
			penstock_error_name((int16_t)atomic_load(&feed->last_error)));
		return cli_error(CLI_FAILED, "records were given up", why, "penstock topic describe TOPIC");
	}
	return 0;
}

void
feed_close(struct feed *feed)
{
	if (feed->producer) {
		(void)penstock_producer_destroy(feed->producer, 2000);
		feed->producer = NULL;
	}
	free(feed->line);
	feed->line = NULL;
}
