// SPDX-License-Identifier: MIT
#include "decode/hostnames.h"

#include <errno.h>
#include <stdlib.h>

#include "decode/container_names.h"
#include "decode/pci_ids.h"
#include "decode/services.h"
#include "decode/suffixes.h"
#include "kernel/kernel_btf.h"
#include "kernel/netnames.h"
#include "kernel/netowners.h"
#include "kernel/partitions.h"

int hostnames_new(const char *btf_path, struct hostnames **ret)
{
	struct hostnames *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = kernel_btf_new(btf_path, &h->btf);
	if (!err)
		err = partitions_new(&h->partitions);
	if (!err)
		err = netnames_new(&h->netnames);
	if (!err)
		err = netowners_new(&h->netowners);
	if (!err)
		err = container_names_new(NULL, &h->containers);
	if (!err)
		err = pci_ids_new(NULL, &h->pci_ids);
	if (!err)
		err = services_new(NULL, &h->services);
	if (!err)
		err = suffixes_new(NULL, &h->suffixes);
	if (err) {
		hostnames_free(h);
		return err;
	}
	*ret = h;
	return 0;
}

void hostnames_free(struct hostnames *h)
{
	if (!h)
		return;
	kernel_btf_free(h->btf);
	partitions_free(h->partitions);
	netnames_free(h->netnames);
	netowners_free(h->netowners);
	container_names_free(h->containers);
	pci_ids_free(h->pci_ids);
	services_free(h->services);
	suffixes_free(h->suffixes);
	free(h);
}

int hostnames_set_root(struct hostnames *h, const char *root)
{
	struct container_names *containers;
	int err = container_names_new(root, &containers);

	if (err)
		return err;
	container_names_free(h->containers);
	h->containers = containers;
	return 0;
}
