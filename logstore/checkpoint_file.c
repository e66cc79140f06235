/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's text files. Parsing is line by line over a bounded reader; numbers are strict decimal.
 * Nothing here trusts a count: lines are handed out one at a time.
 */
#include "logstore/checkpoint_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/ensure.h"

#define CHECKPOINT_VERSION 0

/* One line or word in place. */
struct slice {
	const char *at;
	size_t len;
};

/* --- uuid ------------------------------------------------------------------------------------ */

static const char uuid_alphabet[65] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
checkpoint_file_uuid_encode(const uint8_t id[16], char text[CHECKPOINT_UUID_CHARS + 1])
{
	uint32_t bits = 0;
	uint32_t held = 0;
	uint32_t i;
	char *out = text;

	for (i = 0; i < 16; i++) {
		bits = (bits << 8) | id[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			*out++ = uuid_alphabet[(bits >> held) & 63];
		}
	}
	*out++ = uuid_alphabet[(bits << (6 - held)) & 63];
	*out = '\0';
	ensure(out - text == CHECKPOINT_UUID_CHARS);
}

int
checkpoint_file_uuid_decode(const char *text, size_t len, uint8_t ret_id[16])
{
	uint8_t id[16];
	uint32_t bits = 0;
	uint32_t held = 0;
	uint32_t filled = 0;
	size_t i;

	if (len != CHECKPOINT_UUID_CHARS) {
		return -EBADMSG;
	}
	for (i = 0; i < len; i++) {
		const char *at = text[i] != '\0' ? strchr(uuid_alphabet, text[i]) : NULL;

		if (!at) {
			return -EBADMSG;
		}
		bits = (bits << 6) | (uint32_t)(at - uuid_alphabet);
		held += 6;
		if (held >= 8) {
			held -= 8;
			id[filled++] = (uint8_t)(bits >> held);
		}
	}
	if ((bits & ((1u << held) - 1)) != 0) {
		return -EBADMSG;
	}
	ensure(filled == sizeof(id));
	memcpy(ret_id, id, sizeof(id));
	return 0;
}

/* --- words and numbers ----------------------------------------------------------------------- */

/* Takes the next line without its newline (and a carriage return before it). False at the end. */
static bool
line_next(struct reader *r, struct slice *ret_line)
{
	size_t left = reader_left(r);
	const uint8_t *newline;
	size_t len;

	if (left == 0) {
		return false;
	}
	newline = memchr(r->at, '\n', left);
	len = newline ? (size_t)(newline - r->at) : left;
	ret_line->at = (const char *)reader_bytes(r, len);
	ret_line->len = len;
	if (newline) {
		reader_skip(r, 1);
	}
	if (ret_line->len > 0 && ret_line->at[ret_line->len - 1] == '\r') {
		ret_line->len--;
	}
	return true;
}

/* Splits off the word before the next space; the line keeps what follows. False: no word. */
static bool
word_next(struct slice *line, struct slice *ret_word)
{
	const char *space;

	if (line->len == 0) {
		return false;
	}
	space = memchr(line->at, ' ', line->len);
	ret_word->at = line->at;
	ret_word->len = space ? (size_t)(space - line->at) : line->len;
	line->at += ret_word->len + (space ? 1 : 0);
	line->len -= ret_word->len + (space ? 1 : 0);
	/* A space at the very end would open an empty last word. */
	return ret_word->len > 0 && !(space && line->len == 0);
}

/* Decimal with an optional minus, whole word, within [min, max]. */
static bool
number_parse(struct slice word, int64_t min, int64_t max, int64_t *ret_value)
{
	bool negative = word.len > 0 && word.at[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t value = 0;

	if (i == word.len) {
		return false;
	}
	for (; i < word.len; i++) {
		int digit = word.at[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, (int64_t)10, &value) ||
			__builtin_sub_overflow(value, (int64_t)digit, &value)) {
			return false;
		}
	}
	/* Gathered below zero, so that INT64_MIN has a place. */
	if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) {
		return false;
	}
	if (value < min || value > max) {
		return false;
	}
	*ret_value = value;
	return true;
}

static void
text_write(struct writer *w, const char *text)
{
	writer_copy(w, text, strlen(text));
}

/* --- counted lines --------------------------------------------------------------------------- */

void
checkpoint_file_begin(struct writer *w, uint32_t count)
{
	char line[32];

	snprintf(line, sizeof(line), "%d\n%" PRIu32 "\n", CHECKPOINT_VERSION, count);
	text_write(w, line);
}

void
checkpoint_file_add_offset(struct writer *w, const char *topic, uint32_t partition, int64_t offset)
{
	char numbers[40];

	ensure(strlen(topic) <= CHECKPOINT_TOPIC_MAX);
	text_write(w, topic);
	snprintf(numbers, sizeof(numbers), " %" PRIu32 " %" PRId64 "\n", partition, offset);
	text_write(w, numbers);
}

void
checkpoint_file_add_epoch(struct writer *w, int32_t epoch, int64_t start_offset)
{
	char line[40];

	snprintf(line, sizeof(line), "%" PRId32 " %" PRId64 "\n", epoch, start_offset);
	text_write(w, line);
}

int
checkpoint_file_open(struct checkpoint_file_reader *cr, const void *bytes, size_t len)
{
	struct slice line;
	int64_t version;
	int64_t count;

	*cr = (struct checkpoint_file_reader){
		.r = reader_init(bytes, len),
		.last_epoch = {.epoch = -1, .start_offset = -1},
	};
	if (len == 0) {
		return 0;
	}
	if (!line_next(&cr->r, &line) ||
		!number_parse(line, CHECKPOINT_VERSION, CHECKPOINT_VERSION, &version)) {
		return -EBADMSG;
	}
	/* The shortest line is "0 0\n". */
	if (!line_next(&cr->r, &line) ||
		!number_parse(line, 0, (int64_t)(reader_left(&cr->r) / 3), &count) ||
		count > INT32_MAX) {
		return -EBADMSG;
	}
	cr->count = (uint32_t)count;
	cr->left = cr->count;
	return 0;
}

/* 1 with a line to parse, 0 at a proper end, -EBADMSG. */
static int
checkpoint_line(struct checkpoint_file_reader *cr, struct slice *ret_line)
{
	if (cr->left == 0) {
		return reader_left(&cr->r) == 0 ? 0 : -EBADMSG;
	}
	if (!line_next(&cr->r, ret_line)) {
		return -EBADMSG;
	}
	cr->left--;
	return 1;
}

int
checkpoint_file_next_offset(struct checkpoint_file_reader *cr, struct checkpoint_offset *ret_line)
{
	struct slice line;
	struct slice topic;
	struct slice word;
	int64_t partition;
	int64_t offset;
	int rc = checkpoint_line(cr, &line);

	if (rc <= 0) {
		return rc;
	}
	if (!word_next(&line, &topic) || topic.len > CHECKPOINT_TOPIC_MAX ||
		memchr(topic.at, '\0', topic.len) || !word_next(&line, &word) ||
		!number_parse(word, 0, INT32_MAX, &partition) || !word_next(&line, &word) ||
		!number_parse(word, 0, INT64_MAX, &offset) || line.len > 0) {
		return -EBADMSG;
	}
	memcpy(ret_line->topic, topic.at, topic.len);
	ret_line->topic[topic.len] = '\0';
	ret_line->partition = (uint32_t)partition;
	ret_line->offset = offset;
	return 1;
}

int
checkpoint_file_next_epoch(struct checkpoint_file_reader *cr, struct checkpoint_epoch *ret_line)
{
	struct slice line;
	struct slice word;
	int64_t epoch;
	int64_t start;
	int rc = checkpoint_line(cr, &line);

	if (rc <= 0) {
		return rc;
	}
	if (!word_next(&line, &word) || !number_parse(word, 0, INT32_MAX, &epoch) ||
		!word_next(&line, &word) || !number_parse(word, 0, INT64_MAX, &start) ||
		line.len > 0) {
		return -EBADMSG;
	}
	if (epoch <= cr->last_epoch.epoch || start <= cr->last_epoch.start_offset) {
		return -EBADMSG;
	}
	cr->last_epoch = (struct checkpoint_epoch){.epoch = (int32_t)epoch, .start_offset = start};
	*ret_line = cr->last_epoch;
	return 1;
}

/* --- keys and values ------------------------------------------------------------------------- */

void
checkpoint_file_write_metadata(struct writer *w, const uint8_t topic_id[16])
{
	char uuid[CHECKPOINT_UUID_CHARS + 1];

	checkpoint_file_uuid_encode(topic_id, uuid);
	text_write(w, "version: 0\ntopic_id: ");
	text_write(w, uuid);
	text_write(w, "\n");
}

static bool
slice_is(struct slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

int
checkpoint_file_parse_metadata(const void *bytes, size_t len, uint8_t ret_topic_id[16])
{
	struct reader r = reader_init(bytes, len);
	struct slice line;
	struct slice key;

	if (!line_next(&r, &line) || !slice_is(line, "version: 0") || !line_next(&r, &line) ||
		!word_next(&line, &key) || !slice_is(key, "topic_id:") || reader_left(&r) > 0) {
		return -EBADMSG;
	}
	return checkpoint_file_uuid_decode(line.at, line.len, ret_topic_id);
}

/* A value of a properties file: what Java's reader would need escaped, is. */
static void
property_write(struct writer *w, const char *key, const char *value)
{
	const char *at;

	text_write(w, key);
	writer_u8(w, '=');
	for (at = value; *at != '\0'; at++) {
		if (strchr("\\:=#! ", *at)) {
			writer_u8(w, '\\');
		}
		writer_u8(w, (uint8_t)*at);
	}
	writer_u8(w, '\n');
}

void
checkpoint_file_write_properties(struct writer *w, const struct checkpoint_properties *p)
{
	char text[CHECKPOINT_UUID_CHARS + 1];

	property_write(w, "cluster.id", p->cluster_id);
	if (p->has_directory_id) {
		checkpoint_file_uuid_encode(p->directory_id, text);
		property_write(w, "directory.id", text);
	}
	snprintf(text, sizeof(text), "%" PRIu32, p->node_id);
	property_write(w, "node.id", text);
	snprintf(text, sizeof(text), "%" PRIu32, p->version);
	property_write(w, "version", text);
}

/*
 * Key and value of a line, blanks around the separator dropped, escapes undone. False: too long, no
 * separator, or a control character.
 */
static bool
property_split(struct slice line, char key[CHECKPOINT_PROPERTY_MAX + 1],
	char value[CHECKPOINT_PROPERTY_MAX + 1])
{
	char *target = key;
	size_t len = 0;
	size_t i;

	for (i = 0; i < line.len; i++) {
		char c = line.at[i];

		if (target == key && (c == '=' || c == ':')) {
			key[len] = '\0';
			target = value;
			len = 0;
			continue;
		}
		if (c == '\\' && i + 1 < line.len) {
			c = line.at[++i];
		} else if ((c == ' ' || c == '\t') && (target == key || len == 0)) {
			continue;
		}
		if (len == CHECKPOINT_PROPERTY_MAX || (uint8_t)c < ' ') {
			return false;
		}
		target[len++] = c;
	}
	target[len] = '\0';
	return target == value;
}

static bool
property_take(struct checkpoint_properties *p, const char *key, const char *value, uint32_t *seen)
{
	struct slice text = {.at = value, .len = strlen(value)};
	int64_t number;

	if (strcmp(key, "version") == 0) {
		*seen |= 1;
		p->version = 1;
		return number_parse(text, 1, 1, &number);
	}
	if (strcmp(key, "node.id") == 0) {
		bool ok = number_parse(text, 0, INT32_MAX, &number);

		*seen |= 2;
		p->node_id = ok ? (uint32_t)number : 0;
		return ok;
	}
	if (strcmp(key, "cluster.id") == 0) {
		*seen |= 4;
		memcpy(p->cluster_id, value, text.len + 1);
		return text.len > 0;
	}
	if (strcmp(key, "directory.id") == 0) {
		p->has_directory_id = true;
		return checkpoint_file_uuid_decode(value, text.len, p->directory_id) == 0;
	}
	return true;
}

int
checkpoint_file_parse_properties(const void *bytes, size_t len,
	struct checkpoint_properties *ret_properties)
{
	struct reader r = reader_init(bytes, len);
	struct checkpoint_properties p = {0};
	struct slice line;
	uint32_t seen = 0;

	while (line_next(&r, &line)) {
		char key[CHECKPOINT_PROPERTY_MAX + 1];
		char value[CHECKPOINT_PROPERTY_MAX + 1];

		while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
			line.at++;
			line.len--;
		}
		if (line.len == 0 || line.at[0] == '#' || line.at[0] == '!') {
			continue;
		}
		if (!property_split(line, key, value) || !property_take(&p, key, value, &seen)) {
			return -EBADMSG;
		}
	}
	if (seen != 7) {
		return -EBADMSG;
	}
	*ret_properties = p;
	return 0;
}

/* --- clean shutdown -------------------------------------------------------------------------- */

void
checkpoint_file_write_clean(struct writer *w, int64_t broker_epoch)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"version\":0,\"brokerEpoch\":%" PRId64 "}", broker_epoch);
	text_write(w, text);
}
