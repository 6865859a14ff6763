/* What the shield asks of a container: see admit.h. */
#include "hook/admit.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define SHOWN(string) text_escaped((char[256]){0}, 256, string)

int admit_container(struct oci_config *config, const char *folder, struct error *error)
{
	cleanup_fd int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *json = NULL;
	size_t length;
	int rc;

	if (folder_fd < 0)
		return error_errno(error, errno, "cannot open the runtime's folder %s", SHOWN(folder));
	rc = file_read(folder_fd, "config.json", OCI_CONFIG_MAX, &json, &length);
	if (rc)
		return error_errno(
			error, -rc, "cannot read %s/config.json, by which the container's capabilities are checked", SHOWN(folder));
	rc = oci_config_parse(config, json, length, error);
	return rc ? rc : oci_config_check(config, error);
}
