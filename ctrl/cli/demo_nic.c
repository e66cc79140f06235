/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's second run: the same job over a NIC of its own. The daemon drives one end of a veth pair with a
 * DPDK driver and its own net stack; the producer sends from the other end, in another network namespace.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/demo.h"

static const struct {
	const char *name; /* for people */
	const char *driver; /* DPDK's */
} candidates[] = {{"AF_XDP", "net_af_xdp"}, {"af_packet", "net_af_packet"}};

static int
leave_out(const struct demo *socket, struct demo *nic, const char *why, const char *fix)
{
	snprintf(nic->left_out, sizeof(nic->left_out), "%s", why);
	fprintf(socket->talk,
		"\n  Left out: the same job over AF_XDP or af_packet on a veth pair\n    why   %s\n    fix   %s\n", why,
		fix);
	return 0;
}

static void
begin(const struct demo *socket, struct demo *nic, const struct demo_netns *netns)
{
	memset(nic, 0, sizeof(*nic));
	nic->cli = socket->cli;
	nic->cli.socket = NULL;
	nic->talk = socket->talk;
	nic->client.fd = -1;
	nic->interrupt_fd = socket->interrupt_fd;
	nic->start_ns = cli_now_ns();
	nic->total = socket->total;
	nic->brief = true;
	nic->netns = netns;
	snprintf(nic->data, sizeof(nic->data), "%s", socket->data);
	snprintf(nic->plugin, sizeof(nic->plugin), "%s", socket->plugin);
	demo_daemon_find(&nic->daemon);
}

/* One driver. 0 done, CLI_CHECK_FAILED; CLI_FAILED with *ret_started false: it cannot work here, said why. */
static int
try_driver(const struct demo *socket, struct demo *nic, const struct demo_netns *netns, size_t i,
	bool *ret_started)
{
	char config[512];
	struct demo_daemon_options options = {.config = config, .netns_fd = netns->daemon_fd, .may_fail = true,
		.interrupt_fd = socket->interrupt_fd};
	int err;

	snprintf(config, sizeof(config),
		"mode: dev\nmemory: {per_node: auto}\nnative: {port: 9292}\nports:\n- {driver: vdev, devargs: \"%s0,iface=" DEMO_NETNS_LINK
		"\", address: [\"" DEMO_NETNS_ADDRESS "\"], net_mode: own}\n",
		candidates[i].driver);
	begin(socket, nic, netns);
	fprintf(nic->talk, "\n  The same job over a NIC: %s on a veth pair between two network namespaces\n",
		candidates[i].name);
	err = demo_run(nic, &options);
	*ret_started = nic->driver[0] != '\0';
	if (!*ret_started && err == CLI_FAILED) {
		fprintf(nic->talk, "    %s cannot be used here; penstockd says\n", candidates[i].name);
		demo_daemon_show_error(&nic->daemon, nic->talk, "      ");
	}
	demo_finish(nic, *ret_started ? err : CLI_INTERRUPTED); /* what it said was shown */
	return err;
}

static void
print_verdict(const struct demo *socket, const struct demo *nic, const char *name)
{
	bool same = strcmp(socket->window_digest, nic->window_digest) == 0 &&
		    socket->windows_count == nic->windows_count;

	fprintf(nic->talk, "\n  Carried by %s (%s), with Penstock's own ARP, IP and UDP.\n  %s\n", nic->driver, name,
		same ? "The windows are the same as over kernel sockets, to the byte." :
		       "THE WINDOWS DIFFER from those over kernel sockets.");
}

int
demo_nic(const struct demo *socket, struct demo *nic)
{
	char text[DEMO_NETNS_TEXT_BYTES];
	struct demo_netns netns;
	bool started = false;
	int err = CLI_FAILED;

	if (geteuid() != 0) {
		return leave_out(socket, nic, "only root may make network namespaces and open AF_XDP or packet sockets",
			"sudo penstock demo");
	}
	if (demo_netns_open(&netns, text) < 0) {
		return leave_out(socket, nic, text, "run it where root has CAP_NET_ADMIN and CAP_SYS_ADMIN, with "
						    "iproute2 and ethtool installed");
	}
	for (size_t i = 0; i < ARRAY_COUNT(candidates) && err == CLI_FAILED && !started; i++) {
		err = try_driver(socket, nic, &netns, i, &started);
		if (err == CLI_OK) {
			print_verdict(socket, nic, candidates[i].name);
			err = strcmp(socket->window_digest, nic->window_digest) == 0 ? CLI_OK : CLI_CHECK_FAILED;
		}
	}
	demo_netns_close(&netns);
	if (err == CLI_FAILED && !started) {
		return leave_out(socket, nic, "neither driver could start; penstockd's reasons stand above",
			"mend what they name, then run the demo again");
	}
	return err;
}
