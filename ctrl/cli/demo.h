/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of `penstock demo` and its report share. One thread. */
#ifndef CTRL_CLI_DEMO_H
#define CTRL_CLI_DEMO_H

#include <limits.h>
#include "ctrl/cli/demo_daemon.h"
#include "ctrl/cli/demo_netns.h"
#include "ctrl/cli/line_reader.h"
#include "ctrl/cli/sender.h"

#define DEMO_TOPIC	"flights"
#define DEMO_JOB	"delays"
#define DEMO_PARTITIONS 4

/* The account as the daemon and the library give it. */
struct demo_account {
	uint64_t sent;
	uint64_t durable;
	uint64_t logged;
	uint64_t windowed;
	uint64_t late;
	bool adds_up;
	bool ledger_adds_up;
};

/* One run of the job: over kernel sockets, then perhaps over a NIC. */
struct demo {
	struct cli cli; /* a copy that talks to our daemon */
	FILE *talk;	/* stdout; stderr when stdout is to be a JSON document */
	struct demo_daemon daemon;
	struct client client;
	struct sender sender;
	struct progress progress;
	char data[PATH_MAX];
	char plugin[600];
	char bootstrap[64];
	int interrupt_fd;
	uint64_t start_ns;
	uint64_t total;	      /* records of the data set */
	int64_t windows_seen; /* sequence of the last one printed */
	uint64_t windows_count;
	bool drained;
	bool keep;
	bool brief; /* windows are counted, not printed */
	const struct demo_netns *netns; /* the producer sends from its client's side; NULL: from here */
	struct demo_account account;
	json_t *ledger; /* as of the summary */
	char driver[64]; /* that carried it */
	char window_digest[32];
	char left_out[DEMO_NETNS_TEXT_BYTES]; /* why there was no run; empty: there was */
};

/* The job once, from starting a daemon to the account: 0, CLI_CHECK_FAILED, or another exit code. */
int demo_run(struct demo *demo, const struct demo_daemon_options *options);
/* Whatever happened: producer, daemon and directory are left as promised. */
void demo_finish(struct demo *demo, int err);
/*
 * The same once more over a veth pair, by the first of AF_XDP and af_packet that works here. 0 also if none does
 * or it may not be tried: why is then said, and in nic->left_out.
 */
int demo_nic(const struct demo *socket, struct demo *nic);
/* One call of the daemon; 0 or an exit code with the reason said. CLI_INTERRUPTED after Ctrl-C. */
int demo_call(struct demo *demo, const char *method, json_t *params, json_t **ret_result);
/* Prints the windows that fired since the last look. */
int demo_show_windows(struct demo *demo);
/* The summary: 0, CLI_CHECK_FAILED if something does not add up, or another exit code. */
int demo_summary(struct demo *demo);
/* For programs: both runs as one document on stdout. */
void demo_print_json(const struct demo *socket, const struct demo *nic);
void demo_print_next(const struct demo *demo);

#endif
