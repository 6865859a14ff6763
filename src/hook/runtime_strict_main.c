/* terok-shield-runtime-strict: what terok-shield-runtime becomes in the folder kubernetes/ (hook/runtime_kubernetes.h) and in verify/
 * (hook/runtime_verify.h). */
#include "hook/runtime.h"
#include "hook/runtime_kubernetes.h"
#include "hook/runtime_verify.h"

static int kubernetes(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error)
{
	(void)real;
	return runtime_kubernetes(call, argc, argv, error);
}

static int shield_and_verify(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error)
{
	return runtime_shield(call, real, argc, argv, error) ?: runtime_verify(call, real, argc, argv, error);
}

int main(int argc, char **argv)
{
	if (argc > 0 && runtime_is_called_in(argv[0], "kubernetes"))
		return runtime_become(runtime_kubernetes_folders, kubernetes, argc, argv);
	return runtime_become(NULL, shield_and_verify, argc, argv);
}
