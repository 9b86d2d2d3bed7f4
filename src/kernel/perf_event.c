// SPDX-License-Identifier: MIT
#include "kernel/perf_event.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/strv.h"

#define CPUS_ONLINE "/sys/devices/system/cpu/online"

/* --- what an event is --- */

struct word {
	const char *name;
	uint64_t number;
};

static const struct word types[] = {
	{"hardware", PERF_TYPE_HARDWARE},
	{"software", PERF_TYPE_SOFTWARE},
	{"cache", PERF_TYPE_HW_CACHE},
	{"raw", PERF_TYPE_RAW},
};

static const struct word hardware[] = {
	{"cpu-cycles", PERF_COUNT_HW_CPU_CYCLES},
	{"instructions", PERF_COUNT_HW_INSTRUCTIONS},
	{"cache-references", PERF_COUNT_HW_CACHE_REFERENCES},
	{"cache-misses", PERF_COUNT_HW_CACHE_MISSES},
	{"branch-instructions", PERF_COUNT_HW_BRANCH_INSTRUCTIONS},
	{"branch-misses", PERF_COUNT_HW_BRANCH_MISSES},
	{"bus-cycles", PERF_COUNT_HW_BUS_CYCLES},
	{"stalled-cycles-frontend", PERF_COUNT_HW_STALLED_CYCLES_FRONTEND},
	{"stalled-cycles-backend", PERF_COUNT_HW_STALLED_CYCLES_BACKEND},
	{"ref-cycles", PERF_COUNT_HW_REF_CPU_CYCLES},
};

static const struct word software[] = {
	{"cpu-clock", PERF_COUNT_SW_CPU_CLOCK},
	{"task-clock", PERF_COUNT_SW_TASK_CLOCK},
	{"page-faults", PERF_COUNT_SW_PAGE_FAULTS},
	{"context-switches", PERF_COUNT_SW_CONTEXT_SWITCHES},
	{"cpu-migrations", PERF_COUNT_SW_CPU_MIGRATIONS},
	{"minor-faults", PERF_COUNT_SW_PAGE_FAULTS_MIN},
	{"major-faults", PERF_COUNT_SW_PAGE_FAULTS_MAJ},
	{"alignment-faults", PERF_COUNT_SW_ALIGNMENT_FAULTS},
	{"emulation-faults", PERF_COUNT_SW_EMULATION_FAULTS},
};

static bool find_word(const char *text, const struct word *words, size_t count, uint64_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (STREQ(words[i].name, text)) {
			*ret = words[i].number;
			return true;
		}
	}
	return false;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0';
}

/* The parts of an event's text; NULL where it does not say. */
struct event_text {
	const char *type, *config, *frequency, *sample_period;
};

static int split(char *pair, struct event_text *t, struct error *e)
{
	const struct {
		const char *key;
		const char **value;
	} keys[] = {
		{"type", &t->type},
		{"config", &t->config},
		{"frequency", &t->frequency},
		{"sample_period", &t->sample_period},
	};
	char *equals = strchr(pair, '=');

	for (size_t i = 0; equals && i < ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i].key) != (size_t)(equals - pair) ||
		    strncmp(keys[i].key, pair, (size_t)(equals - pair)) != 0)
			continue;
		*keys[i].value = equals + 1;
		return 0;
	}
	return error_set_usage(e,
			       "perf event: '%s' is none of type=, config=, frequency=, "
			       "sample_period=",
			       pair);
}

static int read_type(const struct event_text *t, struct perf_event_attr *attr, struct error *e)
{
	uint64_t type, config;

	if (!t->type || !t->config)
		return error_set_usage(e, "perf event: type= and config= are needed");
	if (!find_word(t->type, types, ARRAY_SIZE(types), &type) &&
	    !(parse_number(t->type, &type) && type <= UINT32_MAX))
		return error_set_usage(e,
				       "perf event: type=%s is neither a number nor one of "
				       "hardware, software, cache, raw",
				       t->type);
	if (!(type == PERF_TYPE_HARDWARE &&
	      find_word(t->config, hardware, ARRAY_SIZE(hardware), &config)) &&
	    !(type == PERF_TYPE_SOFTWARE &&
	      find_word(t->config, software, ARRAY_SIZE(software), &config)) &&
	    !parse_number(t->config, &config))
		return error_set_usage(e,
				       "perf event: config=%s is neither a number nor the name of "
				       "an event of type %s (see: perf list)",
				       t->config, t->type);
	attr->type = (uint32_t)type;
	attr->config = config;
	return 0;
}

static int read_sampling(const struct event_text *t, struct perf_event_attr *attr, struct error *e)
{
	const char *text = t->frequency ? t->frequency : t->sample_period;
	uint64_t number;

	if (!t->frequency == !t->sample_period)
		return error_set_usage(e, "perf event: either frequency= (times a second) or "
					  "sample_period= (events) is needed: how often it runs");
	if (!parse_number(text, &number) || number == 0)
		return error_set_usage(e, "perf event: '%s' is not a number over 0", text);
	attr->freq = t->frequency != NULL;
	attr->sample_period = number; /* one memory with sample_freq */
	return 0;
}

int perf_event_parse(const char *text, struct perf_event_attr *ret, struct error *e)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .disabled = 1};
	_cleanup_strv_ struct strv pairs = {0};
	struct event_text t = {0};
	int err = strv_add_split(&pairs, text, ',');

	if (err)
		return error_set(e, err, "no memory");
	for (size_t i = 0; !err && i < pairs.count; i++)
		err = split(pairs.items[i], &t, e);
	if (!err)
		err = read_type(&t, &attr, e);
	if (!err)
		err = read_sampling(&t, &attr, e);
	if (!err)
		*ret = attr;
	return err;
}

/* --- CPUs --- */

/* The kernel's list of ranges, "0-3,5,8-9". */
int perf_event_next_cpu(int cpu)
{
	char text[4096], *at = text;

	if (file_read_short(CPUS_ONLINE, text, sizeof(text)) < 0)
		return -ENOENT;
	while (*at >= '0' && *at <= '9') {
		int first = (int)strtol(at, &at, 10);
		int last = *at == '-' ? (int)strtol(at + 1, &at, 10) : first;

		if (cpu <= last)
			return cpu > first ? cpu : first;
		at += *at == ',';
	}
	return -ENOENT;
}

/* --- attaching --- */

static const char *reason(int code)
{
	switch (-code) {
	case ENOENT:
	case EOPNOTSUPP:
		return "this machine has no such event; virtual ones often have no hardware "
		       "events: type=software,config=cpu-clock is everywhere";
	case EACCES:
	case EPERM:
		return "Operation not permitted; run as root or give CAP_PERFMON (sysctl "
		       "kernel.perf_event_paranoid)";
	case EINVAL:
		return "the kernel does not take these numbers; a frequency may be at most sysctl "
		       "kernel.perf_event_max_sample_rate";
	case EMFILE:
		return "too many open files: raise the limit (LimitNOFILE=, ulimit -n)";
	default:
		return strerror(-code);
	}
}

/* The event lives as long as what is given back: a link, or before Linux 5.15 the event itself. */
static int attach_to(int event, int prog_fd)
{
	int link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, NULL);

	if (link != -EINVAL)
		return link;
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0)
		return -errno;
	link = fcntl(event, F_DUPFD_CLOEXEC, 0);
	return link < 0 ? -errno : link;
}

int perf_event_attach(const struct perf_event_attr *attr, int cpu, int prog_fd, struct error *e)
{
	_cleanup_close_ int event =
		(int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (event < 0)
		return error_set(e, -errno, "cannot open the perf event on CPU %d: %s", cpu,
				 reason(-errno));
	fd = attach_to(event, prog_fd);
	if (fd < 0)
		return error_set(e, fd, "cannot attach to the perf event on CPU %d: %s", cpu,
				 strerror(-fd));
	if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return error_set(e, -errno, "cannot enable the perf event on CPU %d: %s", cpu,
				 strerror(errno));
	return TAKE_FD(fd);
}
