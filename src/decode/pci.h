/* SPDX-License-Identifier: MIT */
#pragma once

#include "decode/decoder.h"
#include "decode/pci_ids.h"

/* For the decoders of PCI numbers: the decimal number in @in as the name of a @kind. */
int pci_decode(enum pci_kind kind, const struct decode_env *env, const void *in, size_t len,
	       struct buf *out);
