// SPDX-License-Identifier: MIT
#include "engine/placement.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "engine/deferred.h"
#include "engine/interface_ids.h"
#include "engine/persistence.h"
#include "kernel/netspaces.h"

/* Not yet in the headers of all C libraries: include/uapi/linux/if_arp.h. */
#define ARPHRD_IP6GRE_TYPE 823
#define ARPHRD_RAWIP_TYPE  519

/* Devices whose packets begin with the network header on receive: tun
 * and wireguard are NONE, modems RAWIP. */
static const uint16_t headerless_types[] = {
	ARPHRD_PPP,   ARPHRD_TUNNEL,      ARPHRD_TUNNEL6, ARPHRD_SIT,
	ARPHRD_IPGRE, ARPHRD_IP6GRE_TYPE, ARPHRD_NONE,    ARPHRD_RAWIP_TYPE,
};

/* Whether packets of a device of ARPHRD_ type @type begin with a header of kind @layer. What is
 * neither (802.11 monitor mode, infiniband, CAN …) matches only ANY. */
static bool has_link_layer(uint16_t type, enum link_layer layer)
{
	if (layer == LINK_LAYER_ANY)
		return true;
	if (layer == LINK_LAYER_ETHERNET)
		return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
	for (size_t i = 0; i < ARRAY_SIZE(headerless_types); i++) {
		if (headerless_types[i] == type)
			return true;
	}
	return false;
}

static const struct hook *hook_of(const struct placement *p)
{
	return hook_get(p->row.hook);
}

static struct hook_request request(struct unit *u, struct placement *p,
				   const struct link_info *link)
{
	return (struct hook_request){.unit = u, .placement = p, .link = link};
}

struct attachment attachment_at(const struct link_info *link)
{
	return (struct attachment){.link_id = link->id,
				   .ifindex = link->ifindex,
				   .netns = link->netns};
}

int hook_program_fd(const struct hook_request *r)
{
	return r->unit->programs[r->placement->program].info.fd;
}

/* ---- rows against the object ---- */

static int check_type(const struct config *config, const struct attach_config *row,
		      const struct program_info *program, struct report *report)
{
	const struct hook *hook = hook_get(row->hook);

	if (!hook->types || hook->types & HOOK_TYPE(program->type))
		return 0;
	return report_error(report, &config->source, row->hook_place,
			    "program '%s' is SEC(\"%s\"), and hook '%s' takes %s", program->name,
			    program->section, attach_hook_name(row->hook), hook->section);
}

static int check_row(const struct config *config, const struct attach_config *row,
		     const struct object *o, const struct program_info *program,
		     struct report *report)
{
	const struct hook *hook = hook_get(row->hook);
	struct attach_config meant;
	int err = check_type(config, row, program, report);

	if (!err && hook->check)
		err = hook->check(row, o, program, &config->source, report);
	if (!err && row->hook == HOOK_SECTION &&
	    !hook_of_section(program, section_argument(program), &meant))
		err = report_error(report, &config->source, row->hook_place,
				   "SEC(\"%s\") of program '%s' does not say where it goes; give "
				   "the row a hook",
				   program->section, program->name);
	return err;
}

/* Program of the row @row, into *ret and its number into *ret_index. */
static int find_program(const struct object *o, const struct config *config,
			const struct attach_config *row, struct report *report,
			struct program_info *ret, size_t *ret_index)
{
	for (size_t i = 0; i < object_program_count(o); i++) {
		object_program(o, i, ret);
		if (STREQ(ret->name, row->program.text)) {
			*ret_index = i;
			return 0;
		}
	}
	return report_error(report, &config->source, row->program.place,
			    "the object has no program '%s'", row->program.text);
}

int placements_check(const struct config *c, const struct object *o, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < c->attach.count; i++) {
		const struct attach_config *row = &c->attach.items[i];
		struct program_info program;
		size_t index;

		if (find_program(o, c, row, report, &program, &index) ||
		    check_row(c, row, o, &program, report))
			err = -EINVAL;
	}
	return err;
}

/* ---- making them ---- */

/* The texts of @list, "$name" replaced by the values of that option. */
static int resolve(const struct module *m, const struct text_list *list, struct strv *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < list->count; i++) {
		const char *text = list->items[i].text;

		err = text[0] == '$' ? strv_add_all(ret, module_option(m, text + 1))
				     : strv_add(ret, text, strlen(text));
	}
	return err;
}

/* Of network namespaces "own" is the daemon's, and "all" any, whatever its name. */
static int resolve_netns(const struct module *m, const struct attach_config *row, struct strv *ret)
{
	int err = resolve(m, &row->netns, ret);

	for (size_t i = 0; !err && i < ret->count; i++) {
		if (STREQ(ret->items[i], "all"))
			memcpy(ret->items[i], "*", sizeof("*"));
	}
	return err;
}

/* The file that @pattern names, or NULL. */
static const char *netns_file(const char *pattern)
{
	const char *text = pattern + (pattern[0] == '!');

	return strchr(text, '/') ? text : NULL;
}

static bool is_file_of(const char *path, uint64_t inode)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == inode;
}

/* @inode 0: the own one. */
static bool netns_matches(const struct strv *patterns, uint64_t inode, const char *name)
{
	if (patterns->count == 0)
		return inode == 0;
	for (size_t i = 0; inode && i < patterns->count; i++) {
		const char *file = netns_file(patterns->items[i]);

		if (file && is_file_of(file, inode))
			return patterns->items[i][0] != '!';
	}
	return strv_globs_match(patterns, inode ? name : "own");
}

static bool wants_netns(const struct unit *u, const struct placement *p, uint64_t inode)
{
	const struct netspace *space = inode ? netspaces_find(u->env->spaces, inode) : NULL;

	return netns_matches(&p->netns, inode, space ? space->name : "");
}

bool unit_wants_netns(const struct unit *u, uint64_t inode, const char *name)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		if (hook_of(p)->by_interface && netns_matches(&p->netns, inode, name))
			return true;
	}
	return false;
}

static bool row_leaves_own_netns(const struct module *m, const struct attach_config *row)
{
	_cleanup_strv_ struct strv netns = {0};
	bool leaves = false;

	if (row->when.text && !module_option_is_on(m, row->when.text))
		return false;
	if (resolve_netns(m, row, &netns))
		return false;
	for (size_t i = 0; i < netns.count; i++)
		leaves |= !STREQ(netns.items[i], "own");
	return leaves;
}

bool plan_leaves_own_netns(const struct plan *p)
{
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		for (size_t k = 0; k < m->config->attach.count; k++) {
			if (row_leaves_own_netns(m, &m->config->attach.items[k]))
				return true;
		}
	}
	return false;
}

int unit_add_netns_files(const struct unit *u, struct strv *files)
{
	int err = 0;

	for (size_t i = 0; i < u->n_placements; i++) {
		const struct strv *netns = &u->placements[i].netns;

		for (size_t k = 0; !err && k < netns->count; k++) {
			const char *file = netns_file(netns->items[k]);

			err = file ? strv_add(files, file, strlen(file)) : 0;
		}
	}
	return err;
}

static struct placement *append(struct unit *u, size_t program)
{
	struct placement *placements =
		reallocarray(u->placements, u->n_placements + 1, sizeof(*placements));

	if (!placements)
		return NULL;
	u->placements = placements;
	placements[u->n_placements] = (struct placement){.program = program};
	return &placements[u->n_placements++];
}

/* What the SEC() of @program says. Where it says nothing, there is no placement. */
static int add_by_section(struct unit *u, size_t program)
{
	const struct program_info *info = &u->programs[program].info;
	_cleanup_free_ char *argument = strdup(section_argument(info));
	struct attach_config row;
	struct placement *p;

	if (!argument)
		return -ENOMEM;
	if (!hook_of_section(info, argument, &row))
		return 0;
	p = append(u, program);
	if (!p)
		return -ENOMEM;
	p->row = row;
	p->argument = TAKE_PTR(argument);
	if (hook_of(p)->by_interface)
		return strv_add(&p->interfaces, p->argument, strlen(p->argument));
	return 0;
}

static int add_by_row(struct unit *u, const struct module *m, const struct attach_config *row,
		      size_t program)
{
	struct placement *p;

	u->programs[program].has_row = true;
	if (row->when.text && !module_option_is_on(m, row->when.text))
		return 0;
	if (row->hook == HOOK_SECTION)
		return add_by_section(u, program);
	p = append(u, program);
	if (!p)
		return -ENOMEM;
	p->row = *row;
	if (row->mode_option.text) /* its value was checked when it was set */
		xdp_mode_parse(module_option(m, row->mode_option.text + 1)->items[0], &p->row.mode);
	if (resolve_netns(m, row, &p->netns))
		return -ENOMEM;
	return resolve(m, &row->interfaces, &p->interfaces);
}

static int add_rows(struct unit *u, const struct module *m, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < m->config->attach.count; i++) {
		const struct attach_config *row = &m->config->attach.items[i];
		struct program_info program;
		size_t index = 0;

		if (find_program(u->object, m->config, row, report, &program, &index) ||
		    check_row(m->config, row, u->object, &program, report))
			err = -EINVAL;
		else if (add_by_row(u, m, row, index))
			return -ENOMEM;
	}
	return err;
}

bool program_has_placement(const struct unit *u, size_t program)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		if (u->placements[i].program == program)
			return true;
	}
	return false;
}

int placements_build(struct unit *u, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++) {
		int failed = add_rows(u, &u->plan->modules[i], report);

		if (failed)
			err = failed;
	}
	for (size_t i = 0; i < u->n_programs && err != -ENOMEM; i++) {
		struct unit_program *p = &u->programs[i];

		if (!p->has_row && (!p->info.on_request || p->probe) && add_by_section(u, i))
			err = -ENOMEM;
	}
	return err;
}

/* ---- what is attached ---- */

static void release(struct attachment *a)
{
	free(a->where);
}

/* Room for one more attachment. */
static bool reserve(struct placement *p)
{
	struct attachment *attachments =
		reallocarray(p->attachments, p->n_attachments + 1, sizeof(*attachments));

	if (attachments)
		p->attachments = attachments;
	return attachments;
}

int placement_add(const struct hook_request *r, struct attachment *a, const char *where,
		  struct error *e)
{
	struct placement *p = r->placement;
	struct error ignored;

	a->where = strdup(where);
	if (!a->where || !reserve(p)) {
		hook_of(p)->detach(r, a, &ignored);
		release(a);
		return error_set(e, -ENOMEM, "no memory");
	}
	p->attachments[p->n_attachments++] = *a;
	return 0;
}

/* What it says stays in the log only: there is nobody who could do anything about it. */
static void detach(struct unit *u, struct placement *p, size_t index)
{
	struct attachment *a = &p->attachments[index];
	const struct hook_request r = request(u, p, NULL);
	struct error error;

	persistence_unpin_link(&r, a);
	if (hook_of(p)->detach(&r, a, &error))
		log_warn("%s: %s: %s", u->plan->name, a->where, error.text);
	release(a);
	*a = p->attachments[--p->n_attachments];
}

void placement_detach_all(struct unit *u, struct placement *p)
{
	while (p->n_attachments)
		detach(u, p, p->n_attachments - 1);
}

int hook_close(const struct hook_request *r, struct attachment *a, struct error *e)
{
	(void)r, (void)e;
	a->fd = fd_close(a->fd);
	return 0;
}

void placements_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		placement_detach_all(u, p);
		strv_free(&p->interfaces);
		strv_free(&p->netns);
		free(p->attachments);
		free(p->argument);
		free(p->error);
	}
	free(u->placements);
}

static void keep_error(struct placement *p, const struct error *error)
{
	p->failed++;
	free(p->error);
	p->error = strdup(error->text);
}

/* Only strictly it is an error of the unit. */
static int failed_to_start(struct unit *u, struct placement *p, const struct error *why,
			   struct error *e)
{
	keep_error(p, why);
	if (u->env->strict) {
		*e = *why;
		return why->code;
	}
	log_warn("%s: %s", u->plan->name, why->text);
	return 0;
}

int placement_attach(struct unit *u, struct placement *p, struct error *e)
{
	const struct hook_request r = request(u, p, NULL);

	if (hook_of(p)->by_interface || p->n_attachments || !u->programs[p->program].info.loaded)
		return 0;
	return hook_of(p)->attach(&r, e);
}

static int start(struct unit *u, struct placement *p, struct error *e)
{
	struct error error;

	return placement_attach(u, p, &error) ? failed_to_start(u, p, &error, e) : 0;
}

/* SEC("xdp/eth0") where there is no eth0: it is followed all the same. */
static int check_device(struct unit *u, struct placement *p, struct error *e)
{
	const struct unit_program *program = &u->programs[p->program];
	struct error error = {0};

	if (!p->argument || if_nametoindex(p->argument))
		return 0;
	error_set(&error, -ENODEV,
		  "cannot attach program '%s' (%s): there is no interface '%s'; it is attached "
		  "when that comes",
		  program->info.name, program->info.section, p->argument);
	return failed_to_start(u, p, &error, e);
}

int placements_start(struct unit *u, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		if (p->in_slices || !u->programs[p->program].info.loaded)
			continue;
		err = hook_of(p)->by_interface ? check_device(u, p, e) : start(u, p, e);
	}
	return err;
}

void placements_run(struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];
		const struct hook_request r = request(u, p, NULL);
		struct error error;

		if (hook_of(p)->run && hook_of(p)->run(&r, &error))
			unit_note_read_error(u, &error);
	}
}

/* SEC("uprobe//proc/self/exe:post_attach_mark"). */
static bool waits_for_mark(const struct unit *u, const struct placement *p)
{
	const char *colon = strrchr(u->programs[p->program].info.section, ':');

	return !p->in_slices && p->row.hook == HOOK_SECTION && p->n_attachments && !p->marked &&
	       colon && STREQ(colon, ":post_attach_mark");
}

bool unit_waits_for_mark(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		if (waits_for_mark(u, &u->placements[i]))
			return true;
	}
	return false;
}

void unit_was_marked(struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		if (!waits_for_mark(u, p))
			continue;
		object_detach(u->object, p->program);
		p->marked = true;
	}
}

/* ---- following interfaces ---- */

static struct attachment *find_at(struct placement *p, uint32_t id)
{
	for (size_t i = 0; i < p->n_attachments; i++) {
		if (p->attachments[i].link_id == id)
			return &p->attachments[i];
	}
	return NULL;
}

/* In the place of what a daemon before left there, or anew. */
static int adopt_or_attach(const struct hook_request *r, struct error *e)
{
	struct placement *p = r->placement;
	int err = persistence_adopt_link(r, e);

	if (err)
		return MIN(err, 0);
	err = hook_of(p)->attach(r, e);
	if (!err)
		persistence_pin_link(r, &p->attachments[p->n_attachments - 1]);
	return err;
}

static void attach_at(struct unit *u, struct placement *p, const struct link_info *link)
{
	const struct hook_request r = request(u, p, link);
	struct error error;
	int err = deferred_load(u, p->program, &error);

	if (!err)
		err = netspaces_enter(u->env->spaces, link->netns, &error);

	if (!err) {
		err = adopt_or_attach(&r, &error);
		netspaces_leave(u->env->spaces);
	}
	/* What has one place only is now where it should be. */
	if (!err && p->argument) {
		free(TAKE_PTR(p->error));
		p->failed = 0;
	}
	/* An interface that vanished before we got there is nobody's fault. */
	if (!err || err == -ENODEV)
		return;
	persistence_hold_link(&r);
	keep_error(p, &error);
	log_warn("%s: %s: %s", u->plan->name, link->name, error.text);
}

static void rename_at(struct attachment *a, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return;
	free(a->where);
	a->where = copy;
}

static bool is_for(const struct unit *u, const struct placement *p, const struct link_info *link)
{
	return has_link_layer(link->type, p->row.link_layer) &&
	       link_is_chosen(link, &p->interfaces) && wants_netns(u, p, link->netns);
}

static void follow(struct unit *u, struct placement *p, enum link_event event,
		   const struct link_info *link)
{
	bool wanted = event != LINK_REMOVED && is_for(u, p, link);
	struct attachment *present = find_at(p, link->id);

	if (wanted && present)
		rename_at(present, link->name);
	else if (wanted)
		attach_at(u, p, link);
	else if (present)
		detach(u, p, (size_t)(present - p->attachments));
}

void unit_link_event(struct unit *u, enum link_event event, const struct link_info *link)
{
	/* Before the first packet is seen, and until after the last one. */
	if (event == LINK_ADDED)
		interface_ids_add(u, link);
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		if (hook_of(p)->by_interface &&
		    (u->programs[p->program].info.loaded || u->programs[p->program].deferred))
			follow(u, p, event, link);
	}
	if (event == LINK_REMOVED)
		interface_ids_remove(u, link);
}

bool program_is_for_headerless(const struct unit *u, size_t program)
{
	bool any = false;

	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		if (p->program != program)
			continue;
		if (!hook_of(p)->by_interface || p->row.link_layer != LINK_LAYER_NONE)
			return false;
		any = true;
	}
	return any;
}

struct search {
	const struct unit *unit;
	size_t program;
	bool found;
};

static void on_present(void *ctx, enum link_event event, const struct link_info *link)
{
	struct search *s = ctx;

	(void)event;
	for (size_t i = 0; i < s->unit->n_placements; i++) {
		const struct placement *p = &s->unit->placements[i];

		s->found |= p->program == s->program && is_for(s->unit, p, link);
	}
}

bool program_has_interface(const struct unit *u, size_t program)
{
	struct search s = {.unit = u, .program = program};

	links_each(u->env->links, on_present, &s);
	return s.found;
}

static bool is_at_interfaces(const struct unit *u, const struct placement *p)
{
	return hook_of(p)->by_interface && !p->in_slices && u->programs[p->program].info.loaded;
}

bool unit_is_nowhere(const struct unit *u, struct buf *choice)
{
	const struct strv *patterns = NULL;

	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		if (!is_at_interfaces(u, p))
			continue;
		if (p->n_attachments || p->failed)
			return false;
		patterns = &p->interfaces;
	}
	for (size_t i = 0; patterns && i < patterns->count; i++)
		buf_printf(choice, "%s%s", i ? ", " : "", patterns->items[i]);
	return patterns;
}

void unit_each_place(const struct unit *u, void (*fn)(void *ctx, const struct attachment *at),
		     void *ctx)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *p = &u->placements[i];

		for (size_t k = 0; hook_of(p)->by_interface && k < p->n_attachments; k++)
			fn(ctx, &p->attachments[k]);
	}
}

/* ---- taking over ---- */

static bool is_same_place(const struct unit *u, const struct placement *p,
			  const struct unit *old_unit, const struct placement *old)
{
	return hook_of(p)->by_interface && old->row.hook == p->row.hook &&
	       old->row.link_layer == p->row.link_layer &&
	       (hook_of(p)->exclusive || STREQ(old_unit->programs[old->program].info.name,
					       u->programs[p->program].info.name));
}

/* Whether @a is @p's now. What is not stays with the predecessor, which detaches it. */
static bool take_over_one(struct unit *u, struct placement *p, struct attachment *a)
{
	const struct hook_request r = request(u, p, NULL);
	struct link_info link;
	struct error error;
	int err;

	if (!links_get(u->env->links, a->link_id, &link) || !is_for(u, p, &link) || !reserve(p))
		return false;
	err = hook_of(p)->replace(&r, a, &error);
	if (!err) {
		p->attachments[p->n_attachments++] = *a;
		if (!a->pinned)
			persistence_pin_link(&r, &p->attachments[p->n_attachments - 1]);
	} else if (err != -ENODEV && err != -EOPNOTSUPP) {
		log_warn("%s: %s: %s", u->plan->name, a->where, error.text);
	}
	return !err;
}

static void take_over(struct unit *u, struct placement *p, struct placement *from)
{
	for (size_t i = 0; i < from->n_attachments;) {
		if (take_over_one(u, p, &from->attachments[i]))
			from->attachments[i] = from->attachments[--from->n_attachments];
		else
			i++;
	}
}

void unit_take_over(struct unit *u, struct unit *predecessor)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		for (size_t k = 0; k < predecessor->n_placements; k++) {
			struct placement *p = &u->placements[i];
			struct placement *from = &predecessor->placements[k];

			if (is_same_place(u, p, predecessor, from) &&
			    u->programs[p->program].info.loaded)
				take_over(u, p, from);
		}
	}
}

void unit_make_room(struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		if (hook_of(p)->exclusive)
			placement_detach_all(u, p);
	}
}
