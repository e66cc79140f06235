/* SPDX-License-Identifier: Apache-2.0 */
#include "logstore/shard_op.h"

static int
queue_op(struct log_shard *shard, uint32_t index)
{
	struct shard_op *op = &shard->ops[index];
	const struct io_ops *ops = shard->io->ops;

	if (op->kind == SHARD_OP_FLUSH) {
		return ops->flush(shard->io, op->slot, index);
	}
	return ops->write(shard->io,
		&(struct io_write){.buffer = op->buffer,
			.position = op->position,
			.token = index,
			.slot = op->slot,
			.len = op->len,
			.flags = op->flags});
}

bool
shard_op_start(struct log_shard *shard, const struct shard_op *wanted)
{
	uint32_t index = shard->op_free;

	if (index == SHARD_OPS_MAX) {
		return false;
	}
	struct shard_op *op = &shard->ops[index];
	uint32_t next = op->next_free;

	*op = *wanted;
	op->next_free = next;
	if (queue_op(shard, index) < 0) {
		op->kind = SHARD_OP_FREE;
		return false;
	}
	op->queued = true;
	op->queued_ns = shard->now_ns;
	shard->op_free = next;
	shard->ops_busy++;
	return true;
}

void
shard_op_end(struct log_shard *shard, uint32_t index)
{
	struct shard_op *op = &shard->ops[index];

	op->kind = SHARD_OP_FREE;
	op->next_free = shard->op_free;
	shard->op_free = index;
	shard->ops_busy--;
}

void
shard_op_requeue(struct log_shard *shard)
{
	for (uint32_t i = 0; i < SHARD_OPS_MAX && shard->ops_unqueued > 0; i++) {
		struct shard_op *op = &shard->ops[i];

		if (op->kind != SHARD_OP_FREE && !op->queued && queue_op(shard, i) == 0) {
			op->queued = true;
			shard->ops_unqueued--;
		}
	}
}
