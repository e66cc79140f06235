/* SPDX-License-Identifier: Apache-2.0 */
/* The reference server behind UDP sockets (native_server_udp.h). */
#include "native_server_udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"

static void
udp_send(void *user_data, uint32_t address, uint16_t lane, const uint8_t *bytes, uint32_t len)
{
	struct native_server_udp *udp = user_data;
	uint64_t to = udp->addresses[address];
	struct sockaddr_in peer = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)to),
		.sin_addr.s_addr = htonl((uint32_t)(to >> 16)),
	};

	/* Lost if there is no room: UDP. */
	(void)!sendto(udp->fds[lane], bytes, len, MSG_DONTWAIT, (struct sockaddr *)&peer,
		sizeof(peer));
}

static uint32_t
udp_address(struct native_server_udp *udp, const struct sockaddr_in *peer)
{
	uint64_t key = (uint64_t)ntohl(peer->sin_addr.s_addr) << 16 | ntohs(peer->sin_port);

	for (uint32_t i = 0; i < udp->address_count; i++) {
		if (udp->addresses[i] == key) {
			return i;
		}
	}
	ensure(udp->address_count < NATIVE_SERVER_UDP_ADDRESSES);
	udp->addresses[udp->address_count] = key;
	return udp->address_count++;
}

static void
udp_receive(struct native_server_udp *udp, uint16_t lane, uint64_t now_ns)
{
	uint8_t bytes[9216];

	for (uint32_t i = 0; i < 256; i++) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);
		ssize_t len = recvfrom(udp->fds[lane], bytes, sizeof(bytes), MSG_DONTWAIT,
			(struct sockaddr *)&peer, &peer_len);

		if (len < 0) {
			return;
		}
		if (!udp->deaf && !rand_chance_ppm(&udp->rand, udp->loss_ppm)) {
			native_server_input(udp->server, udp_address(udp, &peer),
				(uint16_t)(udp->port + lane), bytes, (uint32_t)len, now_ns);
		}
	}
}

static void *
udp_run(void *user_data)
{
	struct native_server_udp *udp = user_data;
	struct clock *clock = clock_system();
	bool stop = false;

	while (!stop) {
		struct pollfd fds[NATIVE_SERVER_UDP_LANES];

		pthread_mutex_lock(&udp->lock);
		for (uint16_t lane = 0; lane < udp->lane_count; lane++) {
			udp_receive(udp, lane, clock_now_ns(clock));
			fds[lane] = (struct pollfd){.fd = udp->fds[lane], .events = POLLIN};
		}
		native_server_poll(udp->server, clock_now_ns(clock));
		stop = udp->stop;
		pthread_mutex_unlock(&udp->lock);
		/* The disk needs looking after even if nothing arrives. */
		poll(fds, udp->lane_count, 1);
	}
	return NULL;
}

/* Binds `lanes` ports in a row from `port` on. */
static bool
udp_bind(struct native_server_udp *udp, uint16_t port)
{
	for (uint16_t lane = 0; lane < udp->lane_count; lane++) {
		struct sockaddr_in address = {
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)(port + lane)),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};

		udp->fds[lane] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ensure(udp->fds[lane] >= 0);
		if (bind(udp->fds[lane], (struct sockaddr *)&address, sizeof(address)) < 0) {
			for (uint16_t i = 0; i <= lane; i++) {
				close(udp->fds[i]);
			}
			return false;
		}
	}
	udp->port = port;
	return true;
}

void
native_server_udp_start(struct native_server_udp *udp, const struct native_server_options *options)
{
	struct native_server_options mine = *options;

	memset(udp, 0, sizeof(*udp));
	rand_init_os(&udp->rand);
	udp->lane_count = options->lane_count;
	ensure(udp->lane_count <= NATIVE_SERVER_UDP_LANES);
	while (!udp_bind(udp, (uint16_t)(20000 + rand_below(&udp->rand, 30000)))) {
	}
	mine.rand = &udp->rand;
	mine.send = udp_send;
	mine.user_data = udp;
	mine.port = udp->port;
	udp->server = native_server_create(&mine);
	pthread_mutex_init(&udp->lock, NULL);
	ensure(pthread_create(&udp->thread, NULL, udp_run, udp) == 0);
}

void
native_server_udp_stop(struct native_server_udp *udp)
{
	pthread_mutex_lock(&udp->lock);
	udp->stop = true;
	pthread_mutex_unlock(&udp->lock);
	pthread_join(udp->thread, NULL);
	for (uint16_t lane = 0; lane < udp->lane_count; lane++) {
		close(udp->fds[lane]);
	}
	native_server_destroy(udp->server);
	pthread_mutex_destroy(&udp->lock);
}
