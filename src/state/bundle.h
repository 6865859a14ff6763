/* The state bundle: one folder per container that carries what `run` decided to the hook, the forwarder and later commands.
 *
 * Theory of operation. The CLI creates the folder (0700, owned by the caller) and is the only one that writes settings and lists. The hook and the
 * forwarder open it by the path in an annotation, which a hostile caller may have chosen, so bundle_open() believes nothing: the path is absolute,
 * not under a system folder, free of links in every component that others could have made, a directory owned by the caller and
 * not writable by group or others; every file in it is regular, owned by the caller, not writable by others, opened with O_NOFOLLOW relative to the
 * folder's descriptor. Files are replaced whole. Whoever changes lists holds the lock (flock on `lock`), reads, changes, replaces.
 *
 * What `run` decides stands in several files. They are staged (written beside the old ones, on the disk) and then renamed in one go,
 * settings.json last: a disk that is full leaves the old state. settings.json has a checksum of itself and of the profile lists, so that
 * whoever is killed between two renames, or a disk that loses a file, leaves what is recognised as unfinished and refused:
 * bundle_settings_read() and bundle_policy_load() take the old state or the new one and nothing in between. It is against accidents. Who
 * may write here may as well write a checksum that fits, and is the user whom all this serves. The other files are not in it: live and
 * deny lists and `state` change one by one while the container runs, in an order in which each step is a state that was asked for;
 * resolv.conf, upstream.dns and hooks/ are the same for each run or read by nobody of ours.
 *
 * The ownership check is against geteuid(): rootless, the hook runs as root of podman's user namespace, where the user's files belong to uid 0.
 */
#ifndef STATE_BUNDLE_H
#define STATE_BUNDLE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/shield_state.h"

#define BUNDLE_FORMAT 3		/* of settings.json; another number is refused with the remedy */
#define BUNDLE_LIST_MAX (64u << 20) /* octets that a list file may have */

/* File names, as CONTRACT has them; settings.json, runtime.json, state, control.sock, lock and run.nonce are this tool's own. */
#define BUNDLE_SETTINGS "settings.json"
#define BUNDLE_RUNTIME "runtime.json"
#define BUNDLE_MEMBERS "members"
#define BUNDLE_SHARED "shared.json"
#define BUNDLE_STATE "state"
#define BUNDLE_CONTROL_SOCKET "control.sock"
#define BUNDLE_RULESET "ruleset.nft"
#define BUNDLE_RESOLV_CONF "resolv.conf"
#define BUNDLE_CONTAINER_ID "container.id"
#define BUNDLE_OCI "oci.bundle" /* the OCI bundle's folder, which podman removes with the container */
#define BUNDLE_HOOK_ERROR "hook-error.log"
#define BUNDLE_AUDIT "audit.jsonl"
#define BUNDLE_AUDIT_ROTATED BUNDLE_AUDIT ".1"
#define BUNDLE_UPSTREAM "upstream.dns"
#define BUNDLE_ACTIVITY "activity.json" /* state/activity.h */
#define BUNDLE_DOSSIER "dossier.json" /* what annotations say of the container, see state/dossier.h */
#define BUNDLE_META_PATH "meta_path"  /* the path of the file that says more */

struct bundle {
	int fd;		     /* O_PATH|O_DIRECTORY would not do for readdir: a readable directory descriptor; -1 when closed */
	char path[PATH_MAX]; /* absolute */
};
#define BUNDLE_INIT {.fd = -1}

/* True for a container name that may be part of a path: [A-Za-z0-9_][A-Za-z0-9_.-]*, at most 128 octets. */
bool bundle_name_is_safe(const char *name);

/* Makes the folder and its parents where missing (0700), and hooks/ in it, then opens it as bundle_open(). */
int bundle_create(struct bundle *bundle, const char *path, struct error *error);

/* Opens and checks. Errors: -ENOENT; -EPERM for an owner, mode, link or place that is refused, with a text that says which and what to do. */
int bundle_open(struct bundle *bundle, const char *path, struct error *error);
void bundle_close(struct bundle *bundle);
#define cleanup_bundle __attribute__((cleanup(bundle_close)))

/* Checks only the text of the path: absolute, no "..", no empty or "." component, not under /etc /proc /sys /dev /usr /bin /sbin /lib /lib64 /boot /root
 * (/root is allowed when geteuid() is 0 and the real home of the caller is there: rootful podman's default state lies below it). -EPERM. */
int bundle_check_path(const char *path, struct error *error);

/* Takes the exclusive lock, waiting at most timeout_ms. Returns the descriptor to close for release, or a negative errno (-ETIMEDOUT). */
int bundle_lock(const struct bundle *bundle, unsigned timeout_ms, struct error *error);

/* A checked read of a file of the bundle: regular, owner geteuid(), not writable by group or others, one link. As file_read(). */
int bundle_read(const struct bundle *bundle, const char *name, size_t max, char **data, size_t *length, struct error *error);
/* file_replace() in the bundle, mode 0600 (0644 for resolv.conf, which the container reads). */
int bundle_write(const struct bundle *bundle, const char *name, const void *data, size_t length, struct error *error);
/* The same with file_replace_volatile(): for what describes a running container and means nothing after a crash of the machine. */
int bundle_write_volatile(const struct bundle *bundle, const char *name, const void *data, size_t length, struct error *error);
/* Unlinks; a file that is not there is no error. */
int bundle_remove(const struct bundle *bundle, const char *name, struct error *error);

/* Removes every file that the shield made, the settings first; what others put there stays. The caller holds the lock and knows that nothing runs. */
int bundle_erase(const struct bundle *bundle, struct error *error);
/* Removes the folder after that. -ENOTEMPTY when something of others is in it. */
int bundle_erase_folder(const struct bundle *bundle, struct error *error);

/* ---- identity and settings (settings.json) ---- */

#define BUNDLE_PROFILES_MAX 64

/* Of the lists that only `run` and `prepare` write. */
struct bundle_sums {
	uint64_t allowed, domains; /* profile.allowed, profile.domains */
};

struct bundle_identity {
	char container[129]; /* the container's name */
	char version[32];    /* of the program that wrote it */
	char *profiles[BUNDLE_PROFILES_MAX]; /* owned */
	size_t profile_count;
	struct bundle_sums sums; /* of the profile lists that belong to the settings; only for bundle_settings_read() to fill */
};
void bundle_identity_free(struct bundle_identity *identity);

/* Writes settings.json for the profile lists that are there. */
int bundle_settings_write(const struct bundle *bundle, const struct bundle_identity *identity, const struct settings *settings, struct error *error);
/* Unknown keys, missing keys, wrong types and another format number are errors (-EINVAL, -EPROTO) that name the file and key; a checksum
 * that does not fit is -EUCLEAN. identity: free it. */
int bundle_settings_read(const struct bundle *bundle, struct bundle_identity *identity, struct settings *settings, struct error *error);

/* ---- lists: one rule a line ---- */

enum bundle_list {
	BUNDLE_PROFILE_ALLOWED, /* profile.allowed: networks of the profiles */
	BUNDLE_PROFILE_DOMAINS, /* profile.domains: names of the profiles, '!' lines too */
	BUNDLE_LIVE_ALLOWED,	/* live.allowed: networks that `allow` added; with an end as BUNDLE_LIVE_DOMAINS has it */
	BUNDLE_LIVE_DOMAINS,	/* live.domains; a comment "# from TIME until TIME" limits a line */
	BUNDLE_DENY_LIST,	/* deny.list: networks that `deny` added (stored without '!') */
	BUNDLE_DENIED_DOMAINS,	/* denied.domains (stored without '!') */
};
#define BUNDLE_LIST_COUNT 6
const char *bundle_list_file(enum bundle_list list);

/* All six into a policy, each in its layer, deny lists as exclusions, sealed. A missing live or deny file is empty; a missing profile
 * file is an error; a bad line is an error with file and line. A comment "# FILE:LINE" behind a rule of a profile list becomes the rule's
 * source and line; without it these are the list file's own. A live line holds in its time only, by clock_lasting_s(); the networks of those that
 * have ended are the policy's ended ones. sums: of the settings that were read before; a profile list that they do not
 * fit is -EUCLEAN. policy: caller frees. */
int bundle_policy_load(const struct bundle *bundle, const struct bundle_sums *sums, struct policy **policy, struct error *error);

enum bundle_change {
	BUNDLE_ALLOW,
	BUNDLE_DENY,
	BUNDLE_FORGET, /* take the rule out of live and deny lists */
};

#define BUNDLE_FOR_MAX_S (30 * 86400) /* how long an allow with an end may last */
#define BUNDLE_ENDS_MAX 1024	      /* lines with an end in a list */

/* Puts a rule on the live list (and takes an equal one off the deny list), or the reverse; keeps comments and the order of the rest; no duplicate lines.
 * What has ended is taken out on the way. An allow with an end takes nothing off the deny list: -EPERM when the rule is denied. An allow never
 * shortens another: of two ends the later one stays, and of an end and none, none.
 * The caller holds the lock. changed: set to whether a file was replaced. On return 0 it is on disk. */
int bundle_list_change(const struct bundle *bundle, enum bundle_change change, const struct rule *rule, bool *changed, struct error *error);

/* ---- several files replaced together ---- */

#define BUNDLE_STAGE_MAX 8
struct bundle_stage {
	const struct bundle *bundle; /* borrowed; the caller holds its lock */
	size_t count;
	struct {
		char name[64];
		char temporary[NAME_MAX + 1];
	} files[BUNDLE_STAGE_MAX];
	bool has_allowed, has_domains; /* these profile lists come with the settings, and sums has theirs */
	struct bundle_sums sums;
};

/* Adds a file ("NAME" or "hooks/NAME", as bundle_write()); one that has this content already is left alone. Nothing that others see
 * changes before bundle_stage_commit(). */
int bundle_stage_add(struct bundle_stage *stage, const char *name, const void *data, size_t length, struct error *error);
/* Adds settings.json, for the profile lists that were added before or else are there. */
int bundle_stage_add_settings(
	struct bundle_stage *stage, const struct bundle_identity *identity, const struct settings *settings, struct error *error);
/* Puts all into place, in the order in which they were added. On return 0 they are on the disk. On an error some may be. */
int bundle_stage_commit(struct bundle_stage *stage, struct error *error);
/* Removes what was not committed. */
void bundle_stage_drop(struct bundle_stage *stage);
#define cleanup_bundle_stage __attribute__((cleanup(bundle_stage_drop)))

/* ---- what runs (runtime.json, written by the hook, removed by poststop) ---- */

struct bundle_runtime {
	char container_id[65]; /* full id, "" when not known */
	pid_t init_pid;	       /* in the pid namespace of the writer */
	uint64_t init_start;   /* field 22 of /proc/PID/stat: distinguishes a pid that was used again */
	pid_t proxy_pid;       /* the forwarder: its supervisor */
	uint64_t proxy_start;
};
int bundle_runtime_write(const struct bundle *bundle, const struct bundle_runtime *runtime, struct error *error);
/* -ENOENT when nothing runs or ran. When the init it names has ended and a member lives, container_id and init_* are that member's. */
int bundle_runtime_read(const struct bundle *bundle, struct bundle_runtime *runtime, struct error *error);

/* Start time of a process, field 22 of /proc/PID/stat; -ESRCH when there is none, another error when that cannot be told. */
int bundle_process_start(pid_t pid, uint64_t *start);
/* A pidfd for the process if it still is the one that started then, and lives; otherwise -ESRCH. Another error: it cannot be told, so
 * whoever would go on without the process must not. Caller closes. */
int bundle_process_open(pid_t pid, uint64_t start);

/* ---- who shares the network namespace (members: a line "PID START ID NAME" for each; written by the hook, under the lock) ---- */

#define BUNDLE_MEMBERS_MAX 64

/* A container under the shield: its init, as in bundle_runtime. */
struct bundle_member {
	pid_t pid;
	uint64_t start;
	char id[65];
	char name[129];
};
struct bundle_members {
	size_t count;
	struct bundle_member list[BUNDLE_MEMBERS_MAX];
};

/* Those that live, or may, in the order in which they came. None when the file is missing; -EINVAL for a line that is none. */
int bundle_members_read(const struct bundle *bundle, struct bundle_members *members, struct error *error);
int bundle_members_write(const struct bundle *bundle, const struct bundle_members *members, struct error *error);
/* Puts one in, instead of what is there of the same id. -E2BIG when they are too many. */
int bundle_members_add(struct bundle_members *members, const struct bundle_member *member, struct error *error);
/* Takes those of that id out. True when there were any. */
bool bundle_members_remove(struct bundle_members *members, const char *id);
/* NULL when there is none. */
const struct bundle_member *bundle_members_find(const struct bundle_members *members, pid_t pid);

/* ---- a folder of a container that is under another one's shield, or its pod's (shared.json) ---- */

/* Such a folder has neither settings nor lists of its own; what belongs to the container's own start (hook-error.log, container.id,
 * resolv.conf) is in it. */
struct bundle_shared {
	char member[129];    /* the container's name */
	char shield[129];    /* the name of the container, or pod, whose shield it is */
	bool pod;            /* a podman pod's: its infra container may have the namespace before anybody has a shield */
	char path[PATH_MAX]; /* the shield's folder */
};
int bundle_shared_write(const struct bundle *bundle, const struct bundle_shared *shared, struct error *error);
/* -ENOENT for a folder that is a shield's own. */
int bundle_shared_read(const struct bundle *bundle, struct bundle_shared *shared, struct error *error);

/* ---- the wanted state (file `state`: one word and a newline; SHIELD_UP when missing) ---- */
int bundle_state_write(const struct bundle *bundle, enum shield_state state, struct error *error);
/* A word that is not up, down, down_all, block or learn is an error. A container that learns is SHIELD_DOWN: the same rules. */
int bundle_state_read(const struct bundle *bundle, enum shield_state *state, struct error *error);

/* SHIELD_DOWN in order to learn what the container uses: its own word, "learn", so that whoever writes another state ends it. */
#define BUNDLE_LEARN "learn\n"
int bundle_learning_write(const struct bundle *bundle, struct error *error);
/* False too when the file cannot be read: bundle_state_read() says so. */
bool bundle_learns(const struct bundle *bundle);

#endif
