/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk with its views, requests, faults and trace. Private to io_sim*.c. */
#ifndef LOGSTORE_IO_IO_SIM_STATE_H
#define LOGSTORE_IO_IO_SIM_STATE_H

#include "base/rand.h"
#include "logstore/io/io_sim.h"
#include "logstore/io/io_sim_disk.h"

#define SIM_FD_FIRST 1000 /* no real descriptor gets mixed up with one of ours */

struct sim_view;

struct sim_fd {
	struct sim_file *file; /* NULL: free */
	uint32_t flags;	       /* enum io_open_flag */
};

struct sim_request {
	struct sim_view *view; /* NULL: its process was killed */
	struct sim_file *file; /* set at submit */
	enum io_fault_op op;   /* WRITE, READ, FLUSH */
	uint32_t slot;
	uint32_t len;
	uint32_t flags;
	void *buffer;
	uint8_t *data; /* of a write: as it was at submit */
	uint64_t position;
	uint64_t token;
	uint64_t due_ns;
	uint64_t stamp; /* of a flush: covers up to here */
	bool holds_lock;
	bool faulted;
	struct io_fault_rule fault;
};

struct sim_view {
	struct io io; /* first */
	struct sim_disk *sim;
	bool dead;
	uint32_t slots_max;
	int *slots;
	uint8_t *pool;
	size_t pool_len;
	uint32_t outstanding; /* queued, in flight or not reaped */
	struct sim_request **queued;
	uint32_t queued_count;
	uint32_t queued_room;
	struct io_completion *done;
	uint32_t done_count;
	uint32_t done_room;
};

struct sim_disk {
	struct sim_options options;
	struct rand rand;
	struct sim_store store;
	struct sim_fd *fds;
	uint32_t fd_count;
	uint32_t fd_room;
	struct sim_view **views;
	uint32_t view_count;
	uint32_t view_room;
	struct sim_request **in_flight;
	uint32_t in_flight_count;
	uint32_t in_flight_room;
	struct io_fault_rule rules[IO_FAULT_RULES_MAX];
	uint32_t rule_count;
	uint64_t op_counts[IO_FAULT_OP_COUNT];
	uint64_t faults_fired;
	uint64_t flush_delay_ns;
	uint64_t write_delay_ns;
	char write_delay_path[32];
	struct sim_event *trace;
	uint64_t trace_count;
};

void sim_trace(struct sim_disk *sim, const struct sim_event *event);
/* True if an armed rule fires for this operation; *ret_rule says what it does. */
bool sim_fault_fires(struct sim_disk *sim, enum io_fault_op op, const char *path,
	struct io_fault_rule *ret_rule);
/* Completes what is due by the clock. */
void sim_advance(struct sim_disk *sim);
void sim_request_free(struct sim_request *request);
/* io_sim.c: queue, submit, reap. io_sim_host.c: the housekeeping half. */
struct sim_view *sim_view_of(struct io *io);
struct sim_file *sim_fd_file(struct sim_disk *sim, int fd);
void sim_fd_close(struct sim_disk *sim, int fd);

int sim_host_open(struct io *io, const char *path, uint32_t flags);
void sim_host_close(struct io *io, int fd);
int sim_host_pread(struct io *io, int fd, void *buffer, size_t len, uint64_t position);
int sim_host_pwrite(struct io *io, int fd, const void *buffer, size_t len, uint64_t position);
int sim_host_allocate(struct io *io, int fd, uint64_t len);
int sim_host_zero(struct io *io, int fd, uint64_t position, uint64_t len);
int sim_host_truncate(struct io *io, int fd, uint64_t len);
int sim_host_fsync(struct io *io, int fd);
int sim_host_fsync_dir(struct io *io, const char *path);
int sim_host_sync_fs(struct io *io);
int sim_host_make_dir(struct io *io, const char *path);
int sim_host_remove_dir(struct io *io, const char *path);
int sim_host_rename(struct io *io, const char *from, const char *to);
int sim_host_unlink(struct io *io, const char *path);
int sim_host_list(struct io *io, const char *path, io_list_fn fn, void *user_data);
int sim_host_stat(struct io *io, const char *path, struct io_stat *ret_stat);
int sim_host_space(struct io *io, struct io_space *ret_space);
int sim_host_probe(struct io *io, struct io_probe *ret_probe);
int sim_host_lock_holder(struct io *io, const char *path);

#endif
