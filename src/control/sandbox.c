// SPDX-License-Identifier: MIT
#include "control/sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "http/security.h"
#include "kernel/pins.h"

/* What is read of the system, by whoever; what is not there is left out. */
static const char *const readable[] = {
	"/proc", /* kallsyms, net/, mounts, the own limits */
	"/sys",  /* BTF, the tracefs, interfaces, cgroups, CPUs, PCI devices */
	"/etc",  /* users and groups, services, resolvers, time servers, TLS's policy */
	"/usr",  /* the C library's own, lists of PCI devices and of public suffixes */
	"/lib",
	"/lib64",
	"/dev/null",
	"/dev/urandom",
	"/run/netns", /* names of network namespaces */
	"/run/docker/netns",
	"/run/systemd/resolve", /* resolvers and time servers that guard must not cut off */
	"/run/chrony-dhcp",
	"/var/log/containers", /* names of containers and pods */
	"/var/log/pods",
	"/var/lib/docker/containers",
	"/var/lib/containers",
	"/var/lib/pciutils",
};

static int add(struct strv *to, const char *path)
{
	return strv_add(to, path, strlen(path));
}

/* What is needed whatever the configuration says. */
static int add_system(struct landlock_paths *paths, const struct needs *needs)
{
	/* systemd.exec(5): made for the service, for modules that are switched on later, too. */
	const char *state = getenv("STATE_DIRECTORY");
	_cleanup_free_ char *pins = NULL;
	struct error ignored;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(readable); i++)
		err = add(&paths->read, readable[i]);
	if (!err)
		err = add(&paths->write, "/dev/null");
	if (!err && state)
		err = add(&paths->write, state);
	/* libbpf opens "/" for no more than a number (bpf_map__reuse_fd()), to go on with a map. */
	if (!err && needs->persistent)
		err = add(&paths->list, "/");
	if (!err && !pins_find(&pins, &ignored))
		err = add(&paths->write, pins);
	return err;
}

static int collect(const struct sandbox_options *o, struct landlock_paths *paths,
		   struct needs *needs)
{
	int err = needs_collect(o->plan, paths, needs);

	if (!err && o->web_config)
		err = security_add_folders(o->web_config, &paths->read);
	if (!err && o->btf_path)
		err = needs_add_folder(&paths->read, o->btf_path);
	if (!err && *o->control_socket)
		err = needs_add_folder(&paths->write, o->control_socket);
	return err;
}

int sandbox_init(struct sandbox *s, const struct sandbox_options *options)
{
	*s = (struct sandbox){.options = *options, .why_off = "nobody asked for it"};
	return collect(options, &s->paths, &s->needs);
}

void sandbox_free(struct sandbox *s)
{
	landlock_paths_free(&s->paths);
}

int sandbox_enter(struct sandbox *s, struct error *e)
{
	int err = add_system(&s->paths, &s->needs);

	if (err)
		return error_set(e, err, "no memory for the paths that can be reached");
	err = landlock_enforce(&s->paths, e);
	if (err)
		return err;
	s->abi = landlock_abi();
	s->why_off = NULL;
	return 0;
}

static int check_paths(const struct sandbox *s, const struct strv *wanted, bool write,
		       struct error *e)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const char *path = wanted->items[i];

		if (landlock_covers(&s->paths.write, path) ||
		    (!write && landlock_covers(&s->paths.read, path)))
			continue;
		error_set_usage(
			e,
			"'%s' is out of reach of this daemon, which has confined itself to the "
			"folders that its configuration named when it started",
			path);
		return error_hint(e, "restart the daemon, or keep what it reads below those that "
				     "`wiregauge status --json` lists");
	}
	return 0;
}

int sandbox_check(const struct sandbox *s, struct error *e)
{
	struct landlock_paths wanted = {0};
	struct needs needs;
	int err = s && s->abi ? collect(&s->options, &wanted, &needs) : 0;

	if (err)
		error_set(e, err, "no memory for the paths of the configuration");
	if (!err)
		err = check_paths(s, &wanted.read, false, e);
	if (!err)
		err = check_paths(s, &wanted.write, true, e);
	landlock_paths_free(&wanted);
	return err;
}
