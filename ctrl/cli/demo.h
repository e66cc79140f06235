/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of `penstock demo` and its report share. One thread. */
#ifndef CTRL_CLI_DEMO_H
#define CTRL_CLI_DEMO_H

#include "ctrl/cli/demo_daemon.h"
#include "ctrl/cli/line_reader.h"
#include "ctrl/cli/sender.h"

#define DEMO_TOPIC	"flights"
#define DEMO_JOB	"delays"
#define DEMO_PARTITIONS 4

struct demo {
	struct cli cli; /* a copy that talks to our daemon */
	FILE *talk;	/* stdout; stderr when stdout is to be a JSON document */
	struct demo_daemon daemon;
	struct client client;
	struct sender sender;
	struct progress progress;
	char data[512];
	char plugin[600];
	char bootstrap[64];
	int interrupt_fd;
	uint64_t start_ns;
	uint64_t total;	      /* records of the data set */
	int64_t windows_seen; /* sequence of the last one printed */
	uint64_t windows_count;
	bool drained;
	bool keep;
};

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

/* One call of the daemon; 0 or an exit code with the reason said. CLI_INTERRUPTED after Ctrl-C. */
int demo_call(struct demo *demo, const char *method, json_t *params, json_t **ret_result);
bool demo_interrupted(const struct demo *demo);
/* Prints the windows that fired since the last look. */
int demo_show_windows(struct demo *demo);
/* The summary: 0, CLI_CHECK_FAILED if something does not add up, or another exit code. */
int demo_summary(struct demo *demo);
void demo_print_next(const struct demo *demo);

#endif
