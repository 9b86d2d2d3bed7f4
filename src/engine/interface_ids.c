// SPDX-License-Identifier: MIT
#include "engine/interface_ids.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/placement.h"
#include "kernel/mapwrite.h"

#define OWN_VARIABLE "interface_own_netns"

/* As bpf/interface.bpf.h has it. */
struct interface_place {
	uint32_t netns;
	uint32_t ifindex;
};

int interface_ids_configure(struct unit *u)
{
	bool leaves = plan_leaves_own_netns(u->plan);
	struct map_info map;
	struct error error;

	if (object_find_map(u->object, INTERFACE_IDS_MAP, &map)) {
		if (leaves)
			log_warn("%s: its programs do not tell interfaces of different network "
				 "namespaces apart: that needs interface.bpf.h",
				 u->plan->name);
		return 0;
	}
	if (!leaves)
		return object_set_max_entries(u->object, INTERFACE_IDS_MAP, 1, &error);
	return object_set_rodata_uint(u->object, OWN_VARIABLE, links_own_netns(u->env->links),
				      &error);
}

static void on_present(void *ctx, enum link_event event, const struct link_info *link)
{
	(void)event;
	interface_ids_add(ctx, link);
}

void interface_ids_fill(struct unit *u)
{
	struct map_info map;

	if (!plan_leaves_own_netns(u->plan) || object_find_map(u->object, INTERFACE_IDS_MAP, &map))
		return;
	u->interface_ids_fd = map.fd;
	links_each(u->env->links, on_present, u);
}

void interface_ids_add(struct unit *u, const struct link_info *link)
{
	const struct interface_place place = {(uint32_t)link->netns, link->ifindex};
	int err;

	if (u->interface_ids_fd < 0 || !link->netns)
		return;
	err = mapwrite_put(u->interface_ids_fd, &place, &link->id);
	if (err && log_due(&u->interface_ids_logged))
		log_warn("%s: cannot tell the programs of interface '%s' of another network "
			 "namespace: %s",
			 u->plan->name, link->name, strerror(-err));
}

void interface_ids_remove(struct unit *u, const struct link_info *link)
{
	const struct interface_place place = {(uint32_t)link->netns, link->ifindex};

	if (u->interface_ids_fd >= 0 && link->netns)
		mapwrite_remove(u->interface_ids_fd, &place);
}
