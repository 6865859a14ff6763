/* config.yml from a hostile hand: config_parse() takes it or says where it is wrong. */
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct error error = {0};
	int result = config_parse(&config, "fuzz", (const char *)data, size, &error);

	if ((result != 0) != (error.code != 0) || config.settings.loopback_port_count > SETTINGS_PORTS_MAX ||
		config.settings.upstream_count > SETTINGS_UPSTREAMS_MAX)
		abort();
	config_free(&config);
	return 0;
}
