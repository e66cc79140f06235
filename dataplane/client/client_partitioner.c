/* SPDX-License-Identifier: Apache-2.0 */
/* Choice of partition (client_partitioner.h). */
#include "client/client_partitioner.h"

#include "base/ensure.h"
#include "base/hash.h"

uint32_t
client_partitioner_choose(struct client_sticky *sticky, struct rand *rand, int32_t wanted,
	const void *key, size_t key_len, uint32_t partition_count)
{
	ensure(partition_count > 0);
	if (wanted >= 0) {
		return (uint32_t)wanted;
	}
	if (key) {
		return hash_kafka_partition(key, key_len, partition_count);
	}
	if (sticky->partition_count != partition_count) {
		uint32_t before = sticky->partition;

		sticky->partition = (uint32_t)rand_below(rand, partition_count);
		if (sticky->partition == before && partition_count > 1) {
			sticky->partition = (before + 1) % partition_count;
		}
		sticky->partition_count = partition_count;
	}
	return sticky->partition;
}

void
client_partitioner_closed(struct client_sticky *sticky, uint32_t partition)
{
	if (sticky->partition == partition) {
		sticky->partition_count = 0;
	}
}
