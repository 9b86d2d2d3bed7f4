// SPDX-License-Identifier: MIT
/* Hook section: programs whose SEC() says where, and that libbpf knows how to attach. */
#include "engine/hook.h"
#include "engine/placement.h"

static int attach(const struct hook_request *r, struct error *e)
{
	struct unit *u = r->unit;
	size_t program = r->placement->program;
	int err = object_attach(u->object, program, e);

	if (err)
		return err;
	return placement_add(r, &(struct attachment){0}, u->programs[program].info.section, e);
}

static int detach(const struct hook_request *r, struct attachment *a, struct error *e)
{
	(void)a, (void)e;
	object_detach(r->unit->object, r->placement->program);
	return 0;
}

static const char *mechanism(const struct attachment *a)
{
	(void)a;
	return "section";
}

const struct hook hook_section = {.attach = attach, .detach = detach, .mechanism = mechanism};
