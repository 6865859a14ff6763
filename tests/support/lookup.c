/* Looks a name up with the libc's getaddrinfo(), whichever libc it is compiled with.
 *
 *	lookup NAME [4|6]
 *
 * Prints each address, then `reached` when the first of them is the world's web server. Ends with 1 otherwise. */
#include "lookup.h"

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int result;

	if (argc < 2)
		return 2;
	hints.ai_family = lookup_family(argv[2]);
	result = getaddrinfo(argv[1], LOOKUP_PORT, &hints, &found);
	if (result) {
		fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(result));
		return 1;
	}
	for (const struct addrinfo *at = found; at; at = at->ai_next)
		lookup_print(at->ai_addr);
	result = lookup_reach(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return result;
}
