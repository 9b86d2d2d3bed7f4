// SPDX-License-Identifier: MIT
#include "engine/selfmetrics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/persistence.h"
#include "engine/slices.h"

/* Empty, for the labels of a next sample; one buffer for all. */
static struct buf *begin_labels(const struct family *f)
{
	struct agent *a = f->ctx;

	buf_reset(&a->own_labels);
	return &a->own_labels;
}

static struct label_text as_label_text(const struct buf *b)
{
	return (struct label_text){b->data, b->len};
}

static void add_labelled(const struct family *f, const struct exposition *x, struct buf *out,
			 const char *label, const char *text, uint64_t value)
{
	struct buf *labels = begin_labels(f);

	label_text_add_str(labels, label, text);
	x->add_uint(out, f, as_label_text(labels), value);
}

/* ---- configs ---- */

static void enabled_configs(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	for (size_t i = 0; i < a->n_units; i++) {
		const struct plan *p = a->units[i]->plan;

		for (size_t k = 0; k < p->n_modules; k++)
			add_labelled(f, x, out, "name", p->modules[k].config->name, 1);
	}
}

static void decoder_errors(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	for (size_t i = 0; i < a->n_units; i++)
		add_labelled(f, x, out, "config", a->units[i]->plan->name,
			     a->units[i]->decode_errors);
}

static void read_errors(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	for (size_t i = 0; i < a->n_units; i++)
		add_labelled(f, x, out, "config", a->units[i]->plan->name,
			     a->units[i]->read_errors);
}

/* ---- maps ---- */

typedef bool (*map_number_fn)(const struct metric_config *metric,
			      const struct collector_counts *counts, uint64_t *ret);

/* A sample for each map of which @number has something to say. */
static void each_map(const struct family *f, const struct exposition *x, struct buf *out,
		     map_number_fn number)
{
	const struct agent *a = f->ctx;

	for (size_t i = 0; i < a->n_units; i++) {
		const struct unit *u = a->units[i];

		for (size_t k = 0; k < u->n_collectors; k++) {
			const struct metric_config *m = collector_config(u->collectors[k]);
			struct buf *labels = begin_labels(f);
			struct collector_counts counts;
			uint64_t value;

			collector_counts(u->collectors[k], &counts);
			if (!number(m, &counts, &value))
				continue;
			label_text_add_str(labels, "config", u->plan->name);
			label_text_add_str(labels, "map", m->name.text);
			x->add_uint(out, f, as_label_text(labels), value);
		}
	}
}

static bool number_entries(const struct metric_config *m, const struct collector_counts *counts,
			   uint64_t *ret)
{
	(void)m;
	*ret = counts->entries;
	return counts->max_entries > 0;
}

static void map_entries(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_map(f, x, out, number_entries);
}

static bool number_max_entries(const struct metric_config *m, const struct collector_counts *counts,
			       uint64_t *ret)
{
	(void)m;
	*ret = counts->max_entries;
	return counts->max_entries > 0;
}

static void map_max_entries(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_map(f, x, out, number_max_entries);
}

static bool number_overflowed(const struct metric_config *m, const struct collector_counts *counts,
			      uint64_t *ret)
{
	*ret = counts->overflowed;
	return m->max_series > 0;
}

static void entries_overflow(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_map(f, x, out, number_overflowed);
}

static bool number_expired(const struct metric_config *m, const struct collector_counts *counts,
			   uint64_t *ret)
{
	*ret = counts->expired;
	return m->ttl_ns > 0;
}

static void entries_expired(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_map(f, x, out, number_expired);
}

static void reload_successful(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	x->add_uint(out, f, (struct label_text){0}, !a->reload_failed);
}

static void reload_success(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	x->add_double(out, f, (struct label_text){0}, a->configured);
}

/* ---- events ---- */

typedef uint64_t (*events_number_fn)(const struct events_stats *stats);

static void each_events(const struct family *f, const struct exposition *x, struct buf *out,
			events_number_fn number)
{
	const struct agent *a = f->ctx;
	struct events_stats stats;

	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; events_stats(a->units[i]->events, k, &stats); k++) {
			struct buf *labels = begin_labels(f);

			label_text_add_str(labels, "config", a->units[i]->plan->name);
			label_text_add_str(labels, "map", stats.map);
			x->add_uint(out, f, as_label_text(labels), number(&stats));
		}
	}
}

static uint64_t number_lost(const struct events_stats *stats)
{
	return stats->lost;
}

static void events_lost(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_events(f, x, out, number_lost);
}

static uint64_t number_overflow(const struct events_stats *stats)
{
	return stats->overflow;
}

static void events_overflow(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_events(f, x, out, number_overflow);
}

/* ---- programs ---- */

typedef void (*program_fn)(const struct family *f, const struct exposition *x, struct buf *out,
			   const struct unit *u, size_t index);

static void each_program(const struct family *f, const struct exposition *x, struct buf *out,
			 program_fn fn)
{
	struct agent *a = f->ctx;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_programs; k++) {
			if (a->units[i]->programs[k].info.loaded)
				fn(f, x, out, a->units[i], k);
		}
	}
	pthread_mutex_unlock(&a->lock);
}

static void add_by_id(const struct family *f, const struct exposition *x, struct buf *out,
		      const struct unit *u, size_t index, uint64_t value)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", u->programs[index].info.id);
	add_labelled(f, x, out, "id", id, value);
}

static void one_info(const struct family *f, const struct exposition *x, struct buf *out,
		     const struct unit *u, size_t index)
{
	const struct program_info *info = &u->programs[index].info;
	struct buf *labels = begin_labels(f);
	char id[16];

	snprintf(id, sizeof(id), "%u", info->id);
	label_text_add_str(labels, "config", u->plan->name);
	label_text_add_str(labels, "id", id);
	label_text_add_str(labels, "program", info->name);
	label_text_add_str(labels, "tag", info->tag);
	x->add_uint(out, f, as_label_text(labels), 1);
}

static void program_info(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_program(f, x, out, one_info);
}

static void one_attached(const struct family *f, const struct exposition *x, struct buf *out,
			 const struct unit *u, size_t index)
{
	int attached = unit_program_attached(u, index);

	if (attached >= 0)
		add_by_id(f, x, out, u, index, (uint64_t)attached);
}

static void program_attached(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_program(f, x, out, one_attached);
}

/* The kernel counts runs only while this is on; counters that stand still would be a lie. */
static bool stats_enabled(void)
{
	char text[8];

	return file_read_short("/proc/sys/kernel/bpf_stats_enabled", text, sizeof(text)) > 0 &&
	       text[0] == '1';
}

static void one_run_time(const struct family *f, const struct exposition *x, struct buf *out,
			 const struct unit *u, size_t index)
{
	struct buf *labels = begin_labels(f);
	struct program_stats stats;
	char id[16];

	if (program_stats_read(u->programs[index].info.fd, &stats))
		return;
	snprintf(id, sizeof(id), "%u", u->programs[index].info.id);
	label_text_add_str(labels, "id", id);
	x->add_double(out, f, as_label_text(labels), (double)stats.run_time_ns / 1e9);
}

static void program_run_time(const struct family *f, const struct exposition *x, struct buf *out)
{
	if (stats_enabled())
		each_program(f, x, out, one_run_time);
}

static void one_run_count(const struct family *f, const struct exposition *x, struct buf *out,
			  const struct unit *u, size_t index)
{
	struct program_stats stats;

	if (!program_stats_read(u->programs[index].info.fd, &stats))
		add_by_id(f, x, out, u, index, stats.run_count);
}

static void program_run_count(const struct family *f, const struct exposition *x, struct buf *out)
{
	if (stats_enabled())
		each_program(f, x, out, one_run_count);
}

/* ---- probes ---- */

typedef void (*probe_fn)(const struct family *f, const struct exposition *x, struct buf *out,
			 const struct unit *u, const struct probe *p);

/* Those that are off are nowhere on purpose. */
static void each_probe(const struct family *f, const struct exposition *x, struct buf *out,
		       probe_fn fn)
{
	struct agent *a = f->ctx;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_probes; k++) {
			if (a->units[i]->probes[k].state != PROBE_OFF)
				fn(f, x, out, a->units[i], &a->units[i]->probes[k]);
		}
	}
	pthread_mutex_unlock(&a->lock);
}

static void persistent_is_pinned(const struct family *f, const struct exposition *x,
				 struct buf *out)
{
	const struct agent *a = f->ctx;

	for (size_t i = 0; i < a->n_units; i++) {
		const struct unit *u = a->units[i];

		if (plan_is_persistent(u->plan))
			add_labelled(f, x, out, "config", u->plan->name,
				     u->persistence.pinned && !persistence_error(u));
	}
}

static void one_probe(const struct family *f, const struct exposition *x, struct buf *out,
		      const struct unit *u, const struct probe *p)
{
	struct buf *labels = begin_labels(f);

	label_text_add_str(labels, "mechanism", probe_mechanism(p));
	label_text_add_str(labels, "module", p->module->config->name);
	label_text_add_str(labels, "probe", p->config->name.text);
	x->add_uint(out, f, as_label_text(labels), probe_attached(u, p));
}

static void probe_is_attached(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_probe(f, x, out, one_probe);
}

static void one_observed(const struct family *f, const struct exposition *x, struct buf *out,
			 const struct unit *u, const struct probe *p)
{
	struct buf *labels = begin_labels(f);
	struct slices_state state;

	slices_get_state(u, p, &state);
	label_text_add_str(labels, "module", p->module->config->name);
	label_text_add_str(labels, "probe", p->config->name.text);
	x->add_double(out, f, as_label_text(labels), (double)state.observed_ns / 1e9);
}

static void probe_observed(const struct family *f, const struct exposition *x, struct buf *out)
{
	each_probe(f, x, out, one_observed);
}

/* ---- the process ---- */

static void build_info(const struct family *f, const struct exposition *x, struct buf *out)
{
	struct buf *labels = begin_labels(f);
	struct utsname host;

	label_text_add_str(labels, "arch", uname(&host) ? "" : host.machine);
	label_text_add_str(labels, "version", WIREGAUGE_VERSION);
	x->add_uint(out, f, as_label_text(labels), 1);
}

static void process_cpu(const struct family *f, const struct exposition *x, struct buf *out)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	x->add_double(out, f, (struct label_text){0}, (double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/* Entries of the open directory @fd whose names are numbers; readdir(3) would allocate. */
static uint64_t count_numbers(int fd)
{
	_Alignas(struct dirent64) char entries[4096];
	uint64_t n = 0;
	ssize_t size;

	while ((size = getdents64(fd, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct dirent64 *entry = (const void *)(entries + at);

			n += entry->d_name[0] != '.';
			at += entry->d_reclen;
		}
	}
	return n;
}

static void process_open_fds(const struct family *f, const struct exposition *x, struct buf *out)
{
	_cleanup_close_ int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) /* without the one just opened */
		x->add_uint(out, f, (struct label_text){0}, count_numbers(fd) - 1);
}

/* "Unlimited" is what Prometheus's clients call 2^64 - 1. */
static void add_limit(const struct family *f, const struct exposition *x, struct buf *out,
		      int resource)
{
	struct rlimit limit;

	if (!getrlimit(resource, &limit))
		x->add_double(out, f, (struct label_text){0}, (double)limit.rlim_cur);
}

static void process_max_fds(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_limit(f, x, out, RLIMIT_NOFILE);
}

static void process_virtual_max(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_limit(f, x, out, RLIMIT_AS);
}

/* Numbers of /proc/self/statm, in pages: proc_pid_statm(5). */
enum { STATM_SIZE, STATM_RESIDENT };

static void add_statm(const struct family *f, const struct exposition *x, struct buf *out,
		      int number)
{
	char text[128], *at = text;

	if (file_read_short("/proc/self/statm", text, sizeof(text)) < 0)
		return;
	for (int i = 0; at && i < number; i++)
		at = strchr(at + 1, ' ');
	if (at)
		x->add_uint(out, f, (struct label_text){0},
			    strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void process_resident(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_statm(f, x, out, STATM_RESIDENT);
}

static void process_virtual(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_statm(f, x, out, STATM_SIZE);
}

/* The words of the two lines that begin with @prefix: names and numbers, each in its place. */
static bool find_netstat(const char *text, const char *prefix, const char *name, uint64_t *ret)
{
	const char *names = strstr(text, prefix), *numbers;
	size_t len = strlen(name);

	numbers = names ? strstr(names + 1, prefix) : NULL;
	while (numbers) {
		names = strchr(names, ' ');
		numbers = strchr(numbers, ' ');
		if (!names++ || !numbers++)
			return false;
		if (strncmp(names, name, len) == 0 && (names[len] == ' ' || names[len] == '\n')) {
			*ret = strtoull(numbers, NULL, 10);
			return true;
		}
	}
	return false;
}

/* Of the network namespace, which is what Prometheus's clients call the process's. */
static void add_netstat(const struct family *f, const struct exposition *x, struct buf *out,
			const char *name)
{
	char text[16384];
	uint64_t value;

	if (file_read_short("/proc/self/net/netstat", text, sizeof(text)) > 0 &&
	    find_netstat(text, "IpExt: ", name, &value))
		x->add_uint(out, f, (struct label_text){0}, value);
}

static void process_received(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_netstat(f, x, out, "InOctets");
}

static void process_transmitted(const struct family *f, const struct exposition *x, struct buf *out)
{
	add_netstat(f, x, out, "OutOctets");
}

/* Field 22 of proc_pid_stat(5), in ticks since boot; 0 when it cannot be read. */
static uint64_t start_ticks(void)
{
	enum { STARTTIME = 22 };
	char text[4096], *at;

	if (file_read_short("/proc/self/stat", text, sizeof(text)) < 0)
		return 0;
	at = strrchr(text, ')'); /* the command's name is field 2 and may hold anything */
	for (int i = 2; at && i < STARTTIME; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

/* Asked for once: a clock that is set must not look like a restart. */
static double find_process_start(void)
{
	struct timespec now, up;
	double boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	boot = (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
	return boot + (double)start_ticks() / (double)sysconf(_SC_CLK_TCK);
}

static void process_start(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct agent *a = f->ctx;

	x->add_double(out, f, (struct label_text){0}, a->process_started);
}

static const struct {
	const char *name;
	enum metric_type type;
	family_samples_fn samples;
	const char *help;
	const char *labels; /* names by commas; NULL for none */
} rows[] = {
	{"ebpf_exporter_build_info", METRIC_GAUGE, build_info, "Always 1; what was built",
	 "arch,version"},
	{"ebpf_exporter_decoder_errors_total", METRIC_COUNTER, decoder_errors,
	 "Entries of maps that could not be decoded and were left out", "config"},
	{"ebpf_exporter_ebpf_program_attached", METRIC_GAUGE, program_attached,
	 "Whether a program is attached", "id"},
	{"ebpf_exporter_ebpf_program_info", METRIC_GAUGE, program_info,
	 "Always 1; the programs that are loaded", "config,id,program,tag"},
	{"ebpf_exporter_ebpf_program_run_count_total", METRIC_COUNTER, program_run_count,
	 "How often a program ran; while kernel.bpf_stats_enabled is 1", "id"},
	{"ebpf_exporter_ebpf_program_run_time_seconds", METRIC_COUNTER, program_run_time,
	 "How long a program ran; while kernel.bpf_stats_enabled is 1", "id"},
	{"ebpf_exporter_enabled_configs", METRIC_GAUGE, enabled_configs,
	 "Always 1; the configs that run", "name"},
	{"process_cpu_seconds_total", METRIC_COUNTER, process_cpu,
	 "Total user and system CPU time spent in seconds"},
	{"process_max_fds", METRIC_GAUGE, process_max_fds,
	 "Maximum number of open file descriptors"},
	{"process_network_receive_bytes_total", METRIC_COUNTER, process_received,
	 "Number of bytes received by the process over the network"},
	{"process_network_transmit_bytes_total", METRIC_COUNTER, process_transmitted,
	 "Number of bytes sent by the process over the network"},
	{"process_open_fds", METRIC_GAUGE, process_open_fds, "Number of open file descriptors"},
	{"process_resident_memory_bytes", METRIC_GAUGE, process_resident,
	 "Resident memory size in bytes"},
	{"process_start_time_seconds", METRIC_GAUGE, process_start,
	 "Start time of the process since unix epoch in seconds"},
	{"process_virtual_memory_bytes", METRIC_GAUGE, process_virtual,
	 "Virtual memory size in bytes"},
	{"process_virtual_memory_max_bytes", METRIC_GAUGE, process_virtual_max,
	 "Maximum amount of virtual memory available in bytes"},
	{"wiregauge_entries_expired_total", METRIC_COUNTER, entries_expired,
	 "Entries deleted because they did not change for the ttl of their metric", "config,map"},
	{"wiregauge_entries_overflow_total", METRIC_COUNTER, entries_overflow,
	 "Entries that found no place among the max_series of their metric", "config,map"},
	{"wiregauge_config_last_reload_success_timestamp_seconds", METRIC_GAUGE, reload_success,
	 "When the configuration was last read and taken, in seconds since unix epoch"},
	{"wiregauge_config_last_reload_successful", METRIC_GAUGE, reload_successful,
	 "Whether the configuration was taken when it was last read (1), or refused (0)"},
	{"wiregauge_events_lost_total", METRIC_COUNTER, events_lost,
	 "Events that found the buffer between the programs and the daemon full", "config,map"},
	{"wiregauge_events_overflow_total", METRIC_COUNTER, events_overflow,
	 "Events that are in no series, because there was no room for another key", "config,map"},
	{"wiregauge_map_entries", METRIC_GAUGE, map_entries,
	 "Entries in the map of a metric at this scrape", "config,map"},
	{"wiregauge_map_max_entries", METRIC_GAUGE, map_max_entries,
	 "Entries that the map of a metric has room for", "config,map"},
	{"wiregauge_persistent_pinned", METRIC_GAUGE, persistent_is_pinned,
	 "Whether a persistent config goes on when the daemon ends (1), or not all of it (0)",
	 "config"},
	{"wiregauge_probe_attached", METRIC_GAUGE, probe_is_attached,
	 "Whether what a probe measures is measured, and by which of its ways; 0 and none where "
	 "the kernel offers no way",
	 "mechanism,module,probe"},
	{"wiregauge_probe_observed_seconds_total", METRIC_COUNTER, probe_observed,
	 "How long a probe was attached; its rates in all the time are its counters' divided by "
	 "this one's rate",
	 "module,probe"},
	{"wiregauge_read_errors_total", METRIC_COUNTER, read_errors,
	 "Maps that could not be read in a scrape; their metrics were left out of it", "config"},
};

bool selfmetrics_describe(size_t index, struct metric_doc *ret)
{
	if (index >= ARRAY_SIZE(rows))
		return false;
	*ret = (struct metric_doc){
		.name = rows[index].name,
		.type = metric_type_name(rows[index].type),
		.labels = rows[index].labels ? rows[index].labels : "",
		.help = rows[index].help,
	};
	return true;
}

int selfmetrics_init(struct agent *a)
{
	a->own_families = calloc(ARRAY_SIZE(rows), sizeof(*a->own_families));
	if (!a->own_families)
		return -ENOMEM;
	a->process_started = find_process_start();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct family *f = &a->own_families[i];

		if (family_init(f, "", rows[i].name, rows[i].help, rows[i].type))
			return -ENOMEM;
		f->samples = rows[i].samples;
		f->ctx = a;
		a->n_own_families++;
	}
	return 0;
}

void selfmetrics_free(struct agent *a)
{
	for (size_t i = 0; i < a->n_own_families; i++)
		family_free(&a->own_families[i]);
	free(a->own_families);
	buf_free(&a->own_labels);
}
