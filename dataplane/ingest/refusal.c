/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refused batches by Kafka code, beside `refused` (ledger E5). Code 2 is told apart by who found it:
 * the lane a wrong header, the log a wrong CRC.
 */
#include "ingest/lane.h"

static enum lane_counter
refusal_counter(int16_t error, enum refusal_by by)
{
	switch (error) {
	case KAFKA_CORRUPT_MESSAGE:
		return by == REFUSAL_BY_LOG ? LANE_batch_crc : LANE_batch_header;
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
		return LANE_refused_3;
	case KAFKA_LEADER_NOT_AVAILABLE:
		return LANE_refused_5;
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
		return LANE_refused_6;
	case KAFKA_MESSAGE_TOO_LARGE:
		return LANE_refused_10;
	case KAFKA_INVALID_TOPIC_EXCEPTION:
		return LANE_refused_17;
	case KAFKA_RECORD_LIST_TOO_LARGE:
		return LANE_refused_18;
	case KAFKA_INVALID_TIMESTAMP:
		return LANE_refused_32;
	case KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
		return LANE_refused_45;
	case KAFKA_INVALID_PRODUCER_EPOCH:
		return LANE_refused_47;
	case KAFKA_INVALID_TXN_STATE:
		return LANE_refused_48;
	case KAFKA_KAFKA_STORAGE_ERROR:
		return LANE_refused_56;
	case KAFKA_UNSUPPORTED_COMPRESSION_TYPE:
		return LANE_refused_76;
	case KAFKA_INVALID_RECORD:
		return LANE_refused_87;
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return LANE_refused_89;
	default:
		return LANE_refused_other;
	}
}

void
refusal_count(struct lane *lane, int16_t error, enum refusal_by by, uint32_t batches)
{
	lane->counters[refusal_counter(error, by)] += batches;
}
