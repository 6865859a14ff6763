/* A listening stream socket of the process' own, in place of those that a supervisor hands over, and connections to it. */
#ifndef TESTS_FUZZ_LOCAL_SOCKET_H
#define TESTS_FUZZ_LOCAL_SOCKET_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

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

/* Both ways at once: close(2) alone takes effect a moment later when somebody reads /proc/PID/fd just then, and so holds the file. */
static inline void local_close(int fd)
{
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

/* Whether the other side has closed the connection; it is waited for where it has done so, for that reason. */
static inline bool local_is_closed(int fd, bool waits)
{
	struct pollfd end = {.fd = fd};

	return poll(&end, 1, waits ? 1000 : 0) == 1 && end.revents & POLLHUP;
}

/* Milliseconds in which the process did not run. */
static inline int64_t local_idle_ms(void)
{
	struct timespec now, used;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (now.tv_sec - used.tv_sec) * INT64_C(1000) + (now.tv_nsec - used.tv_nsec) / 1000000;
}

/* Whether the process was kept from running for so long since then that a connection may have been ended as idle: it was stopped, or had no processor. */
#define LOCAL_LATE_MS 5000 /* half of what they are given */
static inline bool local_is_late(int64_t since_idle_ms)
{
	return local_idle_ms() - since_idle_ms > LOCAL_LATE_MS;
}

#endif
