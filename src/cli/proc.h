/* Processes as /proc shows them: who is in a namespace, with which capabilities, who descends from whom, who holds which socket. */
#ifndef CLI_PROC_H
#define CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A list of process ids. Zero-initialise. */
struct proc_list {
	pid_t *pids;
	size_t count, capacity;
};
void proc_list_free(struct proc_list *list);
#define cleanup_proc_list __attribute__((cleanup(proc_list_free)))

/* The processes in the pid namespace of init, and in those below it. Errors: -EACCES when init's cannot be looked at; -EPERM when it is the
 * caller's own pid namespace; -ENOENT when init is not among what /proc shows. */
int proc_of_namespace(pid_t init, struct proc_list *list, struct error *error);

/* The processes in the network namespace of init but for those in the caller's own pid namespace, as podman's helpers are: what is in a
 * container, whichever, that has not the host's process ids. -EACCES when init cannot be looked at. */
int proc_of_network(pid_t init, struct proc_list *list, struct error *error);

bool proc_list_has(const struct proc_list *list, pid_t pid);

/* root and whatever descends from it. -ENOENT when root is not there. */
int proc_family(pid_t root, struct proc_list *list, struct error *error);

/* The five capability sets of all of a process' threads, joined. user: whether the process is in the user namespace of init or in one
 * that is not below it: only there its capabilities reach the container's network. -ESRCH when it has ended. */
int proc_capabilities(pid_t pid, pid_t init, uint64_t *capabilities, bool *user, struct error *error);

/* text: of /proc/PID/status. Adds CapInh, CapPrm, CapEff, CapBnd and CapAmb to capabilities. False when one of them is missing. Pure. */
bool proc_status_capabilities(const char *text, uint64_t *capabilities);

/* One letter, as in /proc/PID/stat; 0 when it has ended. */
char proc_state(pid_t pid);

/* The last component of its executable's path, without " (deleted)". -ESRCH, -EACCES. */
int proc_program(pid_t pid, char *name, size_t size);

/* Does the process hold a socket of this inode? -1 when its descriptors cannot be read. */
int proc_holds_socket(pid_t pid, uint64_t inode);

/* A socket of the listings /proc/net/{tcp,tcp6,udp,udp6}. */
struct proc_socket {
	char address[46]; /* as they write it: hexadecimal words */
	unsigned port;
	uint64_t inode; /* 0: of no process (any more, or not yet accepted) */
};

/* The next line of such a listing that is a socket. at: moved on. False at the end. Pure. */
bool proc_socket_next(const char **at, struct proc_socket *socket);

#endif
