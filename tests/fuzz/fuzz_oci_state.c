/* The OCI state and config.json: the same octets to both parsers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/oci_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oci_state state;
	struct oci_config config;
	struct error error = {0};
	char *json = malloc(size + 1);

	if (!json)
		return 0;
	memcpy(json, data, size);
	json[size] = '\0';
	if (oci_state_parse(&state, json, size, &error) == 0 && (!*state.id || *state.bundle != '/' || state.pid < 0 || error.code))
		abort();
	if (oci_config_parse(&config, json, size, &error) == 0)
		oci_config_check(&config, &error);
	free(json);
	return 0;
}
