/* terok-shield-runtime: see hook/runtime.h. Installed with links crun, runc and youki to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hook/runtime.h"
#include "hook/runtime_kubernetes.h"
#include "hook/runtime_verify.h"

static int shield_and_find(struct runtime_call *call, int argc, char *const argv[], char path[PATH_MAX], struct error *error)
{
	bool kubernetes = runtime_is_called_in(argv[0], "kubernetes");
	const char *slash = strrchr(argv[0], '/');
	int rc = runtime_call_parse(call, argc, argv, error);

	if (!rc)
		rc = runtime_find(slash ? slash + 1 : argv[0], kubernetes ? runtime_kubernetes_folders : NULL, path, error);
	if (!rc && kubernetes)
		return runtime_kubernetes(call, argc, argv, error);
	if (!rc && (call->action == RUNTIME_CREATE || call->action == RUNTIME_RESTORE))
		rc = runtime_bundle_shield(call->bundle, call->action == RUNTIME_RESTORE, error);
	if (!rc && runtime_verify_is_wanted(argv[0]))
		rc = runtime_verify(call, path, argc, argv, error);
	return rc;
}

int main(int argc, char **argv)
{
	struct runtime_call call;
	struct error error = {0};
	char path[PATH_MAX];

	if (argc < 1) {
		fputs("terok-shield-runtime: called without a name\n", stderr);
		return 1;
	}
	if (shield_and_find(&call, argc, argv, path, &error) == 0) {
		argv[0] = path;
		execv(path, argv);
		error_errno(&error, errno, "cannot execute %s", path);
	}
	runtime_error_report(&call, &error);
	return 1;
}
