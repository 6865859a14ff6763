/* terok-shield-node: called by the runtime shim when containerd or CRI-O create a container. Prints the path of the sandbox's bundle. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/node.h"

#define DEADLINE_S 10

/* Nothing of the caller's reaches what is read and written here. */
static int environment_settle(struct error *error)
{
	int null_fd;

	do
		null_fd = open("/dev/null", O_RDWR); /* for the standard streams that are closed */
	while (null_fd >= 0 && null_fd <= STDERR_FILENO);
	if (null_fd < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) != 0 || clearenv() != 0)
		return error_errno(error, errno, "cannot settle the environment");
	umask(077);
	alarm(DEADLINE_S);
	if (geteuid() != 0)
		return error_set(error, EPERM, "pods are root's to shield");
	return 0;
}

/* Of this installation: ../../share/terok-shield/profiles, or in a build tree, where programs are in bin/, ../share/... */
static int bundled_find(char path[PATH_MAX], struct error *error)
{
	static const char *const places[] = {"../../share/terok-shield/profiles", "../share/terok-shield/profiles"};
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	size_t folder;

	if (length < 0)
		return error_errno(error, errno, "cannot read /proc/self/exe");
	path[length] = '\0';
	folder = (size_t)(strrchr(path, '/') + 1 - path);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (folder + strlen(places[i]) >= PATH_MAX)
			break;
		strcpy(path + folder, places[i]);
		if (access(path, F_OK) == 0)
			return 0;
	}
	return error_set(error, ENOENT, "the installation is not complete: there is no %s", places[0]);
}

static int options_read(struct node_order *order, int count, char *const words[], struct error *error)
{
	for (int i = 0; i < count; i += 2) {
		const char **value = strcmp(words[i], "--profiles") == 0 ? &order->profiles
				     : strcmp(words[i], "--ports") == 0  ? &order->ports
									 : NULL;

		if (!value || i + 1 == count)
			return error_set(error, EINVAL, "called with options that are not known: install terok-shield again");
		*value = words[i + 1];
	}
	return 0;
}

int main(int argc, char **argv)
{
	char bundled[PATH_MAX], path[PATH_MAX];
	struct node_paths paths = {.config = NODE_CONFIG, .state = NODE_STATE, .bundled = bundled, .owner = 0};
	struct node_order order = {0};
	struct error error = {0};
	bool make = argc >= 3 && strcmp(argv[1], "make") == 0;
	int rc;

	if (!make && (argc != 3 || strcmp(argv[1], "check") != 0)) {
		fputs("usage: terok-shield-node make SANDBOX [--profiles NAMES] [--ports PORTS] | check SANDBOX\n", stderr);
		return 2;
	}
	order.sandbox = argv[2];
	rc = environment_settle(&error);
	if (!rc)
		rc = bundled_find(bundled, &error);
	if (!rc)
		rc = options_read(&order, argc - 3, argv + 3, &error);
	if (!rc)
		rc = make ? node_make(&paths, &order, path, &error) : node_check(&paths, order.sandbox, path, &error);
	if (rc) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	puts(path);
	return fflush(stdout) == 0 ? 0 : 1;
}
