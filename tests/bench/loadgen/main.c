/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penstock-loadgen: produces records over the native protocol and reports as one JSON object. Exit
 * status 0: every record is durable (--acks 0: received); 1: some failed or were left; 2: it did not run.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "base/rand.h"
#include "loadgen.h"
#include "support/station_device.h"

static const char usage_text[] =
	"usage: penstock-loadgen [options]\n"
	"  --bootstrap HOST:PORT  127.0.0.1:9292\n"
	"  --topic NAME           loadgen\n"
	"  --producers N          1\n"
	"  --partitions N         records go round over 0..N-1; default: by key, sticky without\n"
	"  --key-bytes N          0: no key\n"
	"  --record-bytes N       size of the value, 16 to 8192, default 100\n"
	"  --rate N               records a second in all, open loop; 0: as fast as possible\n"
	"  --count N              records in all\n"
	"  --duration SECONDS     or for so long\n"
	"  --acks all|1|0         all\n"
	"  --linger MS            0\n"
	"  --client-id PREFIX     named producers: PREFIX-0, PREFIX-1, ...\n"
	"  --seed N               contents; default 1, \"random\" for another each time\n"
	"  --flush MS             30000: wait for the last records\n"
	"  --delivery-timeout MS  120000\n"
	"  --max-datagram N       0: the path's\n"
	"  --buffer BYTES         33554432 a producer\n"
	"by our own net stack on a virtual device instead of kernel sockets:\n"
	"  --nic DEVICE,DEVARGS   net_memif0,role=client,id=0,socket=NAME,bsize=2048\n"
	"  --address IP           ours on the link; --bootstrap is then IP:PORT\n"
	"  --queues N             1; as many as the server has lanes\n"
	"  --mtu N                1500\n"
	"  --vlan N               0: untagged\n"
	"  --prefix NAME          of EAL's runtime folder\n"
	"  --hugepages            instead of 4 KiB pages\n";

enum option_code {
	OPTION_BOOTSTRAP = 1,
	OPTION_TOPIC,
	OPTION_PRODUCERS,
	OPTION_PARTITIONS,
	OPTION_KEY_BYTES,
	OPTION_RECORD_BYTES,
	OPTION_RATE,
	OPTION_COUNT,
	OPTION_DURATION,
	OPTION_ACKS,
	OPTION_LINGER,
	OPTION_CLIENT_ID,
	OPTION_SEED,
	OPTION_FLUSH,
	OPTION_DELIVERY_TIMEOUT,
	OPTION_MAX_DATAGRAM,
	OPTION_BUFFER,
	OPTION_NIC,
	OPTION_ADDRESS,
	OPTION_QUEUES,
	OPTION_MTU,
	OPTION_VLAN,
	OPTION_PREFIX,
	OPTION_HUGEPAGES,
};

static const struct option option_names[] = {
	{"bootstrap", required_argument, NULL, OPTION_BOOTSTRAP},
	{"topic", required_argument, NULL, OPTION_TOPIC},
	{"producers", required_argument, NULL, OPTION_PRODUCERS},
	{"partitions", required_argument, NULL, OPTION_PARTITIONS},
	{"key-bytes", required_argument, NULL, OPTION_KEY_BYTES},
	{"record-bytes", required_argument, NULL, OPTION_RECORD_BYTES},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"duration", required_argument, NULL, OPTION_DURATION},
	{"acks", required_argument, NULL, OPTION_ACKS},
	{"linger", required_argument, NULL, OPTION_LINGER},
	{"client-id", required_argument, NULL, OPTION_CLIENT_ID},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"flush", required_argument, NULL, OPTION_FLUSH},
	{"delivery-timeout", required_argument, NULL, OPTION_DELIVERY_TIMEOUT},
	{"max-datagram", required_argument, NULL, OPTION_MAX_DATAGRAM},
	{"buffer", required_argument, NULL, OPTION_BUFFER},
	{"nic", required_argument, NULL, OPTION_NIC},
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"queues", required_argument, NULL, OPTION_QUEUES},
	{"mtu", required_argument, NULL, OPTION_MTU},
	{"vlan", required_argument, NULL, OPTION_VLAN},
	{"prefix", required_argument, NULL, OPTION_PREFIX},
	{"hugepages", no_argument, NULL, OPTION_HUGEPAGES},
	{NULL, 0, NULL, 0},
};

__attribute__((noreturn)) static void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t
number_of(const char *text, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || text[0] == '-' || value > max) {
		fprintf(stderr, "penstock-loadgen: '%s' is not a number up to %llu\n", text,
			(unsigned long long)max);
		exit(2);
	}
	return value;
}

static void
set_number(struct loadgen_options *o, int code, const char *text)
{
	switch (code) {
	case OPTION_PRODUCERS:
		o->producers = (uint32_t)number_of(text, LOADGEN_PRODUCERS_MAX);
		break;
	case OPTION_PARTITIONS:
		o->partitions = (uint32_t)number_of(text, 1000000);
		break;
	case OPTION_KEY_BYTES:
		o->key_bytes = (uint32_t)number_of(text, LOADGEN_VALUE_MAX);
		break;
	case OPTION_RECORD_BYTES:
		o->value_bytes = (uint32_t)number_of(text, LOADGEN_VALUE_MAX);
		break;
	case OPTION_RATE:
		o->rate = number_of(text, 1000000000);
		break;
	case OPTION_COUNT:
		o->count = number_of(text, UINT64_MAX);
		break;
	case OPTION_LINGER:
		o->linger_ms = (uint32_t)number_of(text, 900000);
		break;
	case OPTION_FLUSH:
		o->flush_ms = (uint32_t)number_of(text, UINT32_MAX);
		break;
	case OPTION_DELIVERY_TIMEOUT:
		o->delivery_timeout_ms = (uint32_t)number_of(text, INT32_MAX);
		break;
	case OPTION_MAX_DATAGRAM:
		o->max_datagram = (uint32_t)number_of(text, UINT16_MAX);
		break;
	case OPTION_BUFFER:
		o->buffer_bytes = number_of(text, UINT64_MAX);
		break;
	default:
		usage();
	}
}

static void
set_option(struct loadgen_options *o, int code, const char *text)
{
	struct rand rand;

	switch (code) {
	case OPTION_BOOTSTRAP:
		o->bootstrap = text;
		break;
	case OPTION_TOPIC:
		o->topic = text;
		break;
	case OPTION_ACKS:
		o->acks = text;
		break;
	case OPTION_CLIENT_ID:
		o->client_id = text;
		break;
	case OPTION_DURATION:
		o->duration_ms = (uint64_t)(strtod(text, NULL) * 1000);
		break;
	case OPTION_SEED:
		if (strcmp(text, "random") == 0) {
			rand_init_os(&rand);
			o->seed = rand_u64(&rand);
		} else {
			o->seed = number_of(text, UINT64_MAX);
		}
		break;
	default:
		set_number(o, code, text);
		break;
	}
}

/* Options of --nic. False: not one of them. */
static bool
set_nic(struct station_device_options *o, int code, const char *text)
{
	switch (code) {
	case OPTION_NIC:
		o->nic.device = text;
		break;
	case OPTION_ADDRESS:
		o->address = text;
		break;
	case OPTION_QUEUES:
		o->nic.queues = (uint16_t)number_of(text, STATION_QUEUES_MAX);
		break;
	case OPTION_MTU:
		o->nic.mtu = (uint16_t)number_of(text, 9000);
		break;
	case OPTION_VLAN:
		o->vlan_id = (uint16_t)number_of(text, 4094);
		break;
	case OPTION_PREFIX:
		o->nic.prefix = text;
		break;
	case OPTION_HUGEPAGES:
		o->nic.hugepages = true;
		break;
	default:
		return false;
	}
	return true;
}

/* Text into JSON: what is not printable ASCII becomes \u00xx. */
static void
print_text(const char *name, const char *text)
{
	printf("  \"%s\": \"", name);
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c == '"' || c == '\\') {
			printf("\\%c", c);
		} else if (c < 32 || c > 126) {
			printf("\\u%04x", c);
		} else {
			putchar(c);
		}
	}
	printf("\",\n");
}

static void
print_number(const char *name, uint64_t value)
{
	printf("  \"%s\": %llu,\n", name, (unsigned long long)value);
}

static void
print_report(const struct loadgen_options *o, const struct loadgen_report *r, const char *nic_json)
{
	double seconds = (double)r->elapsed_ns / 1e9;

	printf("{\n");
	print_text("topic", o->topic);
	print_number("producers", o->producers);
	print_number("record_bytes", o->value_bytes);
	print_number("rate", o->rate);
	print_number("seed", o->seed);
	print_number("sent", r->sent);
	print_number("durable", r->durable);
	print_number("received", r->received);
	print_number("failed", r->failed);
	printf("  \"failed_by_code\": {");
	for (uint32_t i = 0, any = 0; i < sizeof(r->failed_by_code) / sizeof(uint64_t); i++) {
		if (r->failed_by_code[i] > 0) {
			printf("%s\"%u\": %llu", any++ ? ", " : "", i,
				(unsigned long long)r->failed_by_code[i]);
		}
	}
	printf("},\n");
	print_number("bytes", r->bytes);
	printf("  \"content_hash\": \"%016llx\",\n", (unsigned long long)r->content_hash);
	printf("  \"elapsed_s\": %.6f,\n", seconds);
	printf("  \"records_per_s\": %.1f,\n", seconds > 0 ? (double)r->durable / seconds : 0);
	printf("  \"bytes_per_s\": %.1f,\n", seconds > 0 ? (double)r->bytes / seconds : 0);
	print_number("datagrams", r->datagrams);
	print_number("retransmissions", r->retransmissions);
	print_number("losses", r->losses);
	print_number("credit_waits", r->credit_waits);
	print_number("reconnects", r->reconnects);
	print_text("status", r->text);
	printf("  \"nic\": %s,\n", nic_json);
	printf("  \"latency_from\": \"%s\",\n", o->rate > 0 ? "due" : "send");
	printf("  \"latency_ns\": {\"n\": %llu, \"p50\": %llu, \"p90\": %llu, \"p99\": %llu, "
	       "\"p999\": %llu, \"max\": %llu}\n}\n",
		(unsigned long long)r->latency.count,
		(unsigned long long)histogram_percentile(&r->latency, 500000),
		(unsigned long long)histogram_percentile(&r->latency, 900000),
		(unsigned long long)histogram_percentile(&r->latency, 990000),
		(unsigned long long)histogram_percentile(&r->latency, 999000),
		(unsigned long long)r->latency.max);
}

/* Runs on the device, or on sockets. Exit status 2 if it did not come to that. */
static int
run(const struct station_device_options *nic, struct loadgen_options *options,
	struct loadgen_report *ret_report, char *ret_json)
{
	struct station_device *station = NULL;
	char text[2048] = "";
	int rc;

	snprintf(ret_json, STATION_DEVICE_JSON_BYTES, "null");
	if (nic->nic.device) {
		if (station_device_open(nic, &station, text, sizeof(text)) < 0) {
			fprintf(stderr, "penstock-loadgen: %s\n", text);
			exit(2);
		}
		station_device_use(station, &options->transport_fn, &options->transport_data);
	}
	rc = loadgen_run(options, ret_report);
	if (station && !station_device_close(station, ret_json, STATION_DEVICE_JSON_BYTES)) {
		fprintf(stderr, "penstock-loadgen: the link's ledger does not add up: %s\n", ret_json);
		rc = rc < 0 ? rc : -EBADE;
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct loadgen_options options;
	static struct loadgen_report report;
	struct station_device_options nic;
	char nic_json[STATION_DEVICE_JSON_BYTES];
	int code;

	loadgen_options_init(&options);
	station_device_options_init(&nic);
	while ((code = getopt_long(argc, argv, "", option_names, NULL)) >= 0) {
		if (code == '?') {
			usage();
		}
		if (!set_nic(&nic, code, optarg)) {
			set_option(&options, code, optarg);
		}
	}
	if (optind != argc || options.producers == 0 || options.value_bytes < 16 ||
		(options.count == 0 && options.duration_ms == 0)) {
		usage();
	}
	int rc = run(&nic, &options, &report, nic_json);

	if (rc < 0 && rc != -ETIMEDOUT && rc != -EBADE) {
		fprintf(stderr, "penstock-loadgen: %s\n", report.text);
		return 2;
	}
	print_report(&options, &report, nic_json);
	return rc == 0 && report.durable + report.received == report.sent ? 0 : 1;
}
