/* A listening stream socket of the process' own, in place of those that a supervisor hands over, and connections to it. */
#ifndef TESTS_FUZZ_LOCAL_SOCKET_H
#define TESTS_FUZZ_LOCAL_SOCKET_H

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static inline int local_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		abort();
	return fd;
}

static inline int local_listen(void)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX}; /* an abstract name that the kernel chooses */
	int fd = local_socket();

	if (bind(fd, (struct sockaddr *)&any, sizeof(sa_family_t)) || listen(fd, 8))
		abort();
	return fd;
}

static inline int local_connect(int listening_fd)
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int fd = local_socket();

	if (getsockname(listening_fd, (struct sockaddr *)&address, &length) || connect(fd, (struct sockaddr *)&address, length))
		abort();
	return fd;
}

static inline time_t local_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Whether so much time has passed since then that a connection may have been ended as idle: the process was stopped, or had no processor. */
#define LOCAL_LATE_S 5 /* half of what they are given */
static inline bool local_is_late(time_t since_s)
{
	return local_now_s() - since_s > LOCAL_LATE_S;
}

#endif
