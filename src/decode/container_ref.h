/* SPDX-License-Identifier: MIT */
/* What the path of a control group says of the container and the pod that it belongs to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Container engines give a container 64 hexadecimal digits, and show the first 12. */
enum { CONTAINER_ID_DIGITS = 64, CONTAINER_SHOWN_DIGITS = 12, POD_UID_DIGITS = 36 };

/*
 * Of the innermost container and the innermost pod on the way to a group: a group may be one of
 * many inside of a container, and a container of many in a pod.
 */
struct container_ref {
	char id[CONTAINER_ID_DIGITS + 1]; /* "": no container, or one that has a name instead */
	char pod[POD_UID_DIGITS + 1];     /* the UID that Kubernetes gave the pod; "": no pod */
	const char *name; /* in the path: "machine-NAME.scope", "lxc.payload.NAME" */
	size_t name_len;
};

void container_ref_parse(struct container_ref *ret, const char *path, size_t len);

/* Appends the id's first digits, or the name with systemd's \xHH written out; nothing outside. */
void container_ref_add(const struct container_ref *ref, struct buf *out);
