/* Zones with everything that a resolver may be asked for, and the servers that serve them. */
#include "zones.h"

#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <errno.h>
#include <ldns/ldns.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PATH_SIZE 512
#define SIGNED_FROM_S (-3600)
#define SIGNED_UNTIL_S 86400
#define NSD "/usr/sbin/nsd"
#define NAMED "/usr/sbin/named"
#define DNSMASQ "/usr/sbin/dnsmasq"
#define UNBOUND "/usr/sbin/unbound"

const char *const zones_origins[] = {"zone.test", "signed.test", "signed3.test", "other.test", NULL};

/* ---- names ---- */

static char *octets_add(char *at, size_t count, char octet)
{
	memset(at, octet, count);
	at[count] = '\0';
	return at + count;
}

void zones_name_of_63(char *text)
{
	octets_add(text, 63, 'l');
}

/* Labels of x and no more than 63 octets that fill `wire` octets, lengths counted. */
static char *labels_add(char *at, size_t wire)
{
	while (wire > 64) {
		size_t size = wire - 64 == 1 ? 62 : 63; /* no label of nothing at the end */

		at = octets_add(at, size, 'x');
		*at++ = '.';
		wire -= size + 1;
	}
	return octets_add(at, wire - 1, 'x');
}

void zones_name_of_255(char *text, const char *origin)
{
	labels_add(text, 255 - (strlen(origin) + 2));
}

/* `dn` is replaced by `tree.of.names`, which is longer. */
void zones_name_overflows(char *text, const char *origin)
{
	char *at = labels_add(text, 255 - (strlen(origin) + 2) - 3);

	strcpy(at, ".dn");
}

/* ---- zones ---- */

static const char head[] = "$TTL 3600\n"
			   "@ IN SOA ns hostmaster 1 7200 3600 1209600 300\n"
			   "@ IN NS ns\n"
			   "@ IN NS ns2\n";

static const char body[] =
	"@ IN MX 10 mail\n"
	"@ IN CAA 0 issue \"ca.example.net\"\n"
	"ns IN A 198.51.100.1\n"
	"ns IN AAAA 2001:db8::1\n"
	"ns2 IN A 198.51.100.2\n"
	"a IN A 198.51.100.10\n"
	"aaaa IN AAAA 2001:db8::10\n"
	"both IN A 198.51.100.11\n"
	"both IN AAAA 2001:db8::11\n"
	"week 604800 IN A 198.51.100.12\n"
	"zero 0 IN A 198.51.100.13\n"
	"MiXeD IN A 198.51.100.14\n"
	"under_score IN A 198.51.100.15\n"
	/* aliases */
	"chain1 IN CNAME chain2\n"
	"chain2 60 IN CNAME chain3\n"
	"chain3 IN CNAME both\n"
	"away IN CNAME host.other.test.\n"
	"dangling IN CNAME nowhere\n"
	"out IN CNAME www.elsewhere.example.\n"
	"towild IN CNAME some.wild\n"
	"loop1 IN CNAME loop2\n"
	"loop2 IN CNAME loop1\n"
	"dn IN DNAME tree.of.names\n"
	"x.tree.of.names IN A 198.51.100.16\n"
	"x.tree.of.names IN AAAA 2001:db8::16\n"
	"alias.tree.of.names IN CNAME both\n"
	/* types */
	"mail IN A 198.51.100.17\n"
	"mx IN MX 10 mail\n"
	"mx IN MX 20 mail.other.test.\n"
	"_sip._tcp IN SRV 0 5 5060 both\n"
	"_none._tcp IN SRV 0 0 0 .\n"
	"txt IN TXT \"hello\"\n"
	"txts IN TXT \"v=spf1 -all\"\n"
	"txts IN TXT \"two\" \"strings\" \"\"\n"
	"octets IN TXT \"\\000\\001\\255 \\\"quoted\\\" \\\\ ;\"\n"
	"svc IN HTTPS 1 . alpn=h2,h3 ipv4hint=198.51.100.18 ipv6hint=2001:db8::18\n"
	"svcalias IN HTTPS 0 both\n"
	"svcport IN HTTPS 1 both alpn=h2 port=8443\n"
	"svcinside IN HTTPS 1 . alpn=h2 ipv4hint=10.0.0.1\n"
	"_dns IN SVCB 1 both alpn=dot port=853 ipv4hint=198.51.100.19\n"
	"caa IN CAA 128 issuewild \";\"\n"
	"_443._tcp IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	"sshfp IN SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
	"naptr IN NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:x@y!\" .\n"
	"naptr IN NAPTR 100 20 \"s\" \"SIP+D2U\" \"\" _sip._tcp\n"
	"ptr IN PTR both\n"
	"loc IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m\n"
	"uri IN URI 10 1 \"https://www.example.net/path\"\n"
	"hinfo IN HINFO \"PDP-11\" \"UNIX\"\n"
	"rp IN RP admin.other.test. txt\n"
	"afsdb IN AFSDB 1 both\n"
	"cert IN CERT 1 2 3 AQIDBA==\n"
	"unknown IN TYPE65280 \\# 6 0a0000000102\n"
	"unknownempty IN TYPE65281 \\# 0\n"
	/* wildcards, empty non-terminals */
	"*.wild IN A 198.51.100.20\n"
	"*.wild IN TXT \"wild\"\n"
	"known.wild IN A 198.51.100.21\n"
	"*.wildalias IN CNAME both\n"
	"deep.b.ent IN A 198.51.100.22\n"
	/* labels */
	"dot\\.in IN A 198.51.100.23\n"
	"blank\\032in IN A 198.51.100.24\n"
	"nul\\000in IN A 198.51.100.25\n"
	"high\\255\\128 IN A 198.51.100.26\n"
	"back\\\\slash IN A 198.51.100.27\n"
	/* inside addresses */
	"inside IN A 10.1.2.3\n"
	"inside IN AAAA fd00::1\n"
	"partly IN A 198.51.100.28\n"
	"partly IN A 192.168.1.1\n"
	"metadata IN A 169.254.169.254\n"
	"loopback IN A 127.0.0.1\n"
	"mapped IN AAAA ::ffff:10.0.0.1\n"
	/* delegations */
	"deleg IN NS ns.deleg\n"
	"ns.deleg IN A 198.51.100.29\n"
	"secure IN NS ns.other.test.\n"
	"secure IN DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

static const char other_body[] = "host IN A 203.0.113.10\n"
				 "host IN AAAA 2001:db8:1::10\n"
				 "mail IN A 203.0.113.11\n"
				 "ns IN A 203.0.113.1\n"
				 "ns2 IN A 203.0.113.2\n";

/* The records that are made in numbers. */
static void many_write(FILE *to, const char *origin)
{
	char text[ZONES_NAME_MAX];

	zones_name_of_63(text);
	fprintf(to, "%s IN A 198.51.100.30\n", text);
	zones_name_of_255(text, origin);
	if (strcmp(origin, "signed3.test")) /* NSD 4.6 dies of the wildcard below it, whose hash it wants */
		fprintf(to, "%s IN A 198.51.100.31\n", text);
	for (unsigned i = 1; i <= ZONES_CHAIN_LONG; i++)
		fprintf(to, "c%u IN CNAME c%u\n", i, i + 1);
	fprintf(to, "c%u IN A 198.51.100.32\n", ZONES_CHAIN_LONG + 1);
	for (unsigned i = 1; i <= 40; i++)
		fprintf(to, "many IN A 203.0.113.%u\n", i);
	for (unsigned i = 1; i <= 100; i++) /* as many of one kind as BIND takes */
		fprintf(to, "huge IN A 203.0.113.%u\n", i);
	for (unsigned i = 1; i <= 12; i++) {
		octets_add(text, 200, 'a' + (char)i);
		fprintf(to, "long IN TXT \"%s\" \"%s\"\n", text, text);
	}
}

static const char *plain_write(const char *path, const char *origin)
{
	cleanup_stream FILE *to = fopen(path, "we");

	if (!to)
		return "a zone file could not be written";
	fprintf(to, "$ORIGIN %s.\n%s", origin, head);
	if (!strcmp(origin, "other.test")) {
		fputs(other_body, to);
		return NULL;
	}
	fputs(body, to);
	many_write(to, origin);
	return NULL;
}

const char *zones_sign(const char *path, const char *origin, bool nsec3)
{
	static uint8_t salt[] = {0xab, 0xcd};
	cleanup_stream FILE *file = fopen(path, "r+e");
	ldns_rdf *name = ldns_dname_new_frm_str(origin);
	ldns_rr_list *added = ldns_rr_list_new();
	ldns_key_list *keys = ldns_key_list_new();
	ldns_key *key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 256);
	ldns_dnssec_zone *zone = NULL;
	ldns_rr *key_record;

	if (!file || !key || ldns_dnssec_zone_new_frm_fp(&zone, file, name, 3600, LDNS_RR_CLASS_IN) != LDNS_STATUS_OK)
		return "a zone could not be read again for signing";
	ldns_key_set_pubkey_owner(key, ldns_rdf_clone(name));
	ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY);
	ldns_key_set_inception(key, (uint32_t)(time(NULL) + SIGNED_FROM_S));
	ldns_key_set_expiration(key, (uint32_t)(time(NULL) + SIGNED_UNTIL_S));
	key_record = ldns_key2rr(key);
	ldns_rr_set_ttl(key_record, 3600);
	ldns_key_set_keytag(key, ldns_calc_keytag(key_record));
	ldns_key_list_push_key(keys, key);
	ldns_dnssec_zone_add_rr(zone, key_record);
	ldns_dnssec_zone_mark_glue(zone);
	if (nsec3 ? ldns_dnssec_zone_sign_nsec3(zone, added, keys, ldns_dnssec_default_replace_signatures, NULL, LDNS_SHA1, 0, 1, sizeof(salt), salt)
		  : ldns_dnssec_zone_sign(zone, added, keys, ldns_dnssec_default_replace_signatures, NULL))
		return "a zone could not be signed";
	rewind(file);
	if (ftruncate(fileno(file), 0))
		return "a signed zone could not be written";
	ldns_dnssec_zone_print(file, zone);
	ldns_dnssec_zone_deep_free(zone); /* with the records that were added */
	ldns_rr_list_free(added);
	ldns_key_list_free(keys);
	ldns_rdf_deep_free(name);
	return NULL;
}

const char *zones_write(const char *folder)
{
	for (const char *const *origin = zones_origins; *origin; origin++) {
		char path[PATH_SIZE];
		const char *wrong;

		snprintf(path, sizeof(path), "%s/%s", folder, *origin);
		wrong = plain_write(path, *origin);
		if (!wrong && !strncmp(*origin, "signed", 6))
			wrong = zones_sign(path, *origin, (*origin)[6] == '3');
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* ---- servers ---- */

const char *zones_missing(void)
{
	static const char *const programs[] = {NSD, NAMED, DNSMASQ, UNBOUND};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK))
			return programs[i];
	return NULL;
}

static FILE *settings_open(const char *folder, const char *name, char path[PATH_SIZE])
{
	FILE *to;

	snprintf(path, PATH_SIZE, "%s/%s.conf", folder, name);
	to = fopen(path, "we");
	if (!to)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return to;
}

/* The child's words go to FOLDER/NAME.log. */
static pid_t start(const char *folder, const char *name, const char *const arguments[])
{
	char log[PATH_SIZE];
	pid_t child;

	snprintf(log, sizeof(log), "%s/%s.log", folder, name);
	child = fork();
	if (child)
		return child < 0 ? -errno : child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen(log, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		_exit(126);
	execv(arguments[0], (char *const *)arguments);
	_exit(127);
}

static pid_t nsd_start(const char *folder, uint16_t port, const char *const *origins)
{
	char path[PATH_SIZE];
	cleanup_stream FILE *to = settings_open(folder, "nsd", path);
	const char *const arguments[] = {NSD, "-d", "-c", path, NULL};

	if (!to)
		return -EIO;
	fprintf(to,
		"server:\n\tip-address: 127.0.0.1@%u\n\tip-address: ::1@%u\n\tserver-count: 1\n\tusername: \"\"\n\tchroot: \"\"\n\tpidfile: \"\"\n\tdatabase: \"\"\n"
		"\tzonesdir: \"%s\"\n\tzonelistfile: \"%s/nsd.list\"\n\txfrdfile: \"%s/nsd.xfrd\"\n\txfrdir: \"%s\"\n\trrl-ratelimit: 0\n\trefuse-any: no\n\tminimal-responses: no\n"
		"remote-control:\n\tcontrol-enable: no\n",
		port, port, folder, folder, folder, folder);
	for (; *origins; origins++)
		fprintf(to, "zone:\n\tname: %s\n\tzonefile: %s\n", *origins, *origins);
	fflush(to);
	return start(folder, "nsd", arguments);
}

static pid_t bind_start(const char *folder, uint16_t port, const char *const *origins)
{
	char path[PATH_SIZE];
	cleanup_stream FILE *to = settings_open(folder, "named", path);
	const char *const arguments[] = {NAMED, "-g", "-n", "1", "-c", path, NULL};

	if (!to)
		return -EIO;
	fprintf(to,
		"options {\n\tdirectory \"%s\";\n\tlisten-on port %u { 127.0.0.1; };\n\tlisten-on-v6 port %u { ::1; };\n\trecursion no;\n\tpid-file none;\n\tsession-keyfile none;\n"
		"\tminimal-responses no;\n\tallow-transfer { none; };\n\tcheck-names primary ignore;\n\tdnssec-validation no;\n\tnotify no;\n\tmanaged-keys-directory \"%s\";\n};\n"
		"controls { };\n",
		folder, port, port, folder);
	for (; *origins; origins++)
		fprintf(to, "zone \"%s\" { type primary; file \"%s\"; };\n", *origins, *origins);
	fflush(to);
	return start(folder, "named", arguments);
}

pid_t zones_server_start(enum zones_server server, const char *folder, uint16_t port, const char *const *origins)
{
	return server == ZONES_NSD ? nsd_start(folder, port, origins) : bind_start(folder, port, origins);
}

pid_t zones_dnsmasq_start(const char *folder, uint16_t port, uint16_t upstream_port)
{
	char path[PATH_SIZE];
	cleanup_stream FILE *to = settings_open(folder, "dnsmasq", path);
	const char *const arguments[] = {DNSMASQ, "-k", "-C", path, NULL};

	if (!to)
		return -EIO;
	fprintf(to,
		"no-resolv\nno-hosts\nserver=127.0.0.1#%u\nport=%u\nlisten-address=127.0.0.1,::1\nbind-interfaces\nuser=root\npid-file=\nlog-facility=-\n"
		"edns-packet-max=1232\nproxy-dnssec\n",
		upstream_port, port);
	fflush(to);
	return start(folder, "dnsmasq", arguments);
}

pid_t zones_unbound_start(const char *folder, uint16_t port, uint16_t upstream_port)
{
	char path[PATH_SIZE];
	cleanup_stream FILE *to = settings_open(folder, "unbound", path);
	const char *const arguments[] = {UNBOUND, "-d", "-c", path, NULL};

	if (!to)
		return -EIO;
	fprintf(to,
		"server:\n\tinterface: 127.0.0.1@%u\n\tinterface: ::1@%u\n\tusername: \"\"\n\tchroot: \"\"\n\tdirectory: \"%s\"\n\tpidfile: \"\"\n\tuse-syslog: no\n\tlogfile: \"\"\n"
		"\tnum-threads: 1\n\tmodule-config: \"iterator\"\n\tdo-not-query-localhost: no\n\tminimal-responses: no\n\trrset-roundrobin: no\n\tlocal-zone: \"test.\" nodefault\n"
		"forward-zone:\n\tname: \".\"\n\tforward-addr: 127.0.0.1@%u\nremote-control:\n\tcontrol-enable: no\n",
		port, port, folder, upstream_port);
	fflush(to);
	return start(folder, "unbound", arguments);
}

void zones_stop(pid_t process)
{
	if (process <= 0)
		return;
	kill(process, SIGKILL);
	waitpid(process, NULL, 0);
}
