/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xdp_lanes.h, over rtnetlink(7) and bpf(2). That an interface is taken is told by an abstract UNIX socket: its
 * name is the namespace's, as the interface is, and it goes with the process however that ends.
 */
#include "nic/xdp_lanes.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/bytes.h"

#define MARK		 "penstock-lanes="
#define OBJECT_BYTES_MAX (256 * KIB)
#define PROGRAM_NAME	 "xdp_lanes"
#define ANSWER_BYTES	 16384
#define REQUEST_ROOM	 64

bool
xdp_lanes_ports(const char *path, uint32_t *ret_first, uint32_t *ret_count)
{
	char *bytes = malloc(OBJECT_BYTES_MAX + 1);
	FILE *file = bytes ? fopen(path, "re") : NULL;
	size_t len = file ? fread(bytes, 1, OBJECT_BYTES_MAX, file) : 0;
	const char *mark = len > 0 ? memmem(bytes, len, MARK, strlen(MARK)) : NULL;
	bool found = false;

	if (mark) {
		bytes[len] = 0;
		found = sscanf(mark + strlen(MARK), "%5u+%5u", ret_first, ret_count) == 2;
	}
	if (file) {
		fclose(file);
	}
	free(bytes);
	return found;
}

/* --- rtnetlink -------------------------------------------------------------------------------------- */

struct link_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	uint8_t room[REQUEST_ROOM];
};

static void
request_begin(struct link_request *request, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(sizeof(request->link));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	request->link.ifi_index = (int)ifindex;
}

/* Appends an attribute; returns where it is. */
static struct rtattr *
request_add(struct link_request *request, uint16_t type, const void *value, uint16_t len)
{
	struct rtattr *attribute = (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len > 0) {
		memcpy(RTA_DATA(attribute), value, len);
	}
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

/* One question, one answer. Returns its bytes, or a negative errno. */
static int
request_ask(const struct link_request *request, struct nlmsghdr *ret_answer, size_t bytes)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t len = fd < 0 ? -1 : send(fd, request, request->header.nlmsg_len, 0);

	if (len >= 0) {
		len = recv(fd, ret_answer, bytes, 0);
	}
	int rc = len < 0 ? -errno : (int)len;

	if (fd >= 0) {
		close(fd);
	}
	if (rc >= (int)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && ret_answer->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(ret_answer);

		return error->error;
	}
	return rc;
}

struct attached {
	uint32_t program_id; /* 0: none */
	uint8_t mode;	     /* XDP_ATTACHED_* */
};

static void
attached_read(struct rtattr *at, int len, struct attached *ret)
{
	for (; RTA_OK(at, len); at = RTA_NEXT(at, len)) {
		if (at->rta_type == IFLA_XDP_ATTACHED) {
			memcpy(&ret->mode, RTA_DATA(at), sizeof(ret->mode));
		} else if (at->rta_type == IFLA_XDP_PROG_ID) {
			memcpy(&ret->program_id, RTA_DATA(at), sizeof(ret->program_id));
		}
	}
}

static int
attached_ask(uint32_t ifindex, struct attached *ret)
{
	struct nlmsghdr *answer = malloc(ANSWER_BYTES);
	struct link_request request;
	int rc = answer ? 0 : -ENOMEM;

	*ret = (struct attached){0};
	if (rc == 0) {
		request_begin(&request, RTM_GETLINK, 0, ifindex);
		rc = request_ask(&request, answer, ANSWER_BYTES);
	}
	if (rc > 0 && NLMSG_OK(answer, (uint32_t)rc) && answer->nlmsg_type == RTM_NEWLINK) {
		int len = (int)IFLA_PAYLOAD(answer);

		for (struct rtattr *at = IFLA_RTA(NLMSG_DATA(answer)); RTA_OK(at, len); at = RTA_NEXT(at, len)) {
			if ((at->rta_type & NLA_TYPE_MASK) == IFLA_XDP) {
				attached_read(RTA_DATA(at), (int)RTA_PAYLOAD(at), ret);
			}
		}
	}
	free(answer);
	return rc < 0 ? rc : 0;
}

static int
attached_take_off(uint32_t ifindex, uint8_t mode)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	uint32_t flags = mode == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	struct link_request request;
	struct rtattr *nest;
	int32_t none = -1;

	request_begin(&request, RTM_SETLINK, NLM_F_ACK, ifindex);
	nest = request_add(&request, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	request_add(&request, IFLA_XDP_FD, &none, sizeof(none));
	request_add(&request, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	nest->rta_len = (uint16_t)((uint8_t *)&request + request.header.nlmsg_len - (uint8_t *)nest);
	return request_ask(&request, &answer.header, sizeof(answer));
}

/* --- whose it is ------------------------------------------------------------------------------------- */

/* By the name of its function. */
static bool
program_is_ours(uint32_t id)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr;
	int fd, rc;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	if (fd < 0) {
		return false;
	}
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	rc = (int)syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
	close(fd);
	return rc == 0 && strncmp(info.name, PROGRAM_NAME, sizeof(info.name)) == 0;
}

/* A name that only one process of the namespace can have at a time. */
static int
interface_take(uint32_t ifindex)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "penstock-xdp-%u", ifindex);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	if (bind(fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int
xdp_lanes_take(const char *interface, bool *ret_removed)
{
	uint32_t ifindex = if_nametoindex(interface);
	struct attached attached;
	int fd, rc;

	*ret_removed = false;
	if (ifindex == 0) {
		return -errno;
	}
	fd = interface_take(ifindex);
	if (fd < 0) {
		return fd;
	}
	rc = attached_ask(ifindex, &attached);
	if (rc == 0 && attached.program_id != 0 && program_is_ours(attached.program_id)) {
		rc = attached_take_off(ifindex, attached.mode);
		*ret_removed = rc == 0;
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}
