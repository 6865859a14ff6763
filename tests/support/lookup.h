/* What the programs that look a name up have in common: each address is printed, and the first one is spoken to, as a program does that
 * has just been told of it. */
#ifndef TESTS_SUPPORT_LOOKUP_H
#define TESTS_SUPPORT_LOOKUP_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LOOKUP_PORT       "80"
#define LOOKUP_PATIENCE_S 4

/* "4", "6", or both. */
static inline int lookup_family(const char *word)
{
	return !word ? AF_UNSPEC : *word == '4' ? AF_INET : AF_INET6;
}

static inline void lookup_print(const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof(text));
	puts(text);
}

/* Returns 0 when there is the world's web server. */
static inline int lookup_reach(const struct sockaddr *address, socklen_t length)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	const struct timeval patience = {.tv_sec = LOOKUP_PATIENCE_S};
	int fd = socket(address->sa_family, SOCK_STREAM, 0);
	char answer[1024] = "";
	size_t size = 0;
	ssize_t got;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, address, length) || write(fd, request, sizeof(request) - 1) < 0) {
		perror("connect");
		return 1;
	}
	while (size < sizeof(answer) - 1 && (got = read(fd, answer + size, sizeof(answer) - 1 - size)) > 0)
		size += (size_t)got;
	close(fd);
	if (!strstr(answer, "\r\nworld\n")) {
		fprintf(stderr, "no world: %s\n", answer);
		return 1;
	}
	puts("reached");
	return 0;
}

#endif
