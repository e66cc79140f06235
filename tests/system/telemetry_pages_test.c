/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The telemetry commands at their largest: 16 lanes, 32 lcores and 100 sessions whose every number
 * has 20 digits and whose names are as long, and as bad to write, as they can be. Whatever the answer,
 * DPDK must neither cut it off nor send what is no JSON. Real EAL and socket, lanes of our own.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/ensure.h"
#include "ctrl/daemon/telemetry.h"
#include "nic/eal.h"

#define SESSIONS     100
#define ANSWER_BYTES (16 * 1024)

/* --- lanes at their largest ---------------------------------------------------------------------- */

void
lane_counters(struct lane *lane, uint64_t *ret_values)
{
	(void)lane;
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		ret_values[i] = UINT64_MAX - 1;
	}
}

static void
row_fill(struct lane_session_row *row, uint32_t place)
{
	*row = (struct lane_session_row){.session_id = UINT64_MAX - place,
		.producer_id = INT64_MIN,
		.producer_epoch = INT16_MIN,
		.peer = {.port = UINT16_MAX},
		.credit_bytes = UINT64_MAX,
		.credit_packets = UINT64_MAX,
		.datagrams = UINT64_MAX,
		.duplicates = UINT64_MAX,
		.records = UINT64_MAX,
		.streams = UINT32_MAX};
	memset(row->peer.address, 0xab, sizeof(row->peer.address));
	/* Quotes and backslashes are escaped; the others DPDK would write as no JSON. */
	for (uint32_t i = 0; i < HANDOFF_PRODUCER_NAME_MAX; i++) {
		row->name[i] = "\"\\\xc3\xa4\x01\n"[i % 6];
	}
}

uint32_t
lane_sessions(struct lane *lane, uint32_t *place, struct lane_session_row *ret_rows, uint32_t *ret_places,
	uint32_t max)
{
	uint32_t n = 0;

	(void)lane;
	for (; *place < SESSIONS && n < max; (*place)++) {
		row_fill(&ret_rows[n], *place);
		ret_places[n++] = *place;
	}
	return n;
}

static void
nic_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	(void)nic;
	*ret_caps = (struct nic_caps){.driver = "net_a_driver_whose_name_has_as_many_as_63_characters_in_it_xxxx",
		.queues = 1, .counts_losses = true};
}

static void
nic_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	(void)nic;
	/* E2 is then off by a number of 20 characters. */
	*ret_stats = (struct nic_stats){.ipackets = UINT64_MAX / 2 + 2, .fault_lost = UINT64_MAX,
		.fault_duplicated = UINT64_MAX, .fault_reordered = UINT64_MAX, .fault_tx_lost = UINT64_MAX,
		.fault_tx_duplicated = UINT64_MAX, .fault_tx_reordered = UINT64_MAX};
}

static void
engine_fill(struct engine *e, struct nic *nic)
{
	e->clock = clock_system();
	e->lane_count = HANDOFF_LANES_MAX;
	for (uint32_t i = 0; i < HANDOFF_LANES_MAX; i++) {
		e->nics[i] = nic;
		e->lane_ports[i] = UINT16_MAX;
	}
	e->lcore_count = ENGINE_LCORES_MAX;
	for (uint32_t i = 0; i < ENGINE_LCORES_MAX; i++) {
		struct engine_lcore *l = &e->lcores[i];
		_Atomic uint64_t *const numbers[] = {&l->turns, &l->turns_empty, &l->busy_ns, &l->total_ns,
			&l->sleep_ns, &l->worst_turn_ns, &l->items};

		memset(l->role, '"', sizeof(l->role) - 1);
		for (size_t at = 10; at + 1 < sizeof(l->role); at += 12) {
			memcpy(&l->role[at], ", ", 2);
		}
		memset(l->idle, '#', sizeof(l->idle) - 1);
		l->cpu = INT32_MIN;
		for (size_t n = 0; n < ARRAY_COUNT(numbers); n++) {
			atomic_init(numbers[n], UINT64_MAX);
		}
	}
}

/* --- the asking side ----------------------------------------------------------------------------- */

static int
ask_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char greeting[1024];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dpdk_telemetry.v2", eal_runtime_folder());
	ensure(fd >= 0);
	ensure(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	ensure(recv(fd, greeting, sizeof(greeting), 0) > 0);
	return fd;
}

/* What stands behind the command's name in the answer, which must be JSON. */
static json_t *
ask(int fd, const char *words)
{
	char text[ANSWER_BYTES + 1];
	json_error_t error;
	json_t *answer, *value;
	ssize_t len;

	ensure(send(fd, words, strlen(words), 0) == (ssize_t)strlen(words));
	len = recv(fd, text, sizeof(text), 0);
	ensure(len > 0);
	ensure(len <= ANSWER_BYTES);
	/* Numbers above 2^63 are no integers to jansson. */
	answer = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
	if (!answer) {
		fprintf(stderr, "%s: %s\n%.*s\n", words, error.text, (int)len, text);
	}
	ensure(answer != NULL);
	ensure(json_object_size(answer) == 1);
	value = json_incref(json_object_iter_value(json_object_iter(answer)));
	json_decref(answer);
	printf("%-32s %5zd bytes\n", words, len);
	return value;
}

static void
check_size(int fd, const char *words, const char *part, size_t want)
{
	json_t *answer = ask(fd, words);
	json_t *within = part ? json_object_get(answer, part) : answer;

	if (json_object_size(within) != want) {
		fprintf(stderr, "%s has %zu of %zu\n", words, json_object_size(within), want);
	}
	ensure(json_object_size(within) == want);
	json_decref(answer);
}

static void
check_null(int fd, const char *words)
{
	json_t *answer = ask(fd, words);

	ensure(json_is_null(answer));
	json_decref(answer);
}

/* Follows `next` to the end; each item once. */
static void
check_pages(int fd, const char *command, const char *first_page, const char *part, size_t want)
{
	json_t *seen = json_object();
	size_t rows = 0;
	char words[64];

	snprintf(words, sizeof(words), "%s%s", command, first_page);
	for (;;) {
		json_t *answer = ask(fd, words);
		json_t *next = json_object_get(answer, "next");
		json_t *row;
		const char *key;

		json_object_foreach(json_object_get(answer, part), key, row) {
			ensure(json_object_size(row) == 11);
			rows++;
		}
		json_object_update(seen, json_object_get(answer, part));
		snprintf(words, sizeof(words), "%s,%s%.0f", command,
			strcmp(part, "sessions") == 0 ? "15," : "", json_number_value(next));
		json_decref(answer);
		if (!next) {
			break;
		}
	}
	ensure(rows == want);
	ensure(json_object_size(seen) == want);
	json_decref(seen);
}

int
main(void)
{
	static const struct nic_ops ops = {.caps = nic_caps, .stats = nic_stats};
	static struct engine engine;
	static const char *const wrong[] = {"/penstock/lanes,0", "/penstock/ledger,16", "/penstock/ledger,0,0",
		"/penstock/ledger,x", "/penstock/ledger,-1", "/penstock/sessions", "/penstock/sessions,16",
		"/penstock/sessions,0,", "/penstock/sessions,0,1,2", "/penstock/sessions, 0",
		"/penstock/sessions,4294967296", "/penstock/sessions,0,99999999999999999999", "/penstock/stages,32",
		"/penstock/stages,0x1", "/penstock/stages,%s%n", "/penstock/none"};
	struct nic nic = {.ops = &ops};
	struct eal_options options;
	char text[EAL_TEXT_BYTES];
	json_t *answer;
	int fd;

	eal_options_init(&options);
	options.hugepages = false;
	snprintf(options.file_prefix, sizeof(options.file_prefix), "pstele%d", (int)getpid());
	if (eal_start(&options, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	engine_fill(&engine, &nic);
	telemetry_poll(1); /* not started yet: nothing */
	ensure(telemetry_start(&engine) == 0);
	fd = ask_open();
	check_size(fd, "/penstock/lanes", NULL, HANDOFF_LANES_MAX);
	check_size(fd, "/penstock/ledger", "lanes", HANDOFF_LANES_MAX);
	check_size(fd, "/penstock/ledger,15", "counters", LANE_COUNTER_COUNT);
	check_size(fd, "/penstock/ledger,15", "equations", LEDGER_EQUATIONS_MAX);
	check_pages(fd, "/penstock/sessions", ",15", "sessions", SESSIONS);
	check_pages(fd, "/penstock/stages", "", "lcores", ENGINE_LCORES_MAX);
	check_size(fd, "/penstock/sessions,0,100", "sessions", 0);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		check_null(fd, wrong[i]);
	}
	answer = ask(fd, "/help,/penstock/sessions");
	ensure(strstr(json_string_value(json_object_get(answer, "/penstock/sessions")), "lane") != NULL);
	json_decref(answer);
	telemetry_stop();
	check_null(fd, "/penstock/lanes");
	check_null(fd, "/penstock/ledger");
	close(fd);
	eal_stop();
	return 0;
}
