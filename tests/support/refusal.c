/* Sends one UDP datagram and prints how it was refused: `icmp TYPE CODE` or `icmp6 TYPE CODE`, as the socket's error queue tells it.
 *
 *	refusal ADDRESS PORT	run in the network namespace that is judged
 *
 * Ends with 1 and `nothing` when no refusal came within two seconds. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 2000

static int connect_to(const char *address, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
	int on = 1;

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		return fd < 0 || setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) || connect(fd, (struct sockaddr *)&v4, sizeof(v4)) ? -1 : fd;
	}
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		int fd = socket(AF_INET6, SOCK_DGRAM, 0);
		return fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) || connect(fd, (struct sockaddr *)&v6, sizeof(v6)) ? -1 : fd;
	}
	return -1;
}

/* Prints one entry of the error queue; false when it is no ICMP message. */
static int refusal_print(int fd)
{
	char data[256];
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	struct iovec vector = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};

	if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
		return 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
		struct sock_extended_err error;
		if (!(part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) &&
			!(part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&error, CMSG_DATA(part), sizeof(error));
		if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		printf("%s %d %d\n", error.ee_origin == SO_EE_ORIGIN_ICMP ? "icmp" : "icmp6", error.ee_type, error.ee_code);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? connect_to(argv[1], atoi(argv[2])) : -1;
	struct pollfd wait = {.fd = fd};

	if (fd < 0) {
		fprintf(stderr, "usage: refusal ADDRESS PORT, and a route to it\n");
		return 2;
	}
	/* A refusal in the output hook makes send() itself fail; the queue says why. */
	(void)!send(fd, "x", 1, 0);
	poll(&wait, 1, PATIENCE_MS);
	if (refusal_print(fd))
		return 0;
	puts("nothing");
	return 1;
}
