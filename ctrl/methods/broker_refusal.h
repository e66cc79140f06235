/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker or the log refuses, as the socket tells it: which kind, and the data that errors.yaml promises of it. */
#ifndef CTRL_METHODS_BROKER_REFUSAL_H
#define CTRL_METHODS_BROKER_REFUSAL_H

#include "ctrl/methods/body.h"

struct broker_refusal {
	int16_t error;		/* Kafka code, not 0 */
	const char *text;	/* of who refused; NULL or "": the code's own */
	const char *object;	/* "topic \"t\"": the message begins with it */
	const char *name;	/* the topic's */
	const char *file;	/* in the data directory, what is damaged or failed: "t-0"; NULL: all of it */
	const char *operation;	/* that is in the way; NULL: none is known */
};

/* Answers the call. Control thread; for a STORAGE_ERROR's errno inside the broker's callback. */
void broker_refusal_answer(struct rpc_call *call, const struct broker_refusal *refusal);

#endif
