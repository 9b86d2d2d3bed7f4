/* SPDX-License-Identifier: MIT */
/*
 * The map by which programs in several network namespaces tell their interfaces apart:
 * bpf/interface.bpf.h.
 */
#pragma once

#include "engine/unit.h"

#define INTERFACE_IDS_MAP "interface_ids"

/* Before the object of @u is loaded: tells its programs whether they are in other namespaces. */
int interface_ids_configure(struct unit *u);

/* Once it is loaded: the map gets what is known of interfaces elsewhere. */
void interface_ids_fill(struct unit *u);

/* An interface came, or went. */
void interface_ids_add(struct unit *u, const struct link_info *link);
void interface_ids_remove(struct unit *u, const struct link_info *link);
