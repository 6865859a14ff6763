/* terok-shield-runtime: see hook/runtime.h. Installed with links crun, runc and youki to it. podman calls it three times for each container, so it has in itself
 * all that it needs. Called in the folders verify/ and kubernetes/ it becomes terok-shield-runtime-strict. */
#include <errno.h>
#include <unistd.h>

#include "hook/program.h"
#include "hook/runtime.h"

static int strict_become(int argc, char *argv[])
{
	struct runtime_call call;
	struct error error = {0};
	char path[PATH_MAX];

	if (program_beside(path, "terok-shield-runtime-strict", &error) == 0) {
		execv(path, argv); /* which tells by argv[0] what is wanted of it */
		error_errno(&error, errno, "cannot execute %s", path);
	}
	runtime_call_parse(&call, argc, argv, NULL); /* for where the caller looks for a reason */
	runtime_error_report(&call, &error);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc > 0 && (runtime_is_called_in(argv[0], "verify") || runtime_is_called_in(argv[0], "kubernetes")))
		return strict_become(argc, argv);
	return runtime_become(NULL, runtime_shield, argc, argv);
}
