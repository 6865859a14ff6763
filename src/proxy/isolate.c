/* Giving up what the forwarder does not need.
 *
 * Theory of operation. The forwarder reads what a hostile workload and hostile servers send. Should one of them take it over, there must be
 * little to take: it has no capability but CAP_NET_ADMIN over the user namespace it runs in, cannot gain any by executing a program, and cannot be attached to
 * by the workload, which is in another pid namespace.
 */
#include "proxy/isolate.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int isolate_early(struct error *error)
{
	struct rlimit core = {0, 0}, files;

	if (setrlimit(RLIMIT_CORE, &core))
		return error_errno(error, errno, "forbidding core dumps");
	if (getrlimit(RLIMIT_NOFILE, &files))
		return error_errno(error, errno, "reading the limit of open files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		return error_errno(error, errno, "raising the limit of open files");
	return 0;
}

int isolate_capabilities(struct error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_errno(error, errno, "setting no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return error_errno(error, errno, "making the process undumpable");
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN))
		return error_set(error, EPERM, "choosing CAP_NET_ADMIN");
	if (capng_apply(CAPNG_SELECT_ALL))
		return error_set(error, EPERM, "dropping capabilities");
	return 0;
}
