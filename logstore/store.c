/* SPDX-License-Identifier: Apache-2.0 */
/* What any thread may do to the store. See store.h. */
#include "logstore/store.h"

#include <stdio.h>

void
store_fail(struct logstore *store, const char *what, int error)
{
	bool expected = false;

	if (atomic_compare_exchange_strong(&store->failed_reason_set, &expected, true)) {
		(void)snprintf(store->failed_reason, sizeof(store->failed_reason), "%s: errno %d", what,
			error);
		atomic_store_explicit(&store->failed, true, memory_order_release);
	}
}
