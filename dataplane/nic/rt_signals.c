/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/rt_signals.h"

#include <signal.h>
#include <stddef.h>

void
rt_signals_take(struct rt_signals *ret_signals)
{
	struct sigaction now;

	ret_signals->taken = 0;
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
		if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL &&
			signal(number, SIG_IGN) != SIG_ERR) {
			ret_signals->taken |= UINT64_C(1) << (number - 1);
		}
	}
}

void
rt_signals_give_back(const struct rt_signals *signals)
{
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
		if (signals->taken & UINT64_C(1) << (number - 1)) {
			(void)signal(number, SIG_DFL);
		}
	}
}
