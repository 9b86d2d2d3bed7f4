// SPDX-License-Identifier: MIT
/* Which hooks there are, and which SEC() stands for which. */
#include <string.h>

#include "engine/hook.h"

static const struct hook *const hooks[HOOK_COUNT] = {
	[HOOK_SECTION] = &hook_section,
	[HOOK_TC_INGRESS] = &hook_tc_ingress,
	[HOOK_TC_EGRESS] = &hook_tc_egress,
};

const struct hook *hook_get(enum attach_hook hook)
{
	return hooks[hook];
}

bool hook_of_section(const struct program_info *program, const char *argument,
		     struct attach_config *ret)
{
	(void)argument;
	*ret = (struct attach_config){.hook = HOOK_SECTION, .link_layer = LINK_LAYER_ANY};
	return object_section_says_where(program->section);
}
