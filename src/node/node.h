/* The shield of a Kubernetes pod, as far as it is files: a bundle made from this node's configuration.
 *
 * Theory of operation. For a pod nobody says `terok-shield run`. Its sandbox is the first container that containerd or CRI-O create: it
 * owns the network namespace, which the network plugin has set up before, and it lives as long as the pod. So the bundle is the
 * sandbox's, and has its id for a name, which no other pod on this node ever has; the pod's other containers only join. The runtime shim
 * asks for it when the sandbox is created, before anything runs.
 *
 * Who decides what. The node's owner: /etc/terok/shield, as ~/.config/terok/shield has it, believed only where nobody but root can have
 * written it; without its config.yml no pod starts. The pod's author: which of the profiles there (and of the bundled ones), and which
 * ports may be connected to from outside; the text of both is a stranger's. Whatever is wrong with either is an error, and the pod does
 * not start.
 *
 * The end. poststop ends the forwarder; the bundle stays for its audit log. Whoever makes a new one removes the oldest of those that have
 * ended, so that no more than NODE_ENDED_MAX stay. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <limits.h>
#include <sys/types.h>

#include "base/error.h"

#define NODE_CONFIG    "/etc/terok/shield"
#define NODE_STATE     "/var/lib/terok/shield"
#define NODE_ENDED_MAX 64 /* bundles of pods that are gone */

/* All absolute; borrowed. */
struct node_paths {
	const char *config;  /* config.yml, profiles/ */
	const char *state;   /* as --state-dir: bundles are in containers/ */
	const char *bundled; /* profiles of this installation */
	uid_t owner;         /* whom the configuration must belong to */
};

/* What the pod's annotations say; borrowed, not yet believed. */
struct node_order {
	const char *sandbox;  /* its id */
	const char *profiles; /* names with ':' or ',' between them; NULL: the node's default_profiles; "": nothing is allowed */
	const char *ports;    /* see ports.h; NULL: none */
};

/* Makes the bundle; path: where it is. Errors: -EINVAL, -ENOENT for what the pod or the configuration says; -EPERM for a file that others
 * can write; -EBUSY when the sandbox runs already. */
int node_make(const struct node_paths *paths, const struct node_order *order, char path[PATH_MAX], struct error *error);

/* Looks for the bundle of a sandbox that another container wants to join; path: where it is. Errors: -ENOENT when there is none, -ESRCH
 * when the sandbox or its forwarder do not run. That the container is really in its namespace, and what holds there, is the hook's to
 * check (hook/join.h); this is for the better message. */
int node_check(const struct node_paths *paths, const char *sandbox, char path[PATH_MAX], struct error *error);

#endif
