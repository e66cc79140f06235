/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UDP echo on nic/ and net/ alone, for the driver matrix (driver_matrix.py): opens one DPDK port,
 * answers what the net stack answers, sends every datagram back, and on SIGTERM prints one line of
 * JSON with its ledger. Exit 0 only if that adds up and every buffer is home. With --ask it is the
 * other side instead: it sends numbered datagrams and waits for their echoes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "net/net.h"
#include "nic/eal.h"
#include "nic/nic_fault.h"
#include "nic/port.h"

#define UDP_PORT      9292
#define QUEUES_MAX    4
#define BURST	      32
#define DRAIN_NS      (300 * NS_PER_MS)
#define ASK_WAIT_NS   (20 * NS_PER_S)
#define ASK_AGAIN_NS  (200 * NS_PER_MS)
#define ASK_WINDOW    64
#define EXIT_SKIPPED  77

struct echo_options {
	const char *driver, *devargs, *prefix;
	const char *addresses[NET_ADDRESSES_MAX];
	uint32_t address_count;
	const char *ask_address;
	uint32_t ask_count, payload_bytes;
	uint32_t queues, mtu, vlan_id;
	uint32_t loss_ppm;
	uint32_t keeps; /* buffers that the driver may keep for good */
	bool hugepages;
};

struct echo_lane {
	struct nic *nic;
	struct net_port net;
	uint64_t counters[LANE_COUNTER_COUNT];
};

struct echo {
	struct echo_options options;
	struct port *port;
	struct echo_lane lanes[QUEUES_MAX];
	/* --ask */
	uint32_t asked, answered, wrong;
	uint8_t *answers; /* [ask_count] */
};

static volatile sig_atomic_t stop_asked;

static void
on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static void
die(const char *what, const char *text)
{
	fprintf(stderr, "nic_echo: %s: %s\n", what, text);
	exit(1);
}

static void
parse_address(const char *text, uint8_t *ret_address)
{
	memset(ret_address, 0, 16);
	if (inet_pton(AF_INET6, text, ret_address) == 1) {
		return;
	}
	memset(ret_address + 10, 0xff, 2);
	if (inet_pton(AF_INET, text, ret_address + 12) != 1) {
		die("no address", text);
	}
}

/* --- start ---------------------------------------------------------------------------------------- */

static void
start_eal(struct echo *e, const struct port_driver *driver, const struct port_plan *plan)
{
	struct eal_options options;
	struct port_devargs_in devargs = {
		.driver = driver, .devargs = e->options.devargs, .queues = e->options.queues};
	char text[EAL_TEXT_BYTES];

	eal_options_init(&options);
	snprintf(options.file_prefix, sizeof(options.file_prefix), "%s", e->options.prefix);
	options.hugepages = e->options.hugepages;
	options.memory_mib = port_plan_memory_mib(plan->total_bytes, 0);
	options.port_count = 1;
	options.ports[0].driver = driver;
	if (port_devargs(&devargs, options.ports[0].argument, text, sizeof(text)) < 0) {
		die("devargs", text);
	}
	if (eal_preflight(&options, text, sizeof(text)) > 0) {
		fprintf(stderr, "nic_echo: %s", text);
		exit(EXIT_SKIPPED);
	}
	if (eal_start(&options, text, sizeof(text)) < 0) {
		die("start", text);
	}
}

static void
start_port(struct echo *e)
{
	const struct port_driver *driver = port_driver_find(e->options.driver);
	struct port_options options;
	struct port_plan_in plan;
	char device[64], text[PORT_TEXT_BYTES];

	if (!driver) {
		die("no such driver", e->options.driver);
	}
	port_plan_init(&plan);
	plan.driver = driver;
	plan.devargs = e->options.devargs;
	plan.lanes = e->options.queues;
	plan.mtu = e->options.mtu;
	plan.page_bytes = e->options.hugepages ? 2 * MIB : 4096;
	port_options_init(&options);
	if (port_plan(&plan, &options.plan, text, sizeof(text)) < 0) {
		die("plan", text);
	}
	fprintf(stderr, "%s\n", text);
	start_eal(e, driver, &options.plan);
	snprintf(device, sizeof(device), "%s0", driver->eal_name);
	options.device = device;
	options.driver = driver;
	options.devargs = e->options.devargs;
	options.queues = (uint16_t)e->options.queues;
	options.mtu = (uint16_t)e->options.mtu;
	if (port_open(&options, &e->port, text, sizeof(text)) < 0) {
		die("port", text);
	}
	fprintf(stderr, "%s", text);
}

static void
start_lane(struct echo *e, uint32_t i)
{
	struct echo_lane *lane = &e->lanes[i];
	struct nic_fault_options fault = {.seed = i + 1, .loss_ppm = e->options.loss_ppm};
	struct net_options options = {.answer = true,
		.vlan_id = (uint16_t)e->options.vlan_id,
		.udp_port_first = UDP_PORT,
		.udp_port_count = 1,
		.address_count = e->options.address_count};
	uint8_t groups[2 * NET_ADDRESSES_MAX][6];

	lane->nic = port_queue(e->port, (uint16_t)i);
	if (e->options.loss_ppm > 0 && nic_fault_create(&fault, lane->nic, &lane->nic) < 0) {
		die("fault", "rates");
	}
	options.queue = nic_packet_queue(lane->nic);
	for (uint32_t a = 0; a < e->options.address_count; a++) {
		parse_address(e->options.addresses[a], options.addresses[a]);
	}
	if (net_port_init(&lane->net, &options) < 0) {
		die("net", "options");
	}
	if (port_join(e->port, groups, net_port_groups(&lane->net, groups, 2 * NET_ADDRESSES_MAX)) < 0) {
		die("net", "groups cannot be joined");
	}
	if (i == 0) {
		net_announce(&lane->net, clock_now_ns(clock_system()));
	}
}

/* --- turns ------------------------------------------------------------------------------------------ */

static void
send_out(struct echo_lane *lane, const struct packet_view *views, uint32_t n)
{
	lane->counters[LANE_tx_offered] += n;
	lane->counters[LANE_tx_full] += lane->nic->ops->tx(lane->nic, views, n);
}

static uint32_t
echo_back(struct echo_lane *lane, const struct packet_view *in, struct packet_view *ret_out)
{
	if (!net_udp_alloc(&lane->net, &in->peer, in->len, ret_out)) {
		lane->counters[LANE_tx_no_buffer]++;
		return 0;
	}
	memcpy(ret_out->data, in->data, in->len);
	net_udp_reply(&lane->net, ret_out);
	return 1;
}

static void
take_answer(struct echo *e, const struct packet_view *in)
{
	uint32_t number = in->len >= 4 ? load_be32(in->data) : UINT32_MAX;
	bool right = in->len == e->options.payload_bytes && number < e->options.ask_count;

	for (uint32_t i = 4; right && i < in->len; i++) {
		right = in->data[i] == (uint8_t)(number + i);
	}
	if (!right) {
		e->wrong++;
	} else if (!e->answers[number]) {
		e->answers[number] = 1;
		e->answered++;
	}
}

static uint32_t
lane_turn(struct echo *e, struct echo_lane *lane, uint64_t now_ns)
{
	struct packet_view views[BURST], answers[BURST];
	uint64_t owners[BURST];
	uint32_t answer_count = 0;
	uint32_t n = lane->nic->ops->rx(lane->nic, views, BURST);

	for (uint32_t i = 0; i < n; i++) {
		struct net_result result;

		owners[i] = views[i].owner;
		lane->counters[LANE_rx_bytes] += views[i].len;
		result = net_input(&lane->net, &views[i], now_ns);
		lane->counters[result.counter]++;
		if (result.info != NET_NO_INFO) {
			lane->counters[result.info]++;
		}
		if (result.verdict == NET_UDP && e->options.ask_count > 0) {
			take_answer(e, &views[i]);
		} else if (result.verdict == NET_UDP) {
			answer_count += echo_back(lane, &views[i], &answers[answer_count]);
		}
	}
	lane->counters[LANE_rx_packets] += n;
	net_tick(&lane->net, now_ns);
	send_out(lane, lane->net.replies, lane->net.reply_count);
	lane->net.reply_count = 0;
	send_out(lane, answers, answer_count);
	if (n > 0) {
		lane->nic->ops->release(lane->nic, owners, n);
	}
	return n;
}

static uint32_t
turn(struct echo *e)
{
	uint64_t now_ns = clock_now_ns(clock_system());
	uint32_t work = 0;

	for (uint32_t i = 0; i < e->options.queues; i++) {
		work += lane_turn(e, &e->lanes[i], now_ns);
	}
	if (work == 0) {
		clock_sleep_ns(clock_system(), 20 * NS_PER_US);
	}
	return work;
}

/* --- asking ------------------------------------------------------------------------------------------ */

/* By the MAC address of all: memif peers cannot know each other's. */
static void
ask_one(struct echo *e, uint32_t number)
{
	struct echo_lane *lane = &e->lanes[number % e->options.queues];
	struct packet_peer peer = {.port = UDP_PORT, .local_port = UDP_PORT};
	struct packet_view view;

	memset(peer.mac, 0xff, 6);
	peer.vlan_tci = (uint16_t)e->options.vlan_id;
	parse_address(e->options.ask_address, peer.address);
	parse_address(e->options.addresses[0], peer.local_address);
	if (!net_udp_alloc(&lane->net, &peer, e->options.payload_bytes, &view)) {
		return;
	}
	store_be32(view.data, number);
	for (uint32_t i = 4; i < e->options.payload_bytes; i++) {
		view.data[i] = (uint8_t)(number + i);
	}
	net_udp_reply(&lane->net, &view);
	send_out(lane, &view, 1);
	e->asked++;
}

static void
ask_all(struct echo *e)
{
	struct clock *clock = clock_system();
	uint64_t until_ns = clock_now_ns(clock) + ASK_WAIT_NS, again_ns = 0;
	uint32_t next = 0;

	while (!stop_asked && e->answered < e->options.ask_count && clock_now_ns(clock) < until_ns) {
		uint64_t now_ns = clock_now_ns(clock);
		uint32_t answered = e->answered;

		while (port_link_up(e->port) && next < e->options.ask_count &&
			next < e->answered + ASK_WINDOW) {
			ask_one(e, next++);
			again_ns = now_ns + ASK_AGAIN_NS;
		}
		turn(e);
		if (e->answered > answered) {
			again_ns = now_ns + ASK_AGAIN_NS;
		} else if (next > 0 && now_ns > again_ns) {
			/* Lost: some driver's first packets go nowhere. Ask for all that lack an answer. */
			for (uint32_t i = 0, sent = 0; i < next && sent < ASK_WINDOW; i++) {
				if (!e->answers[i]) {
					ask_one(e, i);
					sent++;
				}
			}
			again_ns = now_ns + ASK_AGAIN_NS;
		}
	}
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void
print_stat(const char *name, uint64_t value)
{
	if (value == UINT64_MAX) {
		printf(", \"%s\": null", name);
	} else {
		printf(", \"%s\": %llu", name, (unsigned long long)value);
	}
}

struct ledger {
	uint64_t sums[LANE_COUNTER_COUNT];
	uint64_t fault_lost;
	uint32_t owners;
	char driver[64];
	struct nic_stats stats;
};

/* While the port is open. */
static void
collect(struct echo *e, struct ledger *ret_ledger)
{
	struct nic_caps caps;

	memset(ret_ledger, 0, sizeof(*ret_ledger));
	for (uint32_t i = 0; i < e->options.queues; i++) {
		for (uint32_t c = 0; c < LANE_COUNTER_COUNT; c++) {
			ret_ledger->sums[c] += e->lanes[i].counters[c];
		}
		ret_ledger->owners += e->lanes[i].nic->ops->owners_out(e->lanes[i].nic);
		e->lanes[i].nic->ops->stats(e->lanes[i].nic, &ret_ledger->stats);
		ret_ledger->fault_lost += ret_ledger->stats.fault_lost;
	}
	e->lanes[0].nic->ops->caps(e->lanes[0].nic, &caps);
	snprintf(ret_ledger->driver, sizeof(ret_ledger->driver), "%s", caps.driver);
}

/* E3 in its small form: what was received is what was consumed, dropped or native. */
static bool
report(struct echo *e, const struct ledger *l, bool home)
{
	const uint64_t *sums = l->sums;
	uint64_t spent = 0;
	bool adds_up;

	for (uint32_t c = 0; c < LANE_COUNTER_COUNT; c++) {
		bool counted = lane_counter_rows[c].class == COUNTER_DROP || c == LANE_arp ||
			c == LANE_ndp || c == LANE_icmp || c == LANE_native;

		spent += counted ? sums[c] : 0;
	}
	adds_up = sums[LANE_rx_packets] == spent && l->owners == 0 && home && e->wrong == 0;
	printf("{\"driver\": \"%s\", \"adds_up\": %s, \"home\": %s, \"owners_out\": %u, \"fault_lost\": %llu, "
	       "\"asked\": %u, \"answered\": %u, \"wrong\": %u",
		l->driver, adds_up ? "true" : "false", home ? "true" : "false", l->owners,
		(unsigned long long)l->fault_lost, e->asked, e->answered, e->wrong);
	print_stat("ipackets", l->stats.ipackets);
	print_stat("imissed", l->stats.imissed);
	print_stat("opackets", l->stats.opackets);
	print_stat("oerrors", l->stats.oerrors);
	for (uint32_t c = 0; c < LANE_COUNTER_COUNT; c++) {
		if (sums[c] > 0) {
			printf(", \"%s\": %llu", lane_counter_rows[c].name, (unsigned long long)sums[c]);
		}
	}
	printf("}\n");
	fflush(stdout);
	return adds_up && l->stats.ipackets == sums[LANE_rx_packets] + l->fault_lost &&
		e->answered == e->options.ask_count;
}

/* Lets packets in flight come home: tx completions are reaped by empty tx calls. */
static void
drain(struct echo *e)
{
	struct clock *clock = clock_system();
	uint64_t until_ns = clock_now_ns(clock) + DRAIN_NS;

	while (clock_now_ns(clock) < until_ns) {
		turn(e);
	}
}

static void
usage(void)
{
	die("usage", "--driver NAME [--devargs A] --address IP.. [--queues N] [--mtu N] [--vlan N] "
		     "[--loss-ppm N] [--hugepages] [--prefix P] [--ask IP --count N --bytes N] [--keeps N]");
}

static void
parse_options(struct echo_options *o, int argc, char **argv)
{
	static const struct option options[] = {{"driver", 1, 0, 'd'}, {"devargs", 1, 0, 'D'},
		{"address", 1, 0, 'a'}, {"queues", 1, 0, 'q'}, {"mtu", 1, 0, 'm'}, {"vlan", 1, 0, 'v'},
		{"loss-ppm", 1, 0, 'l'}, {"hugepages", 0, 0, 'h'}, {"prefix", 1, 0, 'p'}, {"ask", 1, 0, 'A'},
		{"count", 1, 0, 'c'}, {"bytes", 1, 0, 'b'}, {"keeps", 1, 0, 'k'}, {0}};
	int c;

	*o = (struct echo_options){.prefix = "nic_echo", .queues = 1, .mtu = 1500, .payload_bytes = 1000};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->driver = optarg;
			break;
		case 'D':
			o->devargs = optarg;
			break;
		case 'a':
			if (o->address_count == NET_ADDRESSES_MAX) {
				usage();
			}
			o->addresses[o->address_count++] = optarg;
			break;
		case 'q':
			o->queues = (uint32_t)atoi(optarg);
			break;
		case 'm':
			o->mtu = (uint32_t)atoi(optarg);
			break;
		case 'v':
			o->vlan_id = (uint32_t)atoi(optarg);
			break;
		case 'l':
			o->loss_ppm = (uint32_t)atoi(optarg);
			break;
		case 'h':
			o->hugepages = true;
			break;
		case 'p':
			o->prefix = optarg;
			break;
		case 'A':
			o->ask_address = optarg;
			break;
		case 'c':
			o->ask_count = (uint32_t)atoi(optarg);
			break;
		case 'b':
			o->payload_bytes = (uint32_t)atoi(optarg);
			break;
		case 'k':
			o->keeps = (uint32_t)atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (!o->driver || o->address_count == 0 || o->queues == 0 || o->queues > QUEUES_MAX ||
		(o->ask_count > 0) != (o->ask_address != NULL)) {
		usage();
	}
}

int
main(int argc, char **argv)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct sigaction action = {.sa_handler = on_signal};
	struct ledger ledger;
	bool right, home;

	ensure(e != NULL);
	parse_options(&e->options, argc, argv);
	e->answers = calloc(e->options.ask_count + 1, 1);
	ensure(e->answers != NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	start_port(e);
	for (uint32_t i = 0; i < e->options.queues; i++) {
		start_lane(e, i);
	}
	printf("ready\n");
	fflush(stdout);
	if (e->options.ask_count > 0) {
		ask_all(e);
	} else {
		while (!stop_asked) {
			turn(e);
		}
	}
	drain(e);
	collect(e, &ledger);
	for (uint32_t i = 0; i < e->options.queues; i++) {
		/* The decorator owns memory; a port's own queue only lets go of what waits. */
		e->lanes[i].nic->ops->destroy(e->lanes[i].nic);
	}
	home = port_close(e->port) <= e->options.keeps;
	right = report(e, &ledger, home);
	eal_stop();
	free(e->answers);
	free(e);
	return right ? 0 : 1;
}
