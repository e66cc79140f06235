/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTU discovery (client_mtu.h). */
#include "client/client_mtu.h"

#include "base/bytes.h"
#include "base/compiler.h"

#define MTU_SEARCH_AGAIN_NS (600 * NS_PER_S)

/* Greatest IP packets worth trying: Ethernet, AF_XDP's page, jumbo. */
static const uint16_t mtu_packets[] = {1500, 4080, 9000};

void
client_mtu_init(struct client_mtu *mtu, bool ipv6)
{
	*mtu = (struct client_mtu){
		.current = CLIENT_MTU_BASE,
		.limit = CLIENT_MTU_BASE,
		.ip_overhead = ipv6 ? 48 : 28,
		.search_again_ns = UINT64_MAX,
	};
}

/* Next size above the current one: a usual size, or the limit itself when it lies before that. */
static uint16_t
mtu_candidate(const struct client_mtu *mtu)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(mtu_packets); i++) {
		uint16_t size = (uint16_t)(mtu_packets[i] - mtu->ip_overhead);

		if (size > mtu->current) {
			if (size < mtu->limit) {
				return size;
			}
			break;
		}
	}
	return mtu->limit > mtu->current ? mtu->limit : 0;
}

static void
mtu_search(struct client_mtu *mtu, uint64_t now_ns)
{
	mtu->probe_size = mtu_candidate(mtu);
	mtu->probes_sent = 0;
	mtu->next_probe_ns = now_ns;
	mtu->search_again_ns = UINT64_MAX;
}

void
client_mtu_opened(struct client_mtu *mtu, uint16_t limit, uint64_t now_ns)
{
	uint16_t jumbo = (uint16_t)(9000 - mtu->ip_overhead);

	mtu->limit = limit < jumbo ? limit : jumbo;
	if (mtu->current > mtu->limit) {
		mtu->current = mtu->limit;
	}
	mtu->checking = false;
	mtu->large_lost = 0;
	if (mtu->search_again_ns == UINT64_MAX) {
		mtu_search(mtu, now_ns);
	}
}

uint16_t
client_mtu_poll(struct client_mtu *mtu, uint64_t now_ns, uint64_t pto_ns)
{
	if (mtu->probe_size == 0 && mtu->search_again_ns <= now_ns) {
		mtu_search(mtu, now_ns);
	}
	if (mtu->probe_size == 0 || now_ns < mtu->next_probe_ns) {
		return 0;
	}
	if (mtu->probes_sent < (mtu->checking ? CLIENT_MTU_CHECK_PROBES : CLIENT_MTU_PROBES)) {
		mtu->probes_sent++;
		mtu->next_probe_ns = now_ns + pto_ns;
		return mtu->probe_size;
	}
	if (mtu->checking) {
		mtu->current = CLIENT_MTU_BASE;
		mtu->checking = false;
	}
	mtu->probe_size = 0;
	mtu->search_again_ns = now_ns + MTU_SEARCH_AGAIN_NS;
	return 0;
}

void
client_mtu_arrived(struct client_mtu *mtu, uint16_t payload_bytes, uint64_t now_ns)
{
	if (payload_bytes > mtu->limit || mtu->probe_size == 0 || payload_bytes != mtu->probe_size) {
		return;
	}
	mtu->large_lost = 0;
	mtu->checking = false;
	mtu->current = payload_bytes;
	mtu_search(mtu, now_ns);
}

void
client_mtu_large_acked(struct client_mtu *mtu)
{
	mtu->large_lost = 0;
	if (mtu->checking) {
		mtu->checking = false;
		mtu->probe_size = 0;
	}
}

void
client_mtu_large_lost(struct client_mtu *mtu, uint64_t now_ns)
{
	mtu->large_lost++;
	if (mtu->large_lost >= CLIENT_MTU_SUSPECT && !mtu->checking) {
		mtu->checking = true;
		mtu->probe_size = mtu->current;
		mtu->probes_sent = 0;
		mtu->next_probe_ns = now_ns;
	}
}

uint64_t
client_mtu_deadline_ns(const struct client_mtu *mtu)
{
	return mtu->probe_size != 0 ? mtu->next_probe_ns : mtu->search_again_ns;
}
