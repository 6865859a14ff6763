/* Where the other programs are. */
#include "hook/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

int program_beside(char path[PATH_MAX], const char *name, struct error *error)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return error_errno(error, errno, "cannot read /proc/self/exe");
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash + 1 - path) + strlen(name) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of this program is too long");
	strcpy(slash + 1, name);
	if (access(path, X_OK) != 0)
		return error_errno(error, errno, "%s is missing or cannot be executed, install terok-shield again",
			text_escaped((char[512]){0}, 512, path));
	return 0;
}
