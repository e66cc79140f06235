/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two network namespaces with a veth pair between them, for the demo as root. They have no names and
 * nothing refers to them but descriptors and processes: whatever ends the demo, Ctrl-C or SIGKILL, ends them.
 * One thread: it visits a namespace and comes back; threads that it makes meanwhile stay there.
 */
#ifndef CTRL_CLI_DEMO_NETNS_H
#define CTRL_CLI_DEMO_NETNS_H

#include <stdbool.h>
#include <stddef.h>

#define DEMO_NETNS_LINK		 "penstock0" /* the daemon's end: a NIC to its driver, no address to the kernel */
#define DEMO_NETNS_ADDRESS	 "198.18.0.1" /* the daemon's own stack answers for it; RFC 2544's block */
#define DEMO_NETNS_TEXT_BYTES 512

struct demo_netns {
	int home_fd; /* descriptors of namespaces; -1: none */
	int daemon_fd;
	int client_fd; /* the producer's, with kernel sockets at 198.18.0.2 */
};

/* Makes both and the link, or nothing. Negative errno with the reason in text, one line. */
int demo_netns_open(struct demo_netns *netns, char text[DEMO_NETNS_TEXT_BYTES]);
void demo_netns_close(struct demo_netns *netns);
/* Moves this thread to the client's namespace, or home. Negative errno. */
int demo_netns_enter_client(const struct demo_netns *netns);
int demo_netns_enter_home(const struct demo_netns *netns);
/* In a child that is about to be the daemon: network and /sys of that namespace. Negative errno. */
int demo_netns_become(int daemon_fd);

#endif
