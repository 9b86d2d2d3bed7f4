// SPDX-License-Identifier: MIT
/* Which hooks there are, and which SEC() stands for which. */
#include <string.h>

#include "engine/hook.h"

static const struct hook *const hooks[HOOK_COUNT] = {
	[HOOK_SECTION] = &hook_section,
	[HOOK_TC_INGRESS] = &hook_tc_ingress,
	[HOOK_TC_EGRESS] = &hook_tc_egress,
	[HOOK_XDP] = &hook_xdp,
	[HOOK_NETFILTER] = &hook_netfilter,
	[HOOK_CGROUP] = &hook_cgroup,
	[HOOK_CGROUP_SKB_INGRESS] = &hook_cgroup_skb,
	[HOOK_CGROUP_SKB_EGRESS] = &hook_cgroup_skb,
	[HOOK_SOCK_OPS] = &hook_sock_ops,
	[HOOK_ITER] = &hook_iter,
	[HOOK_PERF_EVENT] = &hook_perf_event,
};

const struct hook *hook_get(enum attach_hook hook)
{
	return hooks[hook];
}

static bool is_device(const char *argument)
{
	/* What libbpf takes for programs of maps: SEC("xdp/devmap"). */
	return *argument && !STREQ(argument, "devmap") && !STREQ(argument, "cpumap");
}

static bool is_anything(const char *argument)
{
	return *argument;
}

/* Prefixes of SEC() that stand for a hook with what follows them. All others are libbpf's. */
static const struct section {
	const char *prefix;
	enum attach_hook hook;
	bool (*takes)(const char *argument);
} sections[] = {
	{"xdp/", HOOK_XDP, is_device},
	{"xdp.frags/", HOOK_XDP, is_device},
	{"perf_event/", HOOK_PERF_EVENT, is_anything},
	{"iter/", HOOK_ITER, is_anything},
	{"iter.s/", HOOK_ITER, is_anything},
};

const char *section_argument(const struct program_info *program)
{
	const char *slash = strchr(program->section, '/');

	return slash ? slash + 1 : "";
}

bool hook_of_section(const struct program_info *program, const char *argument,
		     struct attach_config *ret)
{
	*ret = (struct attach_config){.hook = HOOK_SECTION, .link_layer = LINK_LAYER_ANY};
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct section *s = &sections[i];

		if (strncmp(program->section, s->prefix, strlen(s->prefix)) != 0)
			continue;
		ret->hook = s->hook;
		if (s->hook == HOOK_PERF_EVENT)
			ret->event.text = (char *)argument;
		return s->takes(argument);
	}
	return object_section_says_where(program->section);
}
