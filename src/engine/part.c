// SPDX-License-Identifier: MIT
#include "engine/part.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "engine/agent.h"

/* Set by the linker around the section; weak, as a program without rows has no such section. */
extern const struct part *const __start_module_parts[] __attribute__((weak));
extern const struct part *const __stop_module_parts[] __attribute__((weak));

/* A part that runs, in a list of its unit. */
struct running_part {
	struct running_part *next;
	const struct part *part;
	void *state;
};

static const struct part *find_part(const char *module)
{
	uintptr_t size = (uintptr_t)__stop_module_parts - (uintptr_t)__start_module_parts;

	for (size_t i = 0; i < size / sizeof(*__start_module_parts); i++) {
		if (STREQ(__start_module_parts[i]->module, module))
			return __start_module_parts[i];
	}
	return NULL;
}

int parts_open(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One at a time: whatever it does, also ending another part, what is readable is asked anew. */
void parts_ready(int parts_fd)
{
	struct epoll_event event;
	struct running_part *p;

	if (epoll_wait(parts_fd, &event, 1, 0) != 1)
		return;
	p = event.data.ptr;
	p->part->ready(p->state);
}

static int watch(const struct unit *u, struct running_part *p, int fd, struct error *e)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};

	if (fd < 0 || !epoll_ctl(u->env->parts_fd, EPOLL_CTL_ADD, fd, &event))
		return 0;
	return error_set(e, -errno, "cannot watch a descriptor of its part in user space: %s",
			 error_words(-errno));
}

static void release(struct running_part *p)
{
	free(p->state);
	free(p);
}

static struct running_part *reserve(const struct part *part)
{
	struct running_part *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->part = part;
	p->state = calloc(1, MAX(part->state_size, (size_t)1));
	if (p->state)
		return p;
	free(p);
	return NULL;
}

static int start(struct unit *u, const struct part *part, const struct module *m, struct error *e)
{
	const struct part_context context = {.object = u->object,
					     .module = m,
					     .unit = u,
					     .adopted = u->persistence.adopted};
	struct running_part *p = reserve(part);
	int fd = -1, err;

	if (!p)
		return error_set(e, -ENOMEM, "no memory");
	err = part->start(&context, p->state, &fd, e);
	if (err) {
		release(p);
		return err;
	}
	err = watch(u, p, fd, e);
	if (err) {
		part->stop(p->state);
		release(p);
		return err;
	}
	p->next = u->parts;
	u->parts = p;
	return 0;
}

int parts_start(struct unit *u, struct error *e)
{
	for (size_t i = 0; !u->env->tryout && i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];
		const struct part *part = m->builtin ? find_part(m->config->name) : NULL;
		struct error why;
		int err = part ? start(u, part, m, &why) : 0;

		if (err && u->env->strict) {
			*e = why;
			return err;
		}
		if (err)
			log_warn("%s: %s", m->config->name, why.text);
	}
	return 0;
}

static const struct running_part *find_running(const struct unit *u, const char *module)
{
	for (const struct running_part *p = u->parts; p; p = p->next) {
		if (STREQ(p->part->module, module))
			return p;
	}
	return NULL;
}

void *part_state(struct agent *a, const char *module)
{
	const struct running_part *p = NULL;

	for (size_t i = 0; i < a->n_units && !p; i++)
		p = find_running(a->units[i], module);
	return p ? p->state : NULL;
}

const struct unit *part_unit(const struct agent *a, const char *module)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (find_running(a->units[i], module))
			return a->units[i];
	}
	return NULL;
}

void part_diff(const struct unit *u, const struct module *declared, difference_fn add, void *ctx)
{
	const struct running_part *p = find_running(u, declared->config->name);

	if (p && p->part->diff)
		p->part->diff(p->state, declared, add, ctx);
}

bool parts_make_maps(const struct unit *u)
{
	for (const struct running_part *p = u->parts; p; p = p->next) {
		if (p->part->makes_maps)
			return true;
	}
	return false;
}

void parts_fill(struct unit *u)
{
	for (const struct running_part *p = u->parts; p; p = p->next) {
		struct error error;

		if (p->part->fill && p->part->fill(p->state, &error))
			unit_note_read_error(u, &error);
	}
}

void parts_stop(struct unit *u)
{
	while (u->parts) {
		struct running_part *p = u->parts;

		u->parts = p->next;
		p->part->stop(p->state);
		release(p);
	}
}
