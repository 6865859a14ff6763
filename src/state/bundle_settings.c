/* settings.json: whose bundle this is, and what the user decided apart from names and networks. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "state/bundle_parse.h"
#include "state/json.h"

#define SETTINGS_OCTETS_MAX (256u << 10)

#define PROTOCOL_SCTP 132

static const char *const keys[] = {"format", "version", "container", "profiles", "reject", "via", "deny", "audit", "budget_names",
	"budget_octets", "upstreams", "loopback_ports", "host_gateway", "published", "hub", "sum_allowed", "sum_domains", "sum", "ca"};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0])) /* the last is there with servers by TLS only */

void bundle_identity_free(struct bundle_identity *identity)
{
	for (size_t i = 0; i < identity->profile_count; i++)
		free(identity->profiles[i]);
	identity->profile_count = 0;
}

/* ---- checksums ---- */

#define SUM_DIGITS 16
#define SUM_KEY    "\"sum\"" /* the last key: what stands before it is what it is the checksum of */

/* The key is nobody's secret: the checksum is against accidents. */
uint64_t bundle_sum(const void *data, size_t length)
{
	static const struct hash_key key = {UINT64_C(0x7465726f6b2d7368), UINT64_C(0x69656c6420737563)};

	return hash_bytes(&key, data, length);
}

static int sum_take(const struct json *json, const char *key, uint64_t *sum)
{
	const char *text;
	int result = json_string(json, key, &text);

	if (result)
		return result;
	if (strlen(text) != SUM_DIGITS || strspn(text, "0123456789abcdef") != SUM_DIGITS)
		return json_bad(json, key, text, "is no checksum");
	*sum = strtoull(text, NULL, 16);
	return 0;
}

/* How many octets the checksum is of; 0 when there is no key for it. */
static size_t summed_length(const char *data, size_t length)
{
	size_t last = 0;

	for (const char *at = data; (at = memmem(at, length - (size_t)(at - data), SUM_KEY, strlen(SUM_KEY))); at++)
		last = (size_t)(at - data);
	return last;
}

static int sum_check(const struct json *json, const char *data, size_t length)
{
	uint64_t sum = 0;
	int result = sum_take(json, "sum", &sum);

	if (result)
		return result;
	if (sum == bundle_sum(data, summed_length(data, length)))
		return 0;
	return error_set(json->error, EUCLEAN,
		"%s: its checksum is not right: it was damaged or edited; remove the container and run it anew", BUNDLE_SETTINGS);
}

/* ---- writing ---- */

/* cJSON's additions return NULL without memory; `ok` gathers that. */
static void add_strings(cJSON *root, const char *key, char *const *words, size_t count, bool *ok)
{
	cJSON *array = cJSON_AddArrayToObject(root, key);

	*ok = *ok && array;
	for (size_t i = 0; *ok && i < count; i++)
		*ok = cJSON_AddItemToArray(array, cJSON_CreateString(words[i]));
}

static void add_numbered(cJSON *root, const struct settings *settings, bool *ok)
{
	cJSON *upstreams = cJSON_AddArrayToObject(root, "upstreams");
	cJSON *ports = cJSON_AddArrayToObject(root, "loopback_ports");
	cJSON *published = cJSON_AddArrayToObject(root, "published");
	char text[SETTINGS_UPSTREAM_TEXT_MAX];

	*ok = *ok && upstreams && ports && published;
	for (size_t i = 0; *ok && i < settings->upstream_count; i++)
		*ok = cJSON_AddItemToArray(upstreams, cJSON_CreateString(settings_upstream_format(&settings->upstreams[i], text)));
	for (size_t i = 0; *ok && i < settings->loopback_port_count; i++) {
		snprintf(text, sizeof(text), "%u", settings->loopback_ports[i]);
		*ok = cJSON_AddItemToArray(ports, cJSON_CreateString(text));
	}
	for (size_t i = 0; *ok && i < settings->published_count; i++) {
		const struct settings_published *range = &settings->published[i];

		snprintf(text, sizeof(text), "%u-%u/%u", range->first, range->last, range->protocol);
		*ok = cJSON_AddItemToArray(published, cJSON_CreateString(text));
	}
}

/* The checksums, their own zero as yet. */
static void add_sums(cJSON *root, const struct bundle_sums *sums, bool *ok)
{
	char allowed[SUM_DIGITS + 1], domains[SUM_DIGITS + 1];

	snprintf(allowed, sizeof(allowed), "%016" PRIx64, sums->allowed);
	snprintf(domains, sizeof(domains), "%016" PRIx64, sums->domains);
	*ok = *ok && cJSON_AddStringToObject(root, "sum_allowed", allowed) && cJSON_AddStringToObject(root, "sum_domains", domains) &&
	      cJSON_AddStringToObject(root, "sum", "0000000000000000");
}

static void sum_put(char *printed)
{
	size_t length = summed_length(printed, strlen(printed));
	char digits[SUM_DIGITS + 1];

	snprintf(digits, sizeof(digits), "%016" PRIx64, bundle_sum(printed, length));
	memcpy(strchr(printed + length, '0'), digits, SUM_DIGITS);
}

static char *settings_print(const struct bundle_identity *identity, const struct bundle_sums *sums, const struct settings *settings)
{
	cJSON *root = cJSON_CreateObject();
	char gateway[ADDR_TEXT_MAX] = "";
	char *printed = NULL;
	bool ok = root && cJSON_AddNumberToObject(root, "format", BUNDLE_FORMAT) &&
		  cJSON_AddStringToObject(root, "version", identity->version) &&
		  cJSON_AddStringToObject(root, "container", identity->container);

	if (ok && settings->host_gateway.family)
		addr_format(&settings->host_gateway, gateway);
	if (ok)
		add_strings(root, "profiles", identity->profiles, identity->profile_count, &ok);
	ok = ok && cJSON_AddStringToObject(root, "reject", settings_reject_name(settings->reject)) &&
	     cJSON_AddStringToObject(root, "via", settings_via_name(settings->via)) &&
	     cJSON_AddStringToObject(root, "deny", settings_deny_name(settings->deny)) &&
	     cJSON_AddBoolToObject(root, "audit", settings->audit) &&
	     cJSON_AddNumberToObject(root, "budget_names", settings->budget_names) &&
	     cJSON_AddNumberToObject(root, "budget_octets", settings->budget_octets) &&
	     cJSON_AddStringToObject(root, "host_gateway", gateway);
	if (ok)
		add_numbered(root, settings, &ok);
	ok = ok && cJSON_AddStringToObject(root, "hub", settings->hub) &&
	     (!settings_use_tls(settings) || cJSON_AddStringToObject(root, "ca", settings->ca));
	if (ok)
		add_sums(root, sums, &ok);
	if (ok)
		printed = cJSON_Print(root);
	if (printed)
		sum_put(printed);
	cJSON_Delete(root);
	return printed;
}

/* Of a profile list that was not staged: the one that is there. One that is missing is the hook's to refuse. */
static int sum_of_file(const struct bundle *bundle, enum bundle_list list, uint64_t *sum, struct error *error)
{
	cleanup_free char *data = NULL;
	struct error unread = {0};
	size_t length;
	int result = bundle_read(bundle, bundle_list_file(list), BUNDLE_LIST_MAX, &data, &length, &unread);

	if (result && result != -ENOENT)
		return error_set(error, unread.code, "%s", unread.text);
	*sum = result ? bundle_sum("", 0) : bundle_sum(data, length);
	return 0;
}

int bundle_stage_add_settings(
	struct bundle_stage *stage, const struct bundle_identity *identity, const struct settings *settings, struct error *error)
{
	cleanup_free char *printed = NULL;
	struct bundle_identity identity_back = {0};
	struct settings settings_back;
	int result = 0;

	if (!stage->has_allowed)
		result = sum_of_file(stage->bundle, BUNDLE_PROFILE_ALLOWED, &stage->sums.allowed, error);
	if (!result && !stage->has_domains)
		result = sum_of_file(stage->bundle, BUNDLE_PROFILE_DOMAINS, &stage->sums.domains, error);
	if (result)
		return result;
	printed = settings_print(identity, &stage->sums, settings);
	if (!printed)
		return error_errno(error, ENOMEM, "%s", BUNDLE_SETTINGS);
	/* What the hook would refuse must fail here, where the user sees it. */
	result = bundle_settings_parse(printed, strlen(printed), &identity_back, &settings_back, error);
	bundle_identity_free(&identity_back);
	return result ? result : bundle_stage_add(stage, BUNDLE_SETTINGS, printed, strlen(printed), error);
}

int bundle_settings_write(
	const struct bundle *bundle, const struct bundle_identity *identity, const struct settings *settings, struct error *error)
{
	cleanup_bundle_stage struct bundle_stage stage = {.bundle = bundle};
	int result = bundle_stage_add_settings(&stage, identity, settings, error);

	return result ? result : bundle_stage_commit(&stage, error);
}

/* ---- reading ---- */

/* Decimal digits only, no sign, no zero in front; moves *text behind them. */
static bool number_take(const char **text, unsigned max, unsigned *number)
{
	const char *digit = *text;
	unsigned value = 0;

	if (*digit == '0' && digit[1] >= '0' && digit[1] <= '9')
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (unsigned)(*digit - '0');
		if (value > max)
			return false;
	}
	if (digit == *text)
		return false;
	*text = digit;
	*number = value;
	return true;
}

static int read_profile(const struct json *json, const char *value, void *context)
{
	struct bundle_identity *identity = context;

	if (!bundle_name_is_safe(value))
		return json_bad(json, "profiles", value, "is no profile's name");
	identity->profiles[identity->profile_count] = strdup(value);
	if (!identity->profiles[identity->profile_count])
		return error_errno(json->error, ENOMEM, "%s", json->file);
	identity->profile_count++;
	return 0;
}

static int read_upstream(const struct json *json, const char *value, void *context)
{
	struct settings *settings = context;
	struct settings_upstream *upstream = &settings->upstreams[settings->upstream_count];

	if (settings_upstream_parse(upstream, value))
		return json_bad(json, "upstreams", value, "is neither an address with a port nor tls:// with a name");
	if (settings->upstream_count++ && settings_use_tls(settings) != (*upstream->tls_name != '\0'))
		return json_bad(json, "upstreams", value, "is not of the kind of those before it");
	return 0;
}

static int read_loopback_port(const struct json *json, const char *value, void *context)
{
	struct settings *settings = context;
	const char *text = value;
	unsigned port;

	if (!number_take(&text, UINT16_MAX, &port) || *text != '\0' || port == 0)
		return json_bad(json, "loopback_ports", value, "is no port");
	settings->loopback_ports[settings->loopback_port_count++] = (uint16_t)port;
	return 0;
}

static int read_published(const struct json *json, const char *value, void *context)
{
	struct settings *settings = context;
	const char *text = value;
	unsigned first, last, protocol;

	if (!number_take(&text, UINT16_MAX, &first) || *text++ != '-' || !number_take(&text, UINT16_MAX, &last) || *text++ != '/' ||
		!number_take(&text, UINT8_MAX, &protocol) || *text != '\0' || first == 0 || first > last ||
		(protocol != RULE_TCP && protocol != RULE_UDP && protocol != PROTOCOL_SCTP))
		return json_bad(json, "published", value, "is no range of ports with a protocol");
	settings->published[settings->published_count++] =
		(struct settings_published){.first = (uint16_t)first, .last = (uint16_t)last, .protocol = (uint8_t)protocol};
	return 0;
}

static int read_identity(const struct json *json, struct bundle_identity *identity)
{
	const char *container, *version;
	int result;

	if ((result = json_string(json, "container", &container)) || (result = json_string(json, "version", &version)))
		return result;
	if (!bundle_name_is_safe(container))
		return json_bad(json, "container", container, "is no container's name");
	if (!bundle_name_is_safe(version) || strlen(version) >= sizeof(identity->version))
		return json_bad(json, "version", version, "is no version");
	snprintf(identity->container, sizeof(identity->container), "%s", container);
	snprintf(identity->version, sizeof(identity->version), "%s", version);
	return json_strings(json, "profiles", BUNDLE_PROFILES_MAX, read_profile, identity);
}

static int read_budget(const struct json *json, struct settings *settings)
{
	uint64_t names, octets;
	int result;

	if ((result = json_number(json, "budget_names", SETTINGS_BUDGET_MAX, &names)) ||
		(result = json_number(json, "budget_octets", SETTINGS_BUDGET_MAX, &octets)))
		return result;
	settings->budget_names = (unsigned)names;
	settings->budget_octets = (unsigned)octets;
	return 0;
}

static int read_words(const struct json *json, struct settings *settings)
{
	const char *reject, *via, *deny, *gateway;
	int result;

	if ((result = json_string(json, "reject", &reject)) || (result = json_string(json, "via", &via)) ||
		(result = json_string(json, "deny", &deny)) || (result = json_string(json, "host_gateway", &gateway)) ||
		(result = json_bool(json, "audit", &settings->audit)))
		return result;
	if (settings_reject_parse(&settings->reject, reject))
		return json_bad(json, "reject", reject, "is neither icmp nor reset");
	/* `auto` is settled before the bundle is written. */
	if (settings_via_parse(&settings->via, via) || settings->via == SETTINGS_VIA_AUTO)
		return json_bad(json, "via", via, "is neither host nor container");
	if (settings_deny_parse(&settings->deny, deny))
		return json_bad(json, "deny", deny, "is neither nxdomain nor refused");
	if (gateway[0] != '\0' && addr_parse(&settings->host_gateway, gateway, strlen(gateway)))
		return json_bad(json, "host_gateway", gateway, "is no address");
	return 0;
}

static int read_hub(const struct json *json, struct settings *settings)
{
	const char *hub;
	int result = json_string(json, "hub", &hub);

	if (result)
		return result;
	if (*hub && *hub != '/')
		return json_bad(json, "hub", hub, "is no absolute path");
	if (strlen(hub) >= sizeof(settings->hub))
		return json_bad(json, "hub", hub, "is too long for a socket's path");
	strcpy(settings->hub, hub);
	return 0;
}

static int read_ca(const struct json *json, struct settings *settings)
{
	const char *ca = settings->ca;
	int result = settings_use_tls(settings) ? json_string(json, "ca", &ca) : 0;

	if (result)
		return result;
	if (*ca != '/' || strlen(ca) >= sizeof(settings->ca))
		return json_bad(json, "ca", ca, "is no absolute path, or too long");
	if (ca != settings->ca)
		strcpy(settings->ca, ca);
	return 0;
}

int bundle_settings_parse(const char *data, size_t length, struct bundle_identity *identity, struct settings *settings, struct error *error)
{
	cleanup_json struct json json = {0};
	uint64_t format;
	int result = json_open(&json, BUNDLE_SETTINGS, data, length, error);

	*identity = (struct bundle_identity){0};
	settings_init(settings);
	/* The format comes before the keys: another one has others. */
	if (result || (result = json_number(&json, "format", JSON_NUMBER_MAX, &format)))
		return result;
	if (format != BUNDLE_FORMAT)
		return error_set(error, EPROTO,
			"%s: it has format %llu, this program reads %d: it was written by another version of terok-shield; "
			"remove the container and run it anew",
			BUNDLE_SETTINGS, (unsigned long long)format, BUNDLE_FORMAT);
	if ((result = json_check_keys(&json, keys, KEY_COUNT - !json_has(&json, "ca"))) || (result = read_identity(&json, identity)) ||
		(result = read_words(&json, settings)) || (result = read_budget(&json, settings)) ||
		(result = json_strings(&json, "upstreams", SETTINGS_UPSTREAMS_MAX, read_upstream, settings)) ||
		(result = json_strings(&json, "loopback_ports", SETTINGS_PORTS_MAX, read_loopback_port, settings)) ||
		(result = json_strings(&json, "published", SETTINGS_PUBLISHED_MAX, read_published, settings)) ||
		(result = read_hub(&json, settings)) || (result = read_ca(&json, settings)) || (result = sum_take(&json, "sum_allowed", &identity->sums.allowed)) ||
		(result = sum_take(&json, "sum_domains", &identity->sums.domains)))
		return result;
	return sum_check(&json, data, length);
}

int bundle_settings_read(const struct bundle *bundle, struct bundle_identity *identity, struct settings *settings, struct error *error)
{
	cleanup_free char *data = NULL;
	size_t length;
	int result;

	*identity = (struct bundle_identity){0};
	settings_init(settings);
	result = bundle_read(bundle, BUNDLE_SETTINGS, SETTINGS_OCTETS_MAX, &data, &length, error);
	if (result == -ENOENT)
		return error_set(error, ENOENT,
			"%s is missing: a `run` or an `rm` was interrupted, or the folder is of an older tool; run the container anew",
			BUNDLE_SETTINGS);
	if (!result)
		result = bundle_settings_parse(data, length, identity, settings, error);
	if (result == -EINVAL && error)
		return error_set(error, EINVAL, "%s; it was damaged or edited: remove the container and run it anew", error->text);
	return result;
}
