/* One line of a profile or of a list: what it names, and where it may be reached.
 *
 *	example.com		the name and everything below it
 *	*.example.com		everything below it only
 *	=example.com		that name only (the one form in which a single label may stand: a neighbour container's name)
 *	!ads.example.com	takes names out again (also !*.x and !=x); takes no port
 *	example.com:443		TCP and UDP port 443 only;  example.com:22/tcp  TCP only
 *	192.0.2.1  192.0.2.0/24  2001:db8::/32  192.0.2.1:443  [2001:db8::1]:443/tcp  [2001:db8::/32]:443
 */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "base/error.h"
#include "base/text.h"
#include "policy/addr.h"
#include "policy/name.h"

enum rule_kind {
	RULE_TREE,  /* name and below */
	RULE_BELOW, /* below only */
	RULE_EXACT, /* the name only */
	RULE_NET,
};

enum rule_protocol {
	RULE_ANY_PROTOCOL = 0, /* with a port: TCP and UDP */
	RULE_TCP = 6,
	RULE_UDP = 17,
};

struct rule {
	enum rule_kind kind;
	bool exclude;	  /* '!' */
	uint16_t port;	  /* 0: every port (and every protocol) */
	uint8_t protocol; /* enum rule_protocol; not 0 only with a port */
	struct name name; /* of RULE_TREE, RULE_BELOW, RULE_EXACT */
	struct addr_net net;
	int64_t until; /* 0, or when it ends, in seconds since the epoch: of a list's line, not of the rule's own text */
};

/* Parses a line without comment and surrounding blanks. Names must be ASCII here (config/idn.h makes them so), of letters, digits, '-'
 * and '_' (a '*' only as the first label), 1 to 63 octets a label. A tree or below rule for a single label (a whole top-level domain), for the root, and a network of prefix
 * length 0 are refused. "1.2.3", "300.1.1.1" and the like, whose last label is all digits, are refused as malformed addresses.
 * Errors: -EINVAL with a text that names the word and the remedy; the caller prefixes file and line. */
int rule_parse(struct rule *rule, const char *line, size_t length, struct error *error);

/* The canonical spelling; rule_parse() of it gives the same rule. */
void rule_format(const struct rule *rule, struct text *text);

/* Their ends do not count. */
bool rule_equal(const struct rule *a, const struct rule *b);

/* Cuts blanks and a comment ("#" at the start or after a blank) off a line of a profile or list.
 * line: in and out. Returns the new length, 0 for a line that says nothing. */
size_t rule_strip(const char **line, size_t length);

#endif
