/* SPDX-License-Identifier: MIT */
/* Names of PCI vendors, devices and classes, from pci.ids(5); read at the first question. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pci_ids; /* opaque */

/* What a number names, and how it is made of the numbers in the file. */
enum pci_kind {
	PCI_VENDOR,   /* vendor */
	PCI_DEVICE,   /* vendor << 16 | device */
	PCI_CLASS,    /* class */
	PCI_SUBCLASS, /* class << 8 | subclass */
	N_PCI_KINDS,
};

/* @path must outlive it; NULL: where distributions have it. -ENOMEM without memory. */
int pci_ids_new(const char *path, struct pci_ids **ret);
void pci_ids_free(struct pci_ids *p);

/* Whether the file is there at all. Thread-safe, as what follows. */
bool pci_ids_present(struct pci_ids *p);

/* The name, which lives as long as @p; NULL where there is none. */
const char *pci_ids_name(struct pci_ids *p, enum pci_kind kind, uint32_t number);
