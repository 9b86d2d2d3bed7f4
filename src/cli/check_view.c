// SPDX-License-Identifier: MIT
#include "cli/check_view.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/columns.h"

/* ---- the conclusion ---- */

/* Whether a module that is to run, or a part of one, is in @state. */
static bool any_needed(const struct findings *f, enum finding_state state)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->items[i]->needed && f->items[i]->state == state)
			return true;
	}
	return false;
}

void check_conclude(struct check_result *r)
{
	for (size_t i = 0; i < r->findings.count; i++)
		r->counts[r->findings.items[i]->state]++;
	if (any_needed(&r->findings, FINDING_MISSING)) {
		r->exit = EXIT_HOST_LACKS;
		r->reason = "this host lacks something that a module needs";
	} else if (any_needed(&r->findings, FINDING_UNTRIED)) {
		r->exit = EXIT_DENIED;
		r->reason = "not all could be tried that a module needs";
	} else {
		r->exit = EXIT_DONE;
		r->reason = any_needed(&r->findings, FINDING_DEGRADED)
				    ? "all modules run, some with less"
				    : "all that the modules need is there";
	}
}

/* ---- for people ---- */

enum { STATE_WIDTH = 9, GAP = 2, NAME_MOST = 32 };

static const char *const colours[FINDING_STATES] = {
	[FINDING_OK] = "\033[32m",
	[FINDING_DEGRADED] = "\033[33m",
	[FINDING_MISSING] = "\033[31m",
	[FINDING_UNTRIED] = "\033[36m",
};

/* How the lines of a group are laid out. */
struct layout {
	size_t name_width;
	bool coloured;
};

static size_t indent_of(const struct layout *l)
{
	return GAP + STATE_WIDTH + GAP + l->name_width + GAP;
}

/* https://no-color.org: whatever its value, unless it is empty. */
static bool wants_colours(void)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && !(terminal && STREQ(terminal, "dumb"));
}

/* Whether @f is told in the line of its family. */
static bool is_folded(const struct finding *f, bool all)
{
	return !all && f->family && f->state == FINDING_OK;
}

static size_t name_width(const struct findings *f, enum finding_group group, bool all)
{
	size_t width = 0;

	for (size_t i = 0; i < f->count; i++) {
		const struct finding *item = f->items[i];

		if (item->group == group)
			width = MAX(width,
				    utf8_length(is_folded(item, all) ? item->family : item->name));
	}
	return MIN(width, (size_t)NAME_MOST);
}

static void print_line(const struct layout *l, enum finding_state state, const char *name,
		       const char *text)
{
	printf("%*s%s", GAP, "", l->coloured ? colours[state] : "");
	print_padded(finding_state_name(state), STATE_WIDTH);
	printf("%s%*s", l->coloured ? "\033[0m" : "", GAP, "");
	print_padded(name, l->name_width + GAP);
	if (utf8_length(name) > l->name_width)
		printf("\n%*s", (int)indent_of(l), "");
	print_wrapped(text, indent_of(l));
}

/* Who would use what is not well. */
static void add_users(const struct finding *f, struct buf *to)
{
	if (f->state == FINDING_OK || f->group == FINDING_MODULES || f->users.count == 0)
		return;
	buf_add_str(to, " (for ");
	for (size_t i = 0; i < f->users.count; i++)
		buf_printf(to, "%s%s", i ? ", " : "", f->users.items[i]);
	buf_add_str(to, ": see modules)");
}

static void print_finding(const struct layout *l, const struct finding *f)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add_str(&text, f->text);
	add_users(f, &text);
	if (f->group == FINDING_MODULES && !f->needed)
		buf_add_str(&text, " (off by default)");
	print_line(l, f->state, f->name, buf_str(&text));
	if (!f->advice)
		return;
	printf("%*s", (int)indent_of(l), "");
	buf_reset(&text);
	buf_printf(&text, "→ %s", f->advice);
	print_wrapped(buf_str(&text), indent_of(l));
}

/* "module.tcp.rtt" of the family "tcp": "rtt"; of modules also how. */
static void add_member(const struct finding *f, struct buf *to)
{
	const char *name = f->name;
	size_t len = strlen(f->family);

	if (f->group != FINDING_MODULES) {
		buf_printf(to, "%s%s", to->len ? ", " : "", name);
		return;
	}
	name += len;
	name += *name == '.';
	buf_printf(to, "%s%s%s%s", to->len ? "; " : "", name, *name ? " " : "", f->text);
}

static bool is_member(const struct finding *f, const char *family)
{
	return is_folded(f, false) && STREQ(f->family, family);
}

/* Those of the family of finding @index that are well, in one line, at the first of them. */
static void print_family(const struct layout *l, const struct findings *f, size_t index)
{
	const char *family = f->items[index]->family;
	_cleanup_buf_ struct buf members = {0};

	for (size_t i = 0; i < index; i++) {
		if (is_member(f->items[i], family))
			return;
	}
	for (size_t i = index; i < f->count; i++) {
		if (is_member(f->items[i], family))
			add_member(f->items[i], &members);
	}
	if (f->items[index]->group == FINDING_MODULES && !f->items[index]->needed)
		buf_add_str(&members, " (off by default)");
	print_line(l, FINDING_OK, family, buf_str(&members));
}

static void print_group(const struct check_result *r, enum finding_group group, bool all,
			bool coloured)
{
	const struct findings *f = &r->findings;
	const struct layout l = {name_width(f, group, all), coloured};
	const char *title = finding_group_name(group);
	bool any = false;

	for (size_t i = 0; i < f->count; i++) {
		const struct finding *item = f->items[i];

		if (item->group != group)
			continue;
		if (!any)
			printf("%c%s\n", toupper((unsigned char)title[0]), title + 1);
		any = true;
		if (is_folded(item, all))
			print_family(&l, f, i);
		else
			print_finding(&l, item);
	}
	if (any)
		putchar('\n');
}

void check_print(const struct check_result *r, bool all)
{
	bool coloured = wants_colours();
	_cleanup_buf_ struct buf last = {0};

	for (unsigned i = 0; i < FINDING_GROUPS; i++)
		print_group(r, (enum finding_group)i, all, coloured);
	for (unsigned i = 0; i < FINDING_STATES; i++)
		buf_printf(&last, "%s%u %s", i ? ", " : "", r->counts[i],
			   finding_state_name((enum finding_state)i));
	buf_printf(&last, "; %s (exit code %d)", r->reason, r->exit);
	print_wrapped(buf_str(&last), 0);
}

/* ---- for programs ---- */

/* "file_systems" */
static const char *word(const char *text, char to[32])
{
	snprintf(to, 32, "%s", text);
	for (char *at = to; *at; at++) {
		if (*at == ' ')
			*at = '_';
	}
	return to;
}

static json_t *finding_to_json(const struct finding *f)
{
	json_t *users = json_array();
	char group[32], state[32];

	for (size_t i = 0; i < f->users.count; i++)
		json_array_append_new(users, json_string(f->users.items[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:b, s:o}", "id", f->id, "group",
			 word(finding_group_name(f->group), group), "state",
			 word(finding_state_name(f->state), state), "name", f->name, "text",
			 f->text, "advice", f->advice, "needed", f->needed, "modules", users);
}

static json_t *counts_to_json(const struct check_result *r)
{
	json_t *counts = json_object();
	char name[32];

	for (unsigned i = 0; i < FINDING_STATES; i++)
		json_object_set_new(counts, word(finding_state_name((enum finding_state)i), name),
				    json_integer(r->counts[i]));
	return counts;
}

void check_print_json(const struct check_result *r)
{
	json_t *findings = json_array(), *all;
	struct utsname host = {0};

	uname(&host);
	for (size_t i = 0; i < r->findings.count; i++)
		json_array_append_new(findings, finding_to_json(r->findings.items[i]));
	all = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:o, s:o}", "schema", 1, "version",
			WIREGAUGE_VERSION, "kernel", host.release, "machine", host.machine,
			"exit_code", (int)r->exit, "reason", r->reason, "counts", counts_to_json(r),
			"findings", findings);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}
