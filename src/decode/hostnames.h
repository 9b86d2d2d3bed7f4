/* SPDX-License-Identifier: MIT */
/*
 * Names that only some decoders ask this host for: each kind is read at the first question, not
 * before. All of it is thread-safe.
 */
#pragma once

struct container_names;
struct kernel_btf;
struct netnames;
struct netowners;
struct partitions;
struct pci_ids;
struct services;
struct suffixes;

struct hostnames {
	struct partitions *partitions;
	struct netnames *netnames;
	struct netowners *netowners;
	struct container_names *containers;
	struct pci_ids *pci_ids;
	struct services *services;
	struct suffixes *suffixes;
	struct kernel_btf *btf;
};

/* @btf_path: kernel_btf_new(). -ENOMEM without memory. */
int hostnames_new(const char *btf_path, struct hostnames **ret);
void hostnames_free(struct hostnames *h);

/* Where the host's root directory is mounted: names of containers are read below it. To be called
 * before anyone asks for one. -ENOMEM without memory. */
int hostnames_set_root(struct hostnames *h, const char *root);
