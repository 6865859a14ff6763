/* Zones that are drawn. */
#include "random_zones.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/promises.h"

#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))
#define OWNERS_DRAWN    110 /* in each zone */
#define CHAIN_DRAWN_MIN 13
#define DATA_MAX        (1u << 20)

const char *const random_zones_origins[RANDOM_ZONES + 1] = {"r0.test", "r1.test", "r2.test", "r3.test", NULL};
#define SIGNED_ZONE 2 /* ldns, which signs it, writes odd octets in ways that NSD does not read: it has none */

/* splitmix64 */
static uint64_t draw_next(struct draw *draw)
{
	uint64_t z = draw->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

unsigned draw_below(struct draw *draw, unsigned below)
{
	return (unsigned)(draw_next(draw) >> 32) % below;
}

bool draw_percent(struct draw *draw, unsigned percent)
{
	return draw_below(draw, 100) < percent;
}

#define DRAW_ONE(draw, array) ((array)[draw_below(draw, COUNT(array))])

/* ---- names ---- */

static char *octet_add(char *at, uint8_t octet)
{
	return at + (isalnum(octet) || octet == '-' || octet == '_' ? sprintf(at, "%c", octet) : sprintf(at, "\\%03u", octet));
}

/* In presentation format; at least 4 * 63 + 1 octets of room. */
static char *label_add(struct random_zones *zones, char *at)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char odd[] = {
		0, '.', '\\', '*', '"', ';', '@', '[', '`', '{', ' ', '\t', '\n', '(', ')', '$', 'A', 'z', 'Z', 127, (char)128, (char)255};
	static const char *const known[] = {"*", "_tcp", "_443", "www", "xn--mnchen-3ya", "-", "--", "0", "127", "localhost", "_"};
	struct draw *draw = &zones->draw;
	unsigned kind = draw_below(draw, zones->plain ? 72 : 100), length;

	if (kind < 6)
		return at + sprintf(at, "%s", known[1 + draw_below(draw, COUNT(known) - 1)]);
	length = 1 + (kind < 12 ? draw_below(draw, 63) : draw_below(draw, 9));
	for (unsigned i = 0; i < length; i++) {
		if (kind < 72)
			at = octet_add(at, (uint8_t)plain[draw_below(draw, kind < 60 ? 36 : sizeof(plain) - 1)]);
		else if (kind < 88)
			at = octet_add(at, (uint8_t)DRAW_ONE(draw, odd));
		else
			at = octet_add(at, (uint8_t)draw_below(draw, 256));
	}
	return at;
}

/* Labels in front of a name; NULL where that is too long. Caller frees. */
static char *name_below(struct random_zones *zones, unsigned labels, const char *parent)
{
	char text[4 * 256 * 2], *at = text;
	ldns_rdf *name = NULL;

	for (unsigned i = 0; i < labels && (size_t)(at - text) < sizeof(text) / 2; i++) {
		at = label_add(zones, at);
		*at++ = '.';
	}
	snprintf(at, sizeof(text) - (size_t)(at - text), "%s", parent);
	if (ldns_str2rdf_dname(&name, text) != LDNS_STATUS_OK)
		return NULL;
	ldns_rdf_deep_free(name);
	return strdup(text);
}

/* ---- owners ---- */

/* What is below a DNAME or a delegation is not the zone's own; and these have nothing below them. */
static bool owner_may_stand(const struct random_zones *zones, enum random_owner_kind kind, const ldns_rdf *name)
{
	for (size_t i = 0; i < zones->owner_count; i++) {
		const struct random_owner *other = &zones->owners[i];

		if (!ldns_dname_compare(other->name, name))
			return false;
		if ((other->kind == RANDOM_DNAME || other->kind == RANDOM_CUT) && ldns_dname_is_subdomain(name, other->name))
			return false;
		if ((kind == RANDOM_DNAME || kind == RANDOM_CUT) && ldns_dname_is_subdomain(other->name, name))
			return false;
	}
	return true;
}

/* Takes text, which may be NULL. Returns whether it was added. */
static bool owner_add(struct random_zones *zones, unsigned zone, enum random_owner_kind kind, char *text)
{
	struct random_owner *owner = &zones->owners[zones->owner_count];
	ldns_rdf *name = text ? ldns_dname_new_frm_str(text) : NULL;

	if (!name || zones->owner_count == RANDOM_OWNERS_MAX || !owner_may_stand(zones, kind, name)) {
		ldns_rdf_deep_free(name);
		free(text);
		return false;
	}
	*owner = (struct random_owner){.kind = kind, .zone = zone, .name = name, .text = text};
	zones->owner_count++;
	return true;
}

/* A name under which more may stand. */
static const char *parent_draw(struct random_zones *zones, size_t first)
{
	const struct random_owner *owner = &zones->owners[first + draw_below(&zones->draw, (unsigned)(zones->owner_count - first))];

	return owner->kind == RANDOM_DATA && draw_percent(&zones->draw, 60) ? owner->text : zones->owners[first].text;
}

static void owners_draw(struct random_zones *zones, unsigned zone)
{
	static const enum random_owner_kind kinds[] = {RANDOM_DATA, RANDOM_DATA, RANDOM_DATA, RANDOM_DATA, RANDOM_DATA, RANDOM_DATA,
		RANDOM_DATA, RANDOM_ALIAS, RANDOM_ALIAS, RANDOM_ALIAS, RANDOM_DNAME, RANDOM_CUT};
	struct draw *draw = &zones->draw;
	size_t first = zones->owner_count;
	char origin[16];

	zones->plain = zone == SIGNED_ZONE;
	snprintf(origin, sizeof(origin), "%s.", random_zones_origins[zone]);
	owner_add(zones, zone, RANDOM_DATA, strdup(origin));
	for (unsigned i = 0; i < OWNERS_DRAWN; i++) {
		const char *parent = parent_draw(zones, first);
		char *wild = NULL;

		if (!draw_percent(draw, 12))
			owner_add(zones, zone, DRAW_ONE(draw, kinds),
				name_below(zones, 1 + draw_percent(draw, 25) + draw_percent(draw, 8), parent));
		else if (asprintf(&wild, "*.%s", parent) > 0)
			owner_add(zones, zone, draw_percent(draw, 30) ? RANDOM_ALIAS : RANDOM_DATA, wild);
	}
}

/* ---- data ---- */

static void add(struct random_zones *zones, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct random_zones *zones, const char *format, ...)
{
	size_t room = DATA_MAX - zones->data_size;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(zones->data + zones->data_size, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= room)
		abort();
	zones->data_size += (size_t)length;
}

/* Where a name has to stand to be below the owner, or to be made from it where it is a wildcard. */
static const char *below_of(struct random_zones *zones, const struct random_owner *owner)
{
	return !strncmp(owner->text, "*.", 2) && draw_percent(&zones->draw, 80) ? owner->text + 2 : owner->text;
}

static void add_target(struct random_zones *zones)
{
	static const char *const outside[] = {".", "www.elsewhere.example.", "test.", "r9.test."};
	const struct random_owner *owner = &zones->owners[draw_below(&zones->draw, (unsigned)zones->owner_count)];
	bool fits = !zones->plain || !strchr(owner->text, '\\');
	unsigned kind = fits ? draw_below(&zones->draw, 100) : 99;
	cleanup_free char *below = kind >= 70 && kind < 92 ? name_below(zones, 1, below_of(zones, owner)) : NULL;

	add(zones, " %s", below ? below : kind < 92 ? owner->text : DRAW_ONE(&zones->draw, outside));
}

static void add_v4(struct random_zones *zones, const char *before)
{
	struct draw *draw = &zones->draw;
	unsigned kind = draw_below(draw, 100);

	if (kind < 6)
		add(zones, "%s%s", before, promises_inside[draw_below(draw, PROMISES_INSIDE_EACH)]);
	else if (kind < 16)
		add(zones, "%s11.0.0.%u", before, draw_below(draw, 8));
	else
		add(zones, "%s11.%u.%u.%u", before, draw_below(draw, 256), draw_below(draw, 256), draw_below(draw, 256));
}

static void add_v6(struct random_zones *zones, const char *before)
{
	struct draw *draw = &zones->draw;

	if (draw_percent(draw, 6))
		add(zones, "%s%s", before, promises_inside[PROMISES_INSIDE_EACH + draw_below(draw, PROMISES_INSIDE_EACH)]);
	else
		add(zones, "%s2a00:%x::%x", before, 1 + draw_below(draw, 0xffff), 1 + draw_below(draw, 0xfffe));
}

static void add_string(struct random_zones *zones, unsigned most)
{
	struct draw *draw = &zones->draw;
	unsigned length = draw_percent(draw, 10) ? most : draw_below(draw, most / 8 + 2);
	char text[4 * 256], *at = text;

	for (*at = '\0'; length; length--)
		at = octet_add(at, (uint8_t)(zones->plain ? 'a' + draw_below(draw, 26) : draw_below(draw, 256)));
	add(zones, " \"%s\"", text);
}

static void add_strings(struct random_zones *zones)
{
	for (unsigned i = draw_percent(&zones->draw, 10) ? 20 : draw_below(&zones->draw, 3); i; i--)
		add_string(zones, 255);
	add_string(zones, 255);
}

static void add_hints(struct random_zones *zones, void (*address)(struct random_zones *zones, const char *before))
{
	for (unsigned i = draw_below(&zones->draw, 4) + 1, first = i; i; i--)
		address(zones, i == first ? "" : ",");
}

/* The parameters stand in the order of their keys. */
static void add_service(struct random_zones *zones)
{
	struct draw *draw = &zones->draw;

	if (draw_percent(draw, 15)) {
		add(zones, "0");
		add_target(zones);
		return;
	}
	add(zones, "%u", 1 + draw_below(draw, 3));
	if (draw_percent(draw, 50))
		add(zones, " .");
	else
		add_target(zones);
	add(zones, "%s%s", draw_percent(draw, 60) ? " alpn=h2,h3" : "", draw_percent(draw, 30) ? " port=8443" : "");
	if (draw_percent(draw, 60)) {
		add(zones, " ipv4hint=");
		add_hints(zones, add_v4);
	}
	add(zones, "%s", draw_percent(draw, 15) ? " ech=AQIDBA==" : "");
	if (draw_percent(draw, 40)) {
		add(zones, " ipv6hint=");
		add_hints(zones, add_v6);
	}
	add(zones, "%s", draw_percent(draw, 15) ? " key667=\"hello\"" : "");
}

/* How the data of a type is written; see data_add(). */
static const struct form {
	unsigned type;
	const char *name, *data;
} forms[] = {
	{TYPE_A, "A", "%4"},
	{TYPE_A, "A", "%4"},
	{TYPE_A, "A", "%4"},
	{TYPE_AAAA, "AAAA", "%6"},
	{TYPE_AAAA, "AAAA", "%6"},
	{TYPE_TXT, "TXT", "%S"},
	{TYPE_MX, "MX", "%#%N"},
	{TYPE_SRV, "SRV", "%# %# %#%N"},
	{TYPE_HTTPS, "HTTPS", "%V"},
	{TYPE_HTTPS, "HTTPS", "%V"},
	{TYPE_SVCB, "SVCB", "%V"},
	{TYPE_PTR, "PTR", "%N"},
	{TYPE_NAPTR, "NAPTR", "%# %# \"u\" \"E2U+sip\" \"!^.*$!sip:x@y!\"%N"},
	{TYPE_CAA, "CAA", "128 issue%s"},
	{TYPE_TLSA, "TLSA", "3 1 1 %h%h"},
	{TYPE_SSHFP, "SSHFP", "4 2 %h%h"},
	{TYPE_HINFO, "HINFO", "%s%s"},
	{TYPE_RP, "RP", "%N%N"},
	{TYPE_AFSDB, "AFSDB", "%#%N"},
	{TYPE_LOC, "LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"},
	{TYPE_URI, "URI", "%# %# \"https://example.net/\""},
	{TYPE_CERT, "CERT", "1 2 3 AQIDBA=="},
	{7, "MB", "%N"},
	{8, "MG", "%N"},
	{9, "MR", "%N"},
	{14, "MINFO", "%N%N"},
	{19, "X25", "\"311061700956\""},
	{21, "RT", "%#%N"},
	{22, "NSAP", "0x47000580005a0000000001e133ffffff00016100"},
	{26, "PX", "%#%N%N"},
	{36, "KX", "%#%N"},
	{42, "APL", "1:192.0.2.0/24 !2:2001:db8::/32"},
	{61, "OPENPGPKEY", "AQIDBA=="},
	{62, "CSYNC", "66 3 A NS AAAA"},
	{104, "NID", "%# 0014:4fff:ff20:ee64"},
	{107, "LP", "%#%N"},
	{108, "EUI48", "00-00-5e-00-53-2a"},
	{TYPE_OURS, "TYPE65280", "\\# 16 %h"},
	{TYPE_OURS_EMPTY, "TYPE65281", "\\# 0"},
};

/* form: %4, %6 an address; %s a string; %S several; %N a name; %# a number; %h 16 octets; %V a service; all else as it is. Strings and names have a blank before them. */
static void data_add(struct random_zones *zones, const char *form)
{
	for (; *form; form++) {
		switch (*form == '%' ? *++form : '\0') {
		case '4':
			add_v4(zones, "");
			break;
		case '6':
			add_v6(zones, "");
			break;
		case 's':
			add_string(zones, 255);
			break;
		case 'S':
			add_strings(zones);
			break;
		case 'N':
			add_target(zones);
			break;
		case '#':
			add(zones, "%u", draw_below(&zones->draw, 65536));
			break;
		case 'h':
			for (unsigned i = 0; i < 16; i++)
				add(zones, "%02x", draw_below(&zones->draw, 256));
			break;
		case 'V':
			add_service(zones);
			break;
		default:
			add(zones, "%c", *form);
		}
	}
}

static void flush(struct random_zones *zones, FILE *to)
{
	fwrite(zones->data, 1, zones->data_size, to);
	zones->data_size = 0;
}

/* ---- records ---- */

static unsigned ttl_draw(struct draw *draw)
{
	static const unsigned ttls_s[] = {0, 0, 1, 30, 300, 3600, 86400, 86401, 604800, 2147483647};

	return DRAW_ONE(draw, ttls_s);
}

static unsigned count_draw(struct random_zones *zones, const struct form *form)
{
	struct draw *draw = &zones->draw;
	bool once = form->type == TYPE_OURS_EMPTY || !strchr(form->data, '%');

	if (once)
		return 1;
	if (draw_percent(draw, 6))
		return form->type == TYPE_A || form->type == TYPE_AAAA ? draw_below(draw, zones->most) : draw_below(draw, 30);
	return 1 + draw_below(draw, 4);
}

/* Unless it is there already. */
static void record_add(struct random_zones *zones, const struct random_owner *owner, unsigned ttl_s, const struct form *form)
{
	size_t before = zones->data_size;
	char *line = zones->data + before;

	add(zones, "%s %u IN %s ", owner->text, ttl_s, form->name);
	data_add(zones, form->data);
	add(zones, "\n");
	if (strstr(zones->data, line) < line)
		zones->data_size = before;
}

static void data_write(struct random_zones *zones, struct random_owner *owner, FILE *to)
{
	struct draw *draw = &zones->draw;

	for (unsigned i = draw_below(draw, RANDOM_TYPES_MAX - 1) + 1; i; i--) {
		const struct form *form = &DRAW_ONE(draw, forms);
		unsigned ttl_s = ttl_draw(draw);
		bool again = false;

		for (unsigned j = 0; j < owner->type_count; j++)
			again |= owner->types[j] == form->type;
		if (again)
			continue;
		owner->types[owner->type_count++] = form->type;
		for (unsigned count = count_draw(zones, form); count; count--)
			record_add(zones, owner, ttl_s, form);
		flush(zones, to);
	}
}

static void cut_write(struct random_zones *zones, struct random_owner *owner, FILE *to)
{
	owner->types[owner->type_count++] = TYPE_NS;
	add(zones, "%s 300 IN NS ns.%s\n", owner->text, owner->text);
	add(zones, "ns.%s 300 IN A ", owner->text);
	add_v4(zones, "");
	add(zones, "\n%s 300 IN NS", owner->text);
	add_target(zones);
	if (draw_percent(&zones->draw, 40)) {
		owner->types[owner->type_count++] = TYPE_DS;
		add(zones, "\n%s 300 IN DS 12345 13 2 ", owner->text);
		data_add(zones, "%h%h");
	}
	add(zones, "\n");
	flush(zones, to);
}

static void owner_write(struct random_zones *zones, struct random_owner *owner, FILE *to)
{
	switch (owner->kind) {
	case RANDOM_DATA:
		data_write(zones, owner, to);
		return;
	case RANDOM_CUT:
		cut_write(zones, owner, to);
		return;
	case RANDOM_ALIAS:
	case RANDOM_DNAME:
		owner->types[owner->type_count++] = owner->kind == RANDOM_ALIAS ? TYPE_CNAME : TYPE_DNAME;
		add(zones, "%s %u IN %s", owner->text, ttl_draw(&zones->draw), owner->kind == RANDOM_ALIAS ? "CNAME" : "DNAME");
		add_target(zones);
		add(zones, "\n");
		flush(zones, to);
	}
}

/* A chain of aliases, from chain0 on: as many steps as may be followed, or a few more or less. */
static void chain_write(struct random_zones *zones, const char *origin, FILE *to)
{
	unsigned steps = CHAIN_DRAWN_MIN + draw_below(&zones->draw, 8);

	for (unsigned i = 0; i < steps; i++)
		fprintf(to, "chain%u.%s. %u IN CNAME chain%u.%s.\n", i, origin, ttl_draw(&zones->draw), i + 1, origin);
	fprintf(to, "chain%u.%s. 300 IN A 11.0.1.1\n", steps, origin);
}

const char *random_zones_write(struct random_zones *zones, const char *folder)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < RANDOM_ZONES; i++) {
		const char *origin = random_zones_origins[i];
		FILE *to;

		snprintf(path, sizeof(path), "%s/%s", folder, origin);
		to = fopen(path, "we");
		if (!to)
			return "a zone file could not be written";
		zones->plain = i == SIGNED_ZONE;
		fprintf(to, "%s. %u IN SOA ns hostmaster 1 7200 3600 1209600 %u\n%s. 300 IN NS ns.%s.\nns.%s. 300 IN A 11.0.1.2\n", origin,
			ttl_draw(&zones->draw), draw_below(&zones->draw, 2) * 300, origin, origin, origin);
		chain_write(zones, origin, to);
		for (size_t j = 0; j < zones->owner_count; j++)
			if (zones->owners[j].zone == i)
				owner_write(zones, &zones->owners[j], to);
		fclose(to);
	}
	zones->plain = false;
	snprintf(path, sizeof(path), "%s/%s", folder, random_zones_origins[SIGNED_ZONE]);
	return zones_sign(path, random_zones_origins[SIGNED_ZONE], false);
}

/* ---- rules ---- */

static bool text_may_be_rule(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
			return false;
	return true;
}

/* No name twice: which of two rules for one name is the more specific is for the tests of policy. */
static void rule_draw(struct random_zones *zones, const char *text, bool exclude, unsigned kinds)
{
	struct random_rule *rule = &zones->rules[zones->rule_count];
	unsigned kind = draw_below(&zones->draw, kinds);
	ldns_rdf *name = ldns_dname_new_frm_str(text);
	static const char *const marks[] = {"", "*.", "="};

	for (size_t i = 0; i < zones->rule_count; i++)
		if (!ldns_dname_compare(zones->rules[i].name, name)) {
			ldns_rdf_deep_free(name);
			return;
		}
	*rule = (struct random_rule){.name = name, .exclude = exclude, .below = kind == 1, .exact = kind == 2};
	zones->rule_count++;
	add(zones, "%s%s%.*s%s\n", exclude ? "!" : "", marks[kind], (int)strlen(text) - 1, text,
		!exclude && draw_percent(&zones->draw, 30) ? ":443" : "");
}

/* The first zones whole, or what is below them; of the last one some names; and then some taken out, and some of these back in. */
static void rules_draw(struct random_zones *zones)
{
	char text[16];

	for (unsigned i = 0; i < RANDOM_ZONES - 1; i++) {
		snprintf(text, sizeof(text), "%s.", random_zones_origins[i]);
		rule_draw(zones, text, false, 2);
	}
	while (zones->rule_count < RANDOM_RULES_MAX / 2) {
		const struct random_owner *owner = &zones->owners[draw_below(&zones->draw, (unsigned)zones->owner_count)];
		bool is_last = owner->zone == RANDOM_ZONES - 1;

		if (text_may_be_rule(owner->text) && (is_last || draw_percent(&zones->draw, 30)))
			rule_draw(zones, owner->text, !is_last && draw_percent(&zones->draw, 80), 3);
	}
	zones->profile = strndup(zones->data, zones->data_size);
	zones->data_size = 0;
}

static bool is_listed(const struct random_zones *zones, const ldns_rdf *name)
{
	const struct random_rule *best = NULL;

	for (size_t i = 0; i < zones->rule_count; i++) {
		const struct random_rule *rule = &zones->rules[i];
		bool same = !ldns_dname_compare(name, rule->name), under = ldns_dname_is_subdomain(name, rule->name);

		if ((rule->exact          ? same
			    : rule->below ? under
					  : same || under) &&
			(!best || ldns_dname_label_count(rule->name) > ldns_dname_label_count(best->name)))
			best = rule;
	}
	return best && !best->exclude;
}

/* ---- the whole ---- */

struct random_zones *random_zones_new(uint64_t seed, unsigned most)
{
	struct random_zones *zones = calloc(1, sizeof(*zones));

	if (!zones || !(zones->data = malloc(DATA_MAX)))
		abort();
	zones->draw.state = seed;
	zones->most = most;
	for (unsigned i = 0; i < RANDOM_ZONES; i++)
		owners_draw(zones, i);
	zones->plain = false;
	rules_draw(zones);
	return zones;
}

void random_zones_free(struct random_zones *zones)
{
	for (size_t i = 0; i < zones->owner_count; i++) {
		ldns_rdf_deep_free(zones->owners[i].name);
		free(zones->owners[i].text);
	}
	for (size_t i = 0; i < zones->rule_count; i++)
		ldns_rdf_deep_free(zones->rules[i].name);
	free(zones->profile);
	free(zones->data);
	free(zones);
}

/* ---- questions ---- */

static char *asked_name(struct random_zones *zones, const struct random_owner *owner)
{
	static const char *const others[] = {".", "test.", "r9.test.", "www.elsewhere.example.", "localhost.", "10.in-addr.arpa."};
	struct draw *draw = &zones->draw;
	unsigned kind = draw_below(draw, 100);
	const char *dot;
	char *text = NULL;

	if (kind < 55)
		return strdup(owner->text);
	if (kind < 85)
		return name_below(
			zones, 1 + draw_percent(draw, 20) + draw_percent(draw, 5) * draw_below(draw, 120), below_of(zones, owner));
	if (kind < 90 && asprintf(&text, "chain%u.%s.", draw_below(draw, 8), random_zones_origins[draw_below(draw, RANDOM_ZONES)]) > 0)
		return text;
	if (kind < 96) { /* the parent: often a name that exists by what is below it alone */
		for (dot = owner->text; *dot && (*dot != '.' || (dot > owner->text && dot[-1] == '\\')); dot++)
			;
		return strdup(*dot && dot[1] ? dot + 1 : owner->text);
	}
	return strdup(DRAW_ONE(draw, others));
}

static unsigned asked_type(struct random_zones *zones, const struct random_owner *owner)
{
	static const unsigned types[] = {TYPE_A, TYPE_AAAA, TYPE_HTTPS, TYPE_TXT, TYPE_CNAME, TYPE_SOA, TYPE_NS, TYPE_DS, TYPE_DNSKEY,
		TYPE_NSEC, TYPE_NSEC3, TYPE_RRSIG, TYPE_DNAME, TYPE_ANY, TYPE_NULL, TYPE_OPT};
	struct draw *draw = &zones->draw;
	unsigned kind = draw_below(draw, 100), type;

	if (kind < 55 && owner->type_count)
		return owner->types[draw_below(draw, owner->type_count)];
	if (kind < 70)
		return TYPE_A;
	if (kind < 90)
		return DRAW_ONE(draw, types);
	if (kind < 95)
		return DRAW_ONE(draw, forms).type;
	do
		type = draw_below(draw, 65536);
	while (type < 1 || (type >= 249 && type <= 254)); /* transfers and their like are no questions to compare */
	return type;
}

void random_variant(struct draw *draw, struct variant *variant)
{
	static const unsigned flags[] = {MESSAGE_AD, MESSAGE_CD, MESSAGE_AA, MESSAGE_RA, MESSAGE_TC, 0x0040},
			      sizes[] = {0, 512, 513, 1220, 1231, 1232, 1233, 1400, 4096, 65535};
	static const struct {
		const char *octets;
		size_t length;
	} options[] = {{"\0\12\0\10ABCDEFGH", 12}, {"\0\10\0\7\0\1\30\0\306\63\144", 11}, {"\0\14\0\20................", 20},
		{"\0\3\0\0", 4}, {"\375\351\0\3abc", 7}};
	unsigned option = draw_below(draw, 4 * COUNT(options));

	*variant = (struct variant){.what = "drawn", .flags = draw_percent(draw, 92) ? RD : 0};
	for (size_t i = 0; i < COUNT(flags); i++)
		variant->flags |= draw_percent(draw, 7) ? flags[i] : 0;
	variant->edns = draw_percent(draw, 75);
	variant->size = draw_percent(draw, 60) ? DRAW_ONE(draw, sizes) : 512 + draw_below(draw, 1500);
	variant->version = draw_percent(draw, 2) ? 1 : 0;
	variant->edns_flags = draw_percent(draw, 40) ? FLAG_DO : 0;
	if (option < COUNT(options)) {
		variant->options = options[option].octets;
		variant->options_length = options[option].length;
	}
	variant->spelling = draw_percent(draw, 30) ? SPELLED_MIXED : draw_percent(draw, 10) ? SPELLED_UPPER : SPELLED_AS_WRITTEN;
	variant->tcp = draw_percent(draw, 25);
	variant->v6 = draw_percent(draw, 30);
}

void random_zones_ask(struct random_zones *zones, struct query *query)
{
	const struct random_owner *owner = &zones->owners[draw_below(&zones->draw, (unsigned)zones->owner_count)];
	cleanup_free char *text = asked_name(zones, owner);
	bool another_class = draw_percent(&zones->draw, 1);
	ldns_rdf *name;

	*query = (struct query){.type = asked_type(zones, owner), .class = another_class ? CLASS_CH : MESSAGE_CLASS_IN};
	snprintf(query->name, sizeof(query->name), "%s", text ? text : owner->text);
	name = ldns_dname_new_frm_str(query->name);
	query->unlisted = !is_listed(zones, name);
	ldns_rdf_deep_free(name);
}
