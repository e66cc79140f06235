/* SPDX-License-Identifier: Apache-2.0 */
/* A job whose function writes down how it was opened, called and closed. For the tests of this
 * folder. */
#ifndef UNIT_BATCHER_WATCHED_H
#define UNIT_BATCHER_WATCHED_H

#include "rig.h"
#include <errno.h>

struct watched {
	uint32_t opened;
	uint32_t calls;
	uint32_t closed;
	enum penstock_close_reason reason;
	int result;
	int cursor_result;
};

static inline int
watched_open(const struct penstock_job *job, void **ret_user)
{
	struct watched *watched;

	assert_int_equal(sscanf(penstock_job_param(job, "watched"), "%p", ret_user), 1);
	watched = *ret_user;
	watched->opened++;
	return 0;
}

static inline int
watched_process(void *user, struct penstock_task *task)
{
	struct watched *watched = user;
	struct penstock_cursor cursor;
	struct penstock_record record;

	watched->calls++;
	penstock_cursor_open(&cursor, task);
	while ((watched->cursor_result = penstock_cursor_next(&cursor, &record)) == 1) {
	}
	return watched->cursor_result ? watched->cursor_result : watched->result;
}

static inline void
watched_close(void *user, enum penstock_close_reason reason)
{
	struct watched *watched = user;

	watched->closed++;
	watched->reason = reason;
}

static const struct penstock_worker watched_function = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "watched",
	.open = watched_open,
	.process = watched_process,
	.close = watched_close,
};

struct watched_rig {
	struct rig rig;
	struct watched watched;
	struct job_spec spec;
	char pointer[32];
	const char *params[2];
	uint32_t job;
};

static inline void
watched_init(struct watched_rig *s, struct rig_options options)
{
	memset(s, 0, sizeof(*s));
	rig_init(&s->rig, options);
	s->spec = rig_spec(&watched_function);
	(void)snprintf(s->pointer, sizeof(s->pointer), "%p", (void *)&s->watched);
	s->params[0] = "watched";
	s->params[1] = s->pointer;
	s->spec.params = s->params;
	s->spec.param_count = 1;
}

/* Record batches of 8 KB; the tick that takes them is due. */
static inline void
watched_append(struct watched_rig *s, uint32_t batches)
{
	static const char filler[8000];
	uint8_t room[9000];

	for (uint32_t i = 0; i < batches; i++) {
		struct record_builder builder;

		record_builder_init(&builder, room, sizeof(room));
		ensure(!record_builder_add(&builder, 1, NULL, -1, filler, sizeof(filler)));
		fake_log_append(&s->rig.log, 0, room, record_builder_finish(&builder, -1, -1, -1));
	}
	ensure(fake_log_note(&s->rig.log, 0));
	clock_fake_advance(&s->rig.clock, NS_PER_S);
}

/* A window of more than one chapter, polled until its function waits on its fiber for the second.
 */
static inline void
watched_set_aside(struct watched_rig *s)
{
	watched_append(s, 100);
	while (s->watched.calls == 0) {
		(void)rig_poll(&s->rig);
	}
}

#endif
