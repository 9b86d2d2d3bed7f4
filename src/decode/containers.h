/* SPDX-License-Identifier: MIT */
/* For decoders of what belongs to a container or a pod, after one that gives the id or the path of
 * a cgroup. */
#pragma once

#include "decode/container_names.h"
#include "decode/decoder.h"

/*
 * What the group says is in *@ret then, in memory of @in and @path. DECODE_UNKNOWN when the group
 * has gone; -ENOENT when there is none with this id, -EINVAL when @in is neither.
 */
int decode_container_ref(const struct decode_env *env, const void *in, size_t len, struct buf *path,
			 struct container_ref *ret);

/* For -ENOENT of that: DECODE_UNKNOWN, with what stands for a container then. */
int decode_unknown_container(const void *in, size_t len, struct buf *out);

/* Appends the part of the pod's name, where it is not known its UID if @or_uid; nothing outside of
 * pods. What a decoder gives back. */
int decode_pod_part(const struct decode_env *env, const void *in, size_t len,
		    enum container_part part, bool or_uid, struct buf *out);
