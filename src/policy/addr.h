/* Addresses, networks and endpoints, and which addresses are inside ones. */
#ifndef POLICY_ADDR_H
#define POLICY_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT_MAX 46     /* INET6_ADDRSTRLEN */
#define ADDR_NET_TEXT_MAX 50 /* "/128" more */
#define ADDR_ENDPOINT_TEXT_MAX 56

enum addr_family {
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

struct addr {
	uint8_t family;	   /* enum addr_family */
	uint8_t octets[16]; /* network order; v4 uses the first four, the others are zero */
};

struct addr_net {
	struct addr addr;      /* bits behind the prefix are zero */
	uint8_t prefix_length; /* 0..32 or 0..128 */
};

/* An address with a port, in host order. */
struct addr_endpoint {
	struct addr addr;
	uint16_t port;
};

/* inet_pton's forms only: no "10.1", no octal, no zone. Errors: -EINVAL. */
int addr_parse(struct addr *addr, const char *text, size_t length);
/* Shortest form (RFC 5952). text has ADDR_TEXT_MAX octets. Returns text. */
const char *addr_format(const struct addr *addr, char *text);
bool addr_equal(const struct addr *a, const struct addr *b);
struct addr addr_v4(const uint8_t octets[4]);
struct addr addr_v6(const uint8_t octets[16]);

/* "192.0.2.0/24", "2001:db8::/32", or an address, which is a network of one.
 * Host bits that are set are an error (-EINVAL): 10.0.0.1/8 is more likely a slip than a wish. */
int addr_net_parse(struct addr_net *net, const char *text, size_t length);
/* Without "/32" and "/128". text has ADDR_NET_TEXT_MAX octets. Returns text. */
const char *addr_net_format(const struct addr_net *net, char *text);
bool addr_net_contains(const struct addr_net *net, const struct addr *addr);
/* True when inner lies wholly in outer. */
bool addr_net_covers(const struct addr_net *outer, const struct addr_net *inner);

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"; also dnsmasq's "192.0.2.1#5353". */
int addr_endpoint_parse(struct addr_endpoint *endpoint, const char *text, size_t length, uint16_t default_port);
bool addr_endpoint_equal(const struct addr_endpoint *a, const struct addr_endpoint *b);
const char *addr_endpoint_format(const struct addr_endpoint *endpoint, char *text);

/* Why an address is not to be learned from a name outside: promise 6 of the design. */
enum addr_scope {
	ADDR_GLOBAL,	  /* none of the below */
	ADDR_UNSPECIFIED, /* 0/8, :: */
	ADDR_LOOPBACK,	  /* 127/8, ::1 */
	ADDR_PRIVATE,	  /* 10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10 */
	ADDR_LINK_LOCAL,  /* 169.254/16 (metadata services), fe80::/10 */
	ADDR_SHARED,	  /* 100.64/10, RFC 6598 */
	ADDR_MULTICAST,	  /* 224/4, ff00::/8 */
	ADDR_RESERVED,	  /* 240/4, 255.255.255.255, 192.0.0/24 and other space not for hosts: RFC 6890 */
};

/* The scope of an address. A v6 address that carries a v4 one (mapped ::ffff/96, compatible ::/96, NAT64 64:ff9b::/96 and 64:ff9b:1::/48,
 * 6to4 2002::/16, Teredo 2001::/32 with its inverted client address, ISATAP) has the scope of the v4 address when that is not global; a
 * v4-mapped, v4-compatible and 64:ff9b:1::/48 address is never ADDR_GLOBAL. The documentation ranges count as global: tests use them. */
enum addr_scope addr_scope(const struct addr *addr);
/* "private", "link-local", ... */
const char *addr_scope_name(enum addr_scope scope);

#endif
