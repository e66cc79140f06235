/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 for keyed tables and cookies; Kafka's murmur2 for partitioning. Any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Aumasson, Bernstein 2012. Key 00..0f, input 00..0e gives the bytes a129ca6149be45e5 (LE u64). */
uint64_t hash_siphash24(const uint8_t key[16], const void *bytes, size_t len);
/* org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c. */
uint32_t hash_murmur2(const void *bytes, size_t len);

/* Kafka's default partition of a non-null key. */
static inline uint32_t
hash_kafka_partition(const void *key, size_t len, uint32_t partition_count)
{
	return (hash_murmur2(key, len) & 0x7fffffff) % partition_count;
}

#endif
