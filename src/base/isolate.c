/* Giving up what a process does not need. No library is asked: whoever isolates itself starts often and is to stay small. */
#include "base/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* ---- capabilities ---- */

/* Which is the last capability of this kernel is known from the first that it does not know. */
static int bounding_cut(void)
{
	for (int capability = 0;; capability++)
		if (capability != CAP_NET_ADMIN && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			return errno == EINVAL && capability > CAP_NET_ADMIN ? 0 : -errno;
}

int isolate_capabilities(struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	const uint32_t kept = 1u << CAP_NET_ADMIN;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_errno(error, errno, "setting no_new_privs");
	if (prctl(PR_SET_DUMPABLE, ISOLATE_SANITIZED, 0, 0, 0))
		return error_errno(error, errno, "making the process unattachable");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return error_errno(error, errno, "dropping ambient capabilities");
	if (syscall(SYS_capget, &header, data))
		return error_errno(error, errno, "reading the capabilities");
	if (data[0].effective & 1u << CAP_SETPCAP && bounding_cut())
		return error_errno(error, errno, "dropping capabilities from the bounding set");
	data[0].permitted &= kept;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0};
	if (syscall(SYS_capset, &header, data))
		return error_errno(error, errno, "dropping capabilities");
	return 0;
}

/* ---- files ---- */

#define ALL_V1        ((1ull << 13) - 1) /* ABI 1: execute to make_sym */
#define REFER         (1ull << 13)       /* ABI 2 */
#define TRUNCATE      (1ull << 14)       /* ABI 3 */
#define ACCESS_READ   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_CHANGE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | TRUNCATE)

static uint64_t access_rights(unsigned access)
{
	return ACCESS_READ | (access & ISOLATE_CHANGE ? ACCESS_CHANGE : 0) | (access & ISOLATE_EXECUTE ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
}

static int rule_add(int ruleset_fd, const char *path, uint64_t rights)
{
	cleanup_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? -errno : 0;
}

int isolate_files(const struct isolate_folder *folders, size_t count, bool *held, struct error *error)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t handled = ALL_V1 | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0);
	struct landlock_ruleset_attr attributes = {.handled_access_fs = handled};
	cleanup_fd int fd = -1;

	*held = abi > 0;
	if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (fd < 0)
		return error_errno(error, errno, "making a Landlock ruleset");
	for (size_t i = 0; i < count; i++) {
		int result = folders[i].path ? rule_add(fd, folders[i].path, access_rights(folders[i].access) & handled) : 0;

		if (result)
			return error_errno(error, -result, "filling the Landlock ruleset");
	}
	if (ISOLATE_SANITIZED && rule_add(fd, "/proc", ACCESS_READ & handled))
		return error_set(error, EIO, "filling the Landlock ruleset");
	if (syscall(SYS_landlock_restrict_self, fd, 0))
		return error_errno(error, errno, "entering Landlock");
	return 0;
}

/* ---- system calls ---- */

#if defined(__x86_64__) && defined(__LP64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define OWN_ARCHITECTURE AUDIT_ARCH_PPC64LE
#else
#error "which AUDIT_ARCH_ value, and in which order of octets, is this machine's?"
#endif

#define CALLS_MAX 256
#define CALL_CODE 5 /* instructions for one call, at most */

#define LOAD(field)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define NUMBER              LOAD(offsetof(struct seccomp_data, nr))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define RETURN(action)      BPF_STMT(BPF_RET | BPF_K, (action))

/* Returns how many instructions it put. The accumulator holds the number of the call before and behind. */
static size_t call_put(struct sock_filter *at, const struct isolate_call *call)
{
	const struct sock_filter plain[] = {UNLESS((uint32_t)call->number, 1), RETURN(SECCOMP_RET_ALLOW)};
	const struct sock_filter conditional[] = {
		UNLESS((uint32_t)call->number, 4),
		LOAD(offsetof(struct seccomp_data, args) + call->index * sizeof(uint64_t)), /* its lower half: little-endian machines */
		UNLESS(call->value, 1),
		RETURN(SECCOMP_RET_ALLOW),
		NUMBER,
	};
	const struct sock_filter *from = call->conditional ? conditional : plain;
	size_t count = call->conditional ? sizeof(conditional) / sizeof(*conditional) : sizeof(plain) / sizeof(*plain);

	for (size_t i = 0; i < count; i++)
		at[i] = from[i];
	return count;
}

int isolate_calls(const struct isolate_call *calls, size_t count, enum isolate_refusal refusal, struct error *error)
{
	const struct sock_filter head[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		NUMBER,
	};
	struct sock_filter code[sizeof(head) / sizeof(*head) + CALLS_MAX * CALL_CODE + 1];
	struct sock_fprog program = {.filter = code};
	size_t length = 0;

	if (count > CALLS_MAX)
		return error_set(error, E2BIG, "too many system calls for a seccomp filter");
	if (ISOLATE_SANITIZED)
		return 0;
	for (; length < sizeof(head) / sizeof(*head); length++)
		code[length] = head[length];
	for (size_t i = 0; i < count; i++)
		length += call_put(code + length, &calls[i]);
	code[length++] = (struct sock_filter)RETURN(refusal == ISOLATE_KILL ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | ENOSYS);
	program.len = (unsigned short)length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		return error_errno(error, errno, "loading the seccomp filter");
	return 0;
}
