/* SPDX-License-Identifier: MIT */
/*
 * Names of containers and pods, out of the files that kubelet and the container engines keep on
 * the host: no socket of an engine is asked, and no API server.
 *
 * /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log: links that kubelet makes, with targets
 *	../pods/NAMESPACE_POD_UID/CONTAINER/N.log; only the names are read, no logs
 * /var/log/pods/NAMESPACE_POD_UID: kubelet's, too, before any container runs
 * /var/lib/docker/containers/ID/config.v2.json
 * /var/lib/containers/storage/overlay-containers/containers.json: podman's
 *
 * What cannot be read has no names, which is no error. All of it is thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "decode/container_ref.h"

struct container_names; /* opaque */

enum container_part { CONTAINER_PART_NAME, CONTAINER_PART_POD, CONTAINER_PART_POD_NAMESPACE };

/* @root: where the host's root directory is mounted; NULL: "". It is copied. -ENOMEM. */
int container_names_new(const char *root, struct container_names **ret);
void container_names_free(struct container_names *c);

/* Appends that part of the name of what @ref says; false when it is not known. One that went keeps
 * its name for an hour. */
bool container_names_find(struct container_names *c, const struct container_ref *ref,
			  enum container_part part, struct buf *out);

/* Changes when names came or went. */
uint64_t container_names_generation(struct container_names *c);
