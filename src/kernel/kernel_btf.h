/* SPDX-License-Identifier: MIT */
/*
 * The kernel's BTF, some megabytes that take milliseconds to read: read when it is first needed,
 * shared by all who need it while anybody holds it, and forgotten with the last of them.
 */
#pragma once

struct btf;        /* libbpf's */
struct kernel_btf; /* opaque; thread-safe */

/* @path: a file to use instead of the running kernel's, or NULL; it must outlive it. -ENOMEM. */
int kernel_btf_new(const char *path, struct kernel_btf **ret);
void kernel_btf_free(struct kernel_btf *k);

const char *kernel_btf_path(const struct kernel_btf *k);

/* What is read in between stays until the last one has released it. Holding reads nothing yet. */
void kernel_btf_hold(struct kernel_btf *k);
void kernel_btf_release(struct kernel_btf *k);

/* Who holds it may read it until then. NULL, with errno, where there is none: tried once while it
 * is held. */
struct btf *kernel_btf_get(struct kernel_btf *k);
/* The same of the running kernel, whatever file was given. */
struct btf *kernel_btf_get_running(struct kernel_btf *k);
