// SPDX-License-Identifier: MIT
#include "guard_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/units.h"
#include "guard_amount.h"
#include "guard_prefix.h"
#include "guard_set.h"

enum {
	SIMPLE_PACKETS = 10000, /* a second, of one source: profile simple */
	PERCENT = 100,
	WINDOW_SCALE_MAX = 14, /* RFC 7323, section 2.3 */
	WINDOW_BITS = 16,
};

/* ---- words ---- */

struct word {
	const char *text;
	uint8_t value;
};

static const struct word modes[] = {{"monitor", GUARD_MONITOR}, {"enforce", GUARD_ENFORCE}, {0}};
static const struct word silences[] = {
	{"static", GUARD_SILENCE_STATIC},
	{"keep", GUARD_SILENCE_KEEP},
	{"pass", GUARD_SILENCE_PASS},
	{0},
};
static const struct word cookies[] = {
	{"off", GUARD_COOKIES_OFF},
	{"auto", GUARD_COOKIES_KERNEL},
	{"defence", GUARD_COOKIES_ORDERED},
	{0},
};
static const struct word profiles[] = {{"standard", false}, {"simple", true}, {0}};

static const char *option_text(const struct module *m, const char *name)
{
	const struct strv *values = module_option(m, name);

	return values && values->count ? values->items[0] : "";
}

/* Other words than these are refused by the `choices` of guard.yaml. */
static uint8_t read_word(const struct module *m, const char *name, const struct word *words)
{
	const char *text = option_text(m, name);
	const struct word *w = words;

	while (w[1].text && !STREQ(w->text, text))
		w++;
	return w->value;
}

static void read_words(const struct module *m, struct guard_options *o)
{
	o->mode = read_word(m, "mode", modes);
	o->on_silence = read_word(m, "on_silence", silences);
	o->syn_cookies = read_word(m, "syn_cookies", cookies);
	o->simple = read_word(m, "profile", profiles);
	o->strict = module_option_is_on(m, "strict");
	o->detect.on = module_option_is_on(m, "detection");
}

/* ---- numbers ---- */

static int read_number(const struct module *m, const char *name, uint64_t least, uint64_t most,
		       uint64_t *ret, struct error *e)
{
	const char *text = option_text(m, name);
	uint64_t n;

	if (option_parse_uint(text, &n) || n < least || n > most)
		return error_set_usage(e, "option %s: '%s' is not a whole number from %llu to %llu",
				       name, text, (unsigned long long)least,
				       (unsigned long long)most);
	*ret = n;
	return 0;
}

static int read_time(const struct module *m, const char *name, uint64_t *ret, struct error *e)
{
	const char *text = option_text(m, name);

	if (!timespan_parse(text, ret) || *ret < NSEC_PER_SEC)
		return error_set_usage(e, "option %s: '%s' is not " TIMESPAN_TAKES, name, text);
	return 0;
}

static int read_prefix(const struct module *m, struct guard_options *o, struct error *e)
{
	static const uint64_t lengths[] = {64, 56, 48};
	uint64_t n = 0;
	int err = read_number(m, "source_prefix", 48, 64, &n, e);

	for (size_t i = 0; !err && i < ARRAY_SIZE(lengths); i++) {
		if (lengths[i] == n)
			o->source_prefix = (uint8_t)n;
	}
	if (!err && !o->source_prefix)
		return error_set_usage(e, "option source_prefix: %u is none of 64, 56, 48",
				       (unsigned)n);
	return err;
}

static int read_seconds(const struct module *m, const char *name, uint32_t *ret, struct error *e)
{
	uint64_t ns;
	int err = read_time(m, name, &ns, e);

	if (!err)
		*ret = (uint32_t)MIN(ns / NSEC_PER_SEC, (uint64_t)UINT32_MAX);
	return err;
}

static int read_times(const struct module *m, struct guard_options *o, struct error *e)
{
	int err = read_time(m, "silence", &o->silence_ns, e);

	if (!err)
		err = read_time(m, "ban_time", &o->ban_ns, e);
	if (!err)
		err = read_time(m, "detection_learn", &o->detect.learn_ns, e);
	if (!err)
		err = read_seconds(m, "detection_hold", &o->detect.hold_s, e);
	return err ? err : read_seconds(m, "detection_longest", &o->detect.longest_s, e);
}

static int read_numbers(const struct module *m, struct guard_options *o, struct error *e)
{
	struct guard_detect_options *d = &o->detect;
	const struct {
		const char *name;
		uint64_t least, most;
		uint32_t *to;
	} numbers[] = {
		{"automatic_bans", 0, GUARD_BANS_MAX, &o->automatic_bans},
		{"samples", 1, 100000, &o->samples},
		{"new_sources", 0, UINT32_MAX, &o->new_sources},
		{"syn_threshold", 1, 1000000, &o->syn_threshold},
		{"detection_factor", 2, 1000, &d->factor},
		{"detection_packets", 1, UINT32_MAX, &d->least},
		{"detection_syns", 1, UINT32_MAX, &d->least_syns},
	};
	uint64_t n = 0;
	int err = read_prefix(m, o, e);

	for (size_t i = 0; !err && i < ARRAY_SIZE(numbers); i++) {
		err = read_number(m, numbers[i].name, numbers[i].least, numbers[i].most, &n, e);
		if (!err)
			*numbers[i].to = (uint32_t)n;
	}
	if (!err && !(err = read_number(m, "detection_drop", 0, PERCENT, &n, e)))
		d->drop_share_max = (double)n / PERCENT;
	if (!err && !(err = read_number(m, "log_size", 4096, 1 << 30, &n, e)))
		o->log_size = n;
	return err ? err : read_times(m, o, e);
}

/* ---- lists ---- */

static int check_networks(const struct strv *texts, const char *name, struct error *e)
{
	for (size_t i = 0; texts && i < texts->count; i++) {
		struct guard_prefix p;

		if (!guard_prefix_parse(texts->items[i], &p))
			return error_set_usage(e, "option %s: '%s' is not " GUARD_NETWORK_TAKES,
					       name, texts->items[i]);
	}
	return 0;
}

static int check_ports(const struct strv *texts, struct error *e)
{
	for (size_t i = 0; texts && i < texts->count; i++) {
		uint64_t port;

		if (option_parse_uint(texts->items[i], &port) || port < 1 || port > UINT16_MAX)
			return error_set_usage(e, "option ssh_ports: '%s' is not a port",
					       texts->items[i]);
	}
	return 0;
}

static int read_lists(const struct module *m, struct guard_options *o, struct error *e)
{
	int err;

	o->lists[GUARD_ALLOW_LIST] = module_option(m, "allow");
	o->lists[GUARD_BLOCK_LIST] = module_option(m, "block");
	o->files[GUARD_ALLOW_LIST] = module_option(m, "allow_files");
	o->files[GUARD_BLOCK_LIST] = module_option(m, "block_files");
	o->protect = module_option(m, "protect");
	o->ssh_ports = module_option(m, "ssh_ports");
	err = check_networks(o->lists[GUARD_ALLOW_LIST], "allow", e);
	if (!err)
		err = check_networks(o->lists[GUARD_BLOCK_LIST], "block", e);
	if (!err)
		err = check_networks(o->protect, "protect", e);
	return err ? err : check_ports(o->ssh_ports, e);
}

static bool has_target(const struct guard_options *o, const struct guard_target *t)
{
	for (size_t i = 0; i < o->n_limits; i++) {
		if (memcmp(&o->limits[i].target, t, sizeof(*t)) == 0)
			return true;
	}
	return false;
}

static int read_limit(struct guard_options *o, const char *text, struct error *e)
{
	struct guard_declared_limit *l = &o->limits[o->n_limits];
	int err = guard_limit_parse(text, &l->target, &l->amount, e);

	if (err)
		return error_prefix(e, "option limits: ");
	if (has_target(o, &l->target))
		return error_set_usage(e, "option limits: there are two for the same as '%s'",
				       text);
	o->n_limits++;
	return 0;
}

/* profile: simple has a limit of its own unless one is given. */
static void add_simple_limit(struct guard_options *o)
{
	const struct guard_target sources = {.kind = GUARD_TARGET_SOURCES};

	if (!o->simple || has_target(o, &sources))
		return;
	o->limits[o->n_limits++] = (struct guard_declared_limit){
		.target = sources,
		.amount.packets = SIMPLE_PACKETS,
	};
}

static int read_limits(const struct module *m, struct guard_options *o, struct error *e)
{
	const struct strv *texts = module_option(m, "limits");
	size_t count = texts ? texts->count : 0;
	int err = 0;

	o->limits = calloc(count + 1, sizeof(*o->limits));
	if (!o->limits)
		return error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; !err && i < count; i++)
		err = read_limit(o, texts->items[i], e);
	if (!err)
		add_simple_limit(o);
	return err;
}

int guard_options_read(const struct module *m, struct guard_options *ret, struct error *e)
{
	int err = read_numbers(m, ret, e);

	read_words(m, ret);
	if (!err)
		err = read_lists(m, ret, e);
	if (!err)
		err = read_limits(m, ret, e);
	ret->log_file = option_text(m, "log_file");
	return err;
}

void guard_options_free(struct guard_options *o)
{
	free(o->limits);
	*o = (struct guard_options){0};
}

/* ---- into the kernel's settings ---- */

static uint64_t sysctl_number(const char *path, unsigned column)
{
	char text[128];
	const char *at = text;
	uint64_t n = 0;

	if (file_read_short(path, text, sizeof(text)) <= 0)
		return 0;
	for (unsigned i = 0; i <= column; i++) {
		char *end;

		n = strtoull(at, &end, 10);
		at = end;
	}
	return n;
}

/* What tcp_select_initial_window() of net/ipv4/tcp_output.c comes to: the kernel, which goes on
 * with the connection, takes no other scale for granted. */
static uint8_t window_scale(void)
{
	uint64_t space = MAX(sysctl_number("/proc/sys/net/ipv4/tcp_rmem", 2),
			     sysctl_number("/proc/sys/net/core/rmem_max", 0));
	uint8_t scale = 0;

	for (; space >> WINDOW_BITS && scale < WINDOW_SCALE_MAX; space >>= 1)
		scale++;
	return scale;
}

static uint64_t cost_of(uint64_t per_second)
{
	return per_second ? (NSEC_PER_SEC << GUARD_TIME_BITS) / per_second : 0;
}

static void apply_simple(const struct guard_options *o, struct guard_settings *s)
{
	s->simple_syn_cost = cost_of(o->syn_threshold);
	s->simple_syn_tau = NSEC_PER_SEC << GUARD_TIME_BITS;
	s->simple_ban_ns = o->ban_ns;
}

void guard_options_apply(const struct guard_options *o, struct guard_settings *s)
{
	bool timestamps = sysctl_number("/proc/sys/net/ipv4/tcp_timestamps", 0) == 2;
	bool scaling = sysctl_number("/proc/sys/net/ipv4/tcp_window_scaling", 0) == 1;

	while (!s->seed && getrandom(&s->seed, sizeof(s->seed), 0) < 0 && errno == EINTR)
		;
	s->silence_ns = o->silence_ns;
	s->on_silence = o->on_silence;
	s->syn_cookies = o->syn_cookies;
	s->source_prefix = o->source_prefix;
	s->ipv6_mask = UINT64_MAX << (64 - o->source_prefix);
	s->sample_ns = NSEC_PER_SEC / o->samples;
	s->insert_cost = cost_of(o->new_sources);
	s->insert_tau = GUARD_BURST_NS << GUARD_TIME_BITS;
	s->cookie_window_scale = scaling ? window_scale() : 0;
	apply_simple(o, s);
	guard_settings_set_flag(s, GUARD_SIMPLE, o->simple);
	guard_settings_set_flag(s, GUARD_STRICT, o->strict);
	guard_settings_set_flag(s, GUARD_TIMESTAMPS, timestamps);
}
