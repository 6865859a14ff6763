/* What a --network flag of the user means for the shield. */
#include "cli/network.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/podman.h"

/* The value of an option in "MODE:OPTION,OPTION=VALUE", behind a separator; NULL when it is not there. */
static const char *mode_option(const char *network, const char *option, char separator)
{
	size_t length = strlen(option);
	for (const char *at = strchr(network, ':'); at; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, option, length) == 0 && at[1 + length] == separator)
			return at + 2 + length;
	}
	return NULL;
}

void network_gateway(const char *network, struct addr *gateway)
{
	const char *value = NULL;
	if (strncmp(network, "slirp4netns:", 12) == 0) {
		const char *allowed = mode_option(network, "allow_host_loopback", '=');
		if (allowed && strncmp(allowed, "true", 4) == 0 && !mode_option(network, "cidr", '='))
			value = "10.0.2.2";
	} else if (strncmp(network, "pasta:", 6) == 0) {
		value = mode_option(network, "--map-host-loopback", ',');
		if (!value)
			value = mode_option(network, "--map-host-loopback", '=');
	}
	struct addr parsed;
	if (value && addr_parse(&parsed, value, strcspn(value, ",")) == 0)
		*gateway = parsed;
}

bool network_name(const char *value, char name[256])
{
	static const char *const modes[] = {"", "none", "bridge", "private", "default", "pasta", "slirp4netns"};
	size_t length = strcspn(value, ":,");
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strlen(modes[i]) == length && strncmp(modes[i], value, length) == 0)
			return false;
	}
	if (length >= 256)
		return false;
	memcpy(name, value, length);
	name[length] = '\0';
	return true;
}

static int gateways_add(const cJSON *network, struct settings *settings, struct error *error)
{
	const cJSON *subnet;
	cJSON_ArrayForEach(subnet, cJSON_GetObjectItemCaseSensitive(network, "subnets"))
	{
		const cJSON *gateway = cJSON_GetObjectItemCaseSensitive(subnet, "gateway");
		struct addr_endpoint upstream = {.port = 53};
		if (!cJSON_IsString(gateway) || addr_parse(&upstream.addr, gateway->valuestring, strlen(gateway->valuestring)))
			continue; /* an internal network may have none */
		if (settings->via != SETTINGS_VIA_CONTAINER) {
			settings->via = SETTINGS_VIA_CONTAINER;
			settings->upstream_count = 0;
		}
		if (settings->upstream_count == SETTINGS_UPSTREAMS_MAX)
			return error_set(error, EINVAL, "the networks have more than %d name servers", SETTINGS_UPSTREAMS_MAX);
		settings->upstreams[settings->upstream_count++].endpoint = upstream;
	}
	return 0;
}

int network_resolvers_parse(const char *json, struct settings *settings, struct error *error)
{
	cJSON *networks = cJSON_Parse(json);
	const cJSON *network;
	int rc = cJSON_IsArray(networks) ? 0 : error_set(error, EPROTO, "podman network inspect prints no JSON array");
	if (rc == 0 && cJSON_GetArraySize(networks) == 0)
		rc = error_set(error, ENOENT, "network not found");
	cJSON_ArrayForEach(network, networks)
	{
		if (rc == 0 && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(network, "dns_enabled")))
			rc = gateways_add(network, settings, error);
	}
	cJSON_Delete(networks);
	return rc;
}

int network_resolvers(const char *value, struct settings *settings, struct error *error)
{
	char name[256], path[PATH_MAX], shown[160];
	if (!network_name(value, name))
		return 0;
	if (podman_find_program("podman", path))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	cleanup_free char *json = NULL;
	int rc = podman_capture((char *[]){path, "network", "inspect", "--", name, NULL}, &json, error);
	if (!rc)
		rc = network_resolvers_parse(json, settings, error);
	if (rc)
		error_prefix(error, "cannot find out about network '%s' (`podman network ls` lists those there are)",
			text_escaped(shown, sizeof(shown), name));
	return rc;
}
