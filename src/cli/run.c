// SPDX-License-Identifier: MIT
/* The daemon. */
#include <errno.h>
#include <libgen.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "base/capabilities.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/user.h"
#include "base/watchdog.h"
#include "cli/command.h"
#include "control/operation.h"
#include "control/reload.h"
#include "control/sandbox.h"
#include "control/server.h"
#include "control/service.h"
#include "engine/agent.h"
#include "engine/privileges.h"
#include "http/listen.h"
#include "http/pages.h"
#include "http/security.h"
#include "kernel/pins.h"

enum {
	/* Far more than scrapers are; the others are slow, idle, or up to something. */
	CONNECTIONS_MAX = 2048,
	LARGE_BYTES = 128 << 10, /* of an allocation */
};

struct run_options {
	const char *config;
	const char *config_dir;
	struct cli_list config_names;
	bool config_check;
	bool config_strict;
	bool config_lenient;
	bool aliases;
	struct cli_list modules;
	struct cli_list settings;
	const char *listen_address;
	const char *telemetry_path;
	const char *web_config;
	bool web_api;
	const char *control_socket;
	const char *tc_mechanism;
	const char *btf_path;
	const char *rootfs;
	struct cli_list keep;
	const char *user;
	const char *sandbox;
	bool debug;
	const char *log_level;
	const char *log_format;
	bool log_no_timestamps;
};

#define AT(member) .offset = offsetof(struct run_options, member)

/* Its address says whether another was given. */
static const char listen_default[] = ":9435";

static const struct cli_option run_option_rows[] = {
	{"config", "FILE", NULL, NULL, CLI_STRING, AT(config),
	 "The daemon file: which modules run, with which options"},
	{"module", "NAMES", NULL, CHOICES_MODULES, CLI_LIST, AT(modules),
	 "Run just these built-in modules; none with an empty value"},
	{"option", "MODULE.NAME=VALUE", NULL, CHOICES_OPTIONS, CLI_TEXTS, AT(settings),
	 "Set an option of a module; see: wiregauge modules options"},
	{"config.dir", "DIR", NULL, NULL, CLI_STRING, AT(config_dir),
	 "Run your own configs out of this folder, NAME.yaml with NAME.bpf.o"},
	{"config.names", "NAMES", NULL, NULL, CLI_LIST, AT(config_names),
	 "Only these of them, separated by commas"},
	{"config.check", NULL, NULL, NULL, CLI_FLAG, AT(config_check),
	 "Check the configuration and end"},
	{"config.strict", NULL, NULL, NULL, CLI_FLAG, AT(config_strict),
	 "End when a config is wrong or a program cannot be attached"},
	{"config.lenient", NULL, NULL, NULL, CLI_FLAG, AT(config_lenient),
	 "Only warn of keys that are not known"},
	{"aliases", NULL, NULL, NULL, CLI_FLAG, AT(aliases),
	 "Export some metrics under the names of older tools as well, for their dashboards"},
	{"config.skip-cache-size", "N", NULL, NULL, CLI_IGNORED, 0,
	 "Accepted for ebpf_exporter's command lines; does nothing"},
	{"web.listen-address", "ADDRESS", listen_default, NULL, CLI_STRING, AT(listen_address),
	 "Where to serve metrics; fd://N for a socket that was passed, which systemd's is by "
	 "itself"},
	{"web.telemetry-path", "PATH", "/metrics", NULL, CLI_STRING, AT(telemetry_path),
	 "The path of the metrics"},
	{"web.config.file", "FILE", NULL, NULL, CLI_STRING, AT(web_config),
	 "TLS, users and headers of the listener, as Prometheus's exporters have them in a file"},
	{"web.api", NULL, NULL, NULL, CLI_FLAG, AT(web_api),
	 "Answer there what status and tables do, too; nothing that changes anything"},
	CLI_OPTION_SOCKET(struct run_options, control_socket),
	{"tc.mechanism", "auto|tcx|clsact", "auto", "auto tcx clsact", CLI_STRING, AT(tc_mechanism),
	 "How to attach to interfaces"},
	{"btf.path", "FILE", NULL, NULL, CLI_STRING, AT(btf_path),
	 "BTF of the kernel, where /sys/kernel/btf/vmlinux is missing"},
	{"path.rootfs", "DIR", NULL, NULL, CLI_STRING, AT(rootfs),
	 "Where the host's root is mounted: names of containers and pods are read below it"},
	{"capabilities.keep", "NAMES", "all", NULL, CLI_LIST, AT(keep),
	 "Give up all capabilities but these once attached; all, none, or needed: what the "
	 "modules that run go on needing"},
	{"user", "NAME", NULL, NULL, CLI_STRING, AT(user),
	 "Started as root, become this user and keep the capabilities that the modules need"},
	{"sandbox", "auto|on|off", "auto", "auto on off", CLI_STRING, AT(sandbox),
	 "Confine the daemon to its files by Landlock; auto: where it is not root"},
	{"debug", NULL, NULL, NULL, CLI_FLAG, AT(debug),
	 "Log at level debug, and serve raw maps at /maps"},
	{"log.level", "LEVEL", "info", "error warn info debug", CLI_STRING, AT(log_level),
	 "error, warn, info or debug"},
	{"log.format", "FORMAT", "text", "text json", CLI_STRING, AT(log_format), "text or json"},
	{"log.no-timestamps", NULL, NULL, NULL, CLI_FLAG, AT(log_no_timestamps),
	 "No time in log lines, for a journal that has its own"},
};

/* Everything that the daemon is, beside its engine. */
struct daemon {
	const struct run_options *options;
	const struct plan_options *plan;
	struct agent *agent;
	struct pages pages;
	struct service_routes web_services;
	struct http_route *routes; /* of both */
	struct http_server *web;
	bool tls;
	struct control_server *control;
	struct reloader reloader;
	struct sandbox sandbox;
	struct watchdog watchdog;
	int signal_fd;
};

/* ---- options ---- */

static int set_up_log(const struct run_options *o, struct error *e)
{
	struct log_settings settings = {
		.json = STREQ(o->log_format, "json"),
		.no_timestamps = o->log_no_timestamps,
	};

	if (!settings.json && !STREQ(o->log_format, "text"))
		return error_set_usage(e, "--log.format takes text or json, not '%s'",
				       o->log_format);
	if (log_level_parse(o->log_level, &settings.level))
		return error_set_usage(e, "--log.level takes error, warn, info or debug, not '%s'",
				       o->log_level);
	if (o->debug)
		settings.level = LOG_LEVEL_DEBUG;
	log_setup(settings);
	object_log_setup();
	return 0;
}

static int parse_mechanism(const char *text, enum tc_mechanism *ret, struct error *e)
{
	static const struct {
		const char *text;
		enum tc_mechanism mechanism;
	} rows[] = {{"auto", TC_AUTO}, {"tcx", TC_TCX}, {"clsact", TC_CLSACT}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (STREQ(rows[i].text, text)) {
			*ret = rows[i].mechanism;
			return 0;
		}
	}
	return error_set_usage(e, "--tc.mechanism takes auto, tcx or clsact, not '%s'", text);
}

static int make_agent_options(const struct run_options *o, struct agent_options *ret,
			      struct error *e)
{
	*ret = (struct agent_options){
		.plan =
			{
				.config_file = o->config,
				.config_dir = o->config_dir,
				.config_names = o->config_names.values,
				.modules_given = o->modules.given,
				.modules = o->modules.values,
				.settings = o->settings.values,
				.lenient = o->config_lenient,
				.aliases = o->aliases,
				.web_api = o->web_api,
			},
		.btf_path = o->btf_path,
		.rootfs = o->rootfs,
		.strict = o->config_strict,
		.rights_go = o->keep.given,
	};
	if (o->telemetry_path[0] != '/' || STREQ(o->telemetry_path, "/"))
		return error_set_usage(
			e, "--web.telemetry-path takes a path such as /metrics, not '%s'",
			o->telemetry_path);
	return parse_mechanism(o->tc_mechanism, &ret->tc_mechanism, e);
}

enum sandbox_mode { SANDBOX_AUTO, SANDBOX_ON, SANDBOX_OFF };

static int parse_sandbox(const char *text, enum sandbox_mode *ret, struct error *e)
{
	static const char *const modes[] = {
		[SANDBOX_AUTO] = "auto", [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off"};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (STREQ(modes[i], text)) {
			*ret = (enum sandbox_mode)i;
			return 0;
		}
	}
	return error_set_usage(e, "--sandbox takes auto, on or off, not '%s'", text);
}

/* ---- the environment of an older tool, so that its unit file need not be changed ---- */

struct port_address {
	char text[16];
};

/* PE_PORT is the port when no flag says one. */
static int heed_port(struct run_options *o, struct port_address *to, struct error *e)
{
	const char *text = getenv("PE_PORT");
	unsigned long port;
	char *end;

	if (!text || o->listen_address != listen_default)
		return 0;
	port = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || port == 0 || port > UINT16_MAX)
		return error_set_usage(e, "PE_PORT in the environment takes a port, not '%s'",
				       text);
	snprintf(to->text, sizeof(to->text), ":%lu", port);
	o->listen_address = to->text;
	return 0;
}

/* A socket that the service manager listens at goes before the default, not before what is said. */
static void heed_passed_socket(struct run_options *o)
{
	const char *passed = listen_passed();

	if (passed && o->listen_address == listen_default)
		o->listen_address = passed;
}

static void heed_workers(void)
{
	if (getenv("PE_WORKERS"))
		log_warn("PE_WORKERS does nothing here: packets are counted in the kernel");
}

/* ---- signals ---- */

static void on_signal(void *ctx)
{
	struct daemon *d = ctx;
	_cleanup_buf_ struct buf details = {0}; /* it is all in the log */
	struct signalfd_siginfo info;
	struct error error;

	if (read(d->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		log_info("SIGHUP by uid %u, process %u", info.ssi_uid, info.ssi_pid);
		reload_run(&d->reloader, &details, &error);
		return;
	}
	log_info("stopping: %s", strsignal((int)info.ssi_signo));
	loop_stop(d->agent->loop);
}

/* Before any thread is started, so that all of them leave these signals to the descriptor. */
static int block_signals(struct daemon *d, struct error *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (d->signal_fd < 0)
		return error_set(e, -errno, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

/* ---- life ---- */

/* Two descriptors for each interface: as many as the system grants. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_debug("cannot raise the limit of open files: %s", strerror(errno));
}

/* What maps are read into is as large as they can become, and touched as far as they are: where
 * huge pages are "always" the kernel would make 2 MiB of each of these pages. */
static void refuse_huge_pages(void)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		log_debug("cannot refuse transparent huge pages: %s", strerror(errno));
}

/* What is large is mapped for itself: its pages are there only once they are touched, and go when
 * it is freed. By itself the C library raises the size from which on it does so to that of the
 * largest that was ever freed, the kernel's BTF, and clears by hand what it takes from its heap
 * instead. */
static void map_what_is_large(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

static void say_ready(const struct daemon *d)
{
	const char *address = d->options->listen_address;
	bool inherited = strncmp(address, "fd://", strlen("fd://")) == 0;
	const char *scheme = d->tls ? "https://" : "http://";
	double seconds =
		(double)(clock_monotonic_ns() - d->agent->started_ns) / (double)NSEC_PER_SEC;
	char what[64];

	log_info("ready: %s after %.2f s; metrics at %s%s%s%s",
		 reload_count_modules(d->agent, what, sizeof(what)), seconds,
		 inherited ? "" : scheme, address[0] == ':' ? "localhost" : "", address,
		 d->options->telemetry_path);
	if (notify_send("READY=1\nSTATUS=serving"))
		log_warn("cannot tell the service manager that all is ready");
}

/* What is wanted for as long as units run, and goes. */
static void warn_of_lost_rights(const struct agent *a, uint64_t kept)
{
	const struct privilege *p;
	char name[CAPABILITY_NAME_MAX];

	for (size_t i = 0; (p = privilege_at(i)); i++) {
		if (p->when == PRIVILEGE_KEPT && !(kept & CAPABILITY(p->capability)) &&
		    privilege_is_wanted(a, i))
			log_warn("without %s goes what it is for from now on: %s; "
				 "--capabilities.keep=needed keeps what the modules need",
				 capability_name(p->capability, name), p->why);
	}
}

static int choose_kept(const struct run_options *o, const struct agent *a, uint64_t *ret,
		       struct error *e)
{
	const struct strv *keep = &o->keep.values;

	if (!o->keep.given) { /* with --user: also what a reload takes */
		*ret = privileges_wanted(a, false);
		return 0;
	}
	if (keep->count != 1 || !STREQ(keep->items[0], "needed"))
		return capabilities_parse(keep, ret, e);
	*ret = privileges_wanted(a, true);
	return 0;
}

/* Before Linux 5.19 kernel.unprivileged_bpf_disabled forbids whoever lacks CAP_BPF to read maps,
 * also those that he has open: without it nothing could be scraped. */
static int give_up_capabilities(const struct run_options *o, const struct agent *a, struct error *e)
{
	uint64_t keep;
	int err = choose_kept(o, a, &keep, e);

	if (err)
		return err;
	if (a->env.bpf_takes_capability && !(keep & CAPABILITY(CAP_BPF))) {
		log_warn("this kernel lets nobody without cap_bpf read BPF maps: it is kept");
		keep |= CAPABILITY(CAP_BPF);
	}
	warn_of_lost_rights(a, keep);
	return capabilities_keep(keep, e);
}

/* The directory of the control socket, where root has to make it. */
static int prepare_socket_directory(const char *socket, const struct user *u, struct error *e)
{
	_cleanup_free_ char *copy = strdup(socket);
	const char *directory = copy ? dirname(copy) : NULL;
	bool ours = STREQ(socket, CONTROL_SOCKET_DEFAULT);

	if (!directory)
		return error_set(e, -ENOMEM, "no memory");
	if (!*socket || (mkdir(directory, 0755) && (errno != EEXIST || !ours)))
		return 0; /* what stands against it is said when the socket is made */
	if (chown(directory, u->uid, u->gid))
		return error_set(e, -errno, "cannot give '%s' to user %u: %s", directory,
				 (unsigned)u->uid, error_words(-errno));
	return 0;
}

/* What outlives the daemon is the user's; without, it ends with the daemon, and status says so. */
static void prepare_pins(const struct daemon *d, const struct user *u)
{
	struct error error;

	if (d->sandbox.needs.persistent && pins_prepare(u->uid, u->gid, &error))
		log_warn("%s", error.text);
}

/* Before Linux 5.11 maps count against what may be locked; only root raises that. */
static void raise_memory_limit(void)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_MEMLOCK, &unlimited))
		log_debug("cannot raise the limit of locked memory: %s", strerror(errno));
}

/* Until all is attached it may have whatever modules can want; then what those want that run. */
static int become_user(const struct daemon *d, struct error *e)
{
	const char *name = d->options->user;
	struct user user;
	int err = user_find(name, &user, e);

	if (!err)
		err = prepare_socket_directory(d->options->control_socket, &user, e);
	if (err)
		return err;
	prepare_pins(d, &user);
	raise_memory_limit();
	return user_become(name, &user, privileges_possible(), e);
}

/* By itself it is confined where that takes nothing away from anybody: whoever runs it as root,
 * or has it enter other network namespaces, may have files anywhere, and processes' namespaces. */
static int confine(struct daemon *d, struct error *e)
{
	enum sandbox_mode mode = SANDBOX_AUTO;
	int err = parse_sandbox(d->options->sandbox, &mode, e);

	if (err || mode == SANDBOX_OFF)
		return err;
	if (mode == SANDBOX_AUTO && geteuid() == 0) {
		d->sandbox.why_off =
			"the daemon runs as root; --sandbox=on confines it all the same";
		return 0;
	}
	if (mode == SANDBOX_AUTO && d->sandbox.needs.leaves_netns) {
		d->sandbox.why_off =
			"other network namespaces are entered, and Landlock forbids to "
			"look at the processes in them";
		return 0;
	}
	err = sandbox_enter(&d->sandbox, e);
	if (err == -EOPNOTSUPP && mode == SANDBOX_AUTO) {
		d->sandbox.why_off = "this kernel has no Landlock";
		return 0;
	}
	return err;
}

/* From root to what the daemon is while it runs, before it has any thread. */
static int give_up_root(struct daemon *d, struct error *e)
{
	const struct run_options *o = d->options;
	const struct sandbox_options options = {.web_config = o->web_config,
						.btf_path = o->btf_path,
						.control_socket = o->control_socket,
						.plan = d->plan};
	int err = sandbox_init(&d->sandbox, &options);

	if (err)
		return error_set(e, err, "no memory for the paths of the configuration");
	if (o->user)
		err = become_user(d, e);
	/* It starts no other program. */
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_debug("cannot refuse new privileges: %s", strerror(errno));
	return err ? err : confine(d, e);
}

/* Everything that counts; then privileges go, and what serves is started with what is left. */
static int start_agent(struct daemon *d, const struct agent_options *options, struct error *e)
{
	const struct run_options *o = d->options;
	int err = agent_start(options, &d->agent, e);

	if (!err && (o->keep.given || o->user))
		err = give_up_capabilities(o, d->agent, e);
	if (!err)
		err = agent_start_scraper(d->agent, e);
	if (!err && (err = loop_add(d->agent->loop, d->signal_fd, on_signal, d)))
		err = error_set(e, err, "cannot wait for signals: %s", strerror(-err));
	if (!err && (err = watchdog_start(&d->watchdog, d->agent->loop)))
		err = error_set(e, err, "cannot answer the service manager's watchdog: %s",
				strerror(-err));
	return err;
}

/* *ret stays as it is without a web config file. */
static int load_security(const struct run_options *o, struct http_security **ret, struct error *e)
{
	_cleanup_report_ struct report report = {0};
	int err = o->web_config ? security_load(o->web_config, NULL, &report, ret) : 0;

	if (report.text.len)
		log_write(report.errors ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%s",
			  buf_str(&report.text));
	if (err == -EINVAL)
		return error_set_usage(e, "the web config file '%s' is wrong", o->web_config);
	return err ? error_set(e, err, "no memory for the web config file") : 0;
}

/* The pages, and what is asked there while web.api says so. */
static int make_routes(struct daemon *d, struct error *e)
{
	const struct run_options *o = d->options;
	int err = service_routes_init(&d->web_services, &d->reloader, SERVICE_WEB);

	pages_init(&d->pages, d->agent, o->telemetry_path, o->debug);
	d->routes = calloc(d->pages.n_routes + d->web_services.count, sizeof(*d->routes));
	if (err || !d->routes)
		return error_set(e, -ENOMEM, "no memory for what is served");
	memcpy(d->routes, d->pages.routes, d->pages.n_routes * sizeof(*d->routes));
	memcpy(d->routes + d->pages.n_routes, d->web_services.routes,
	       d->web_services.count * sizeof(*d->routes));
	return 0;
}

/* Takes over @fd and @security. */
static int start_web(struct daemon *d, int fd, struct http_security *security, struct error *e)
{
	struct http_server_options options = {
		.listen_fd = fd,
		.connections_max = CONNECTIONS_MAX,
		.security = security,
	};
	int err = make_routes(d, e);

	if (err) {
		fd_close(fd);
		security_unref(security);
		return err;
	}
	options.routes = d->routes;
	options.n_routes = d->pages.n_routes + d->web_services.count;
	err = http_server_start(&options, &d->web, e);
	d->reloader.web = d->web;
	return err;
}

/* Sockets first: a port that is in use, or another daemon, is said before anything is attached. */
static int start(struct daemon *d, const struct agent_options *options, struct error *e)
{
	const struct run_options *o = d->options;
	_cleanup_close_ int web_fd = -1;
	_cleanup_close_ int control_fd = -1;
	_cleanup_(security_unref_p) struct http_security *security = NULL;
	int err = listen_tcp(o->listen_address, &web_fd, e);

	if (!err)
		err = give_up_root(d, e);
	if (!err)
		err = load_security(o, &security, e);
	if (!err && *o->control_socket)
		err = listen_unix(o->control_socket, peer_group(), &control_fd, e);
	if (!err)
		err = start_agent(d, options, e);
	d->reloader = (struct reloader){.agent = d->agent,
					.web_config = o->web_config,
					.sandbox = &d->sandbox};
	if (!err && control_fd >= 0)
		err = control_server_start(&d->reloader, TAKE_FD(control_fd), o->control_socket,
					   &d->control, e);
	if (err) {
		if (control_fd >= 0)
			unlink(o->control_socket);
		return err;
	}
	d->tls = security && security->tls;
	return start_web(d, TAKE_FD(web_fd), TAKE_PTR(security), e);
}

static void stop(struct daemon *d)
{
	notify_send("STOPPING=1");
	if (d->agent)
		loop_drain(d->agent->loop);
	http_server_stop(d->web);
	pages_free(&d->pages);
	service_routes_free(&d->web_services);
	free(d->routes);
	control_server_stop(d->control);
	agent_stop(d->agent);
	watchdog_stop(&d->watchdog);
	fd_close(d->signal_fd);
	sandbox_free(&d->sandbox);
}

/* What ends the daemon goes where its log goes, in the same form. */
static enum exit_code fail(const struct error *e)
{
	log_error("%s", e->text);
	return e->exit;
}

/* All that is wrong is told, before the first of it decides what the end is. */
static enum exit_code check(const struct run_options *o, const struct agent_options *options)
{
	_cleanup_(security_unref_p) struct http_security *security = NULL;
	_cleanup_report_ struct report report = {0}, web_report = {0};
	struct error error, other;
	int err = agent_check(options, &report, &error);

	if (listen_check(o->listen_address, err ? &other : &error))
		err = err ? err : error.code;
	if (o->web_config && security_load(o->web_config, NULL, &web_report, &security) && !err)
		err = error_set_usage(&error, "the web config file '%s' is wrong", o->web_config);
	fputs(buf_str(&report.text), stderr);
	fputs(buf_str(&web_report.text), stderr);
	return err ? command_fail(&error) : EXIT_DONE;
}

static enum exit_code run_run(const struct command_call *call)
{
	struct run_options o = *(const struct run_options *)call->options;
	struct daemon d = {.options = &o, .signal_fd = -1, .watchdog = WATCHDOG_NONE};
	struct port_address port;
	struct agent_options options;
	struct error error;
	int err;

	if (set_up_log(d.options, &error))
		return command_fail(&error);
	if (heed_port(&o, &port, &error) || make_agent_options(d.options, &options, &error))
		return fail(&error);
	heed_passed_socket(&o);
	heed_workers();
	d.plan = &options.plan;
	if (d.options->config_check)
		return check(d.options, &options);
	raise_descriptor_limit();
	refuse_huge_pages();
	map_what_is_large();
	err = block_signals(&d, &error);
	if (!err)
		err = start(&d, &options, &error);
	if (!err) {
		say_ready(&d);
		err = loop_run(d.agent->loop);
		if (err)
			error_set(&error, err, "the event loop failed: %s", strerror(-err));
	}
	stop(&d);
	return err ? fail(&error) : EXIT_DONE;
}

COMMAND(run, .name = "run", .summary = "Run the daemon: measure, and serve metrics", .order = 100,
	.text = "Attaches the built-in modules, and your own configs with --config.dir, and serves "
		"their metrics until it is told to stop by SIGTERM or SIGINT. SIGHUP makes it read "
		"its configuration again.",
	.examples = "  wiregauge run\n"
		    "  wiregauge run --option tc.interfaces='eth*,!eth9'\n"
		    "  wiregauge run --config.dir examples --config.names timers",
	.options = run_option_rows, .n_options = ARRAY_SIZE(run_option_rows),
	.size = sizeof(struct run_options), .run = run_run);
