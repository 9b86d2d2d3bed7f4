// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/columns.h"
#include "cli/operations.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* More names than this make no line that a person reads. */
enum { PLACES_SHOWN = 6 };

/* "eth0, lo (tcx)", or how many there are. */
static void add_places(struct buf *b, const json_t *list)
{
	size_t n = json_array_size(list), shown = MIN(n, (size_t)PLACES_SHOWN);
	const char *mechanism = text_of(json_array_get(list, 0), "mechanism");

	for (size_t i = 0; i < shown; i++)
		buf_printf(b, "%s%s", i ? ", " : "", text_of(json_array_get(list, i), "at"));
	if (n > shown)
		buf_printf(b, " and %zu more", n - shown);
	/* Then the place is the SEC() itself. */
	if (!STREQ(mechanism, "section"))
		buf_printf(b, " (%s)", mechanism);
}

/* "; lo: not native: the driver has none" of the first, and how many others there are. */
static void add_caveats(struct buf *b, const json_t *list)
{
	size_t i, n = 0;
	json_t *place;

	json_array_foreach(list, i, place)
	{
		const char *caveat = text_of(place, "caveat");

		if (*caveat && n++ == 0)
			buf_printf(b, "; %s: %s", text_of(place, "at"), caveat);
	}
	if (n > 1)
		buf_printf(b, ", and %zu more", n - 1);
}

static void describe_places(struct buf *b, const json_t *program, const json_t *list)
{
	const char *error = text_of(program, "error");

	add_places(b, list);
	add_caveats(b, list);
	if (*error)
		buf_printf(b, "; NOT EVERYWHERE: %s", error);
}

static void describe_where(struct buf *b, const json_t *program)
{
	const json_t *list = json_object_get(program, "attachments");
	const json_t *attached = json_object_get(program, "attached");
	const char *error = text_of(program, "error");
	const char *waits_for = text_of(program, "waits_for");

	if (!json_is_true(json_object_get(program, "loaded")) && *waits_for && !*error)
		buf_printf(b, "not loaded, waits for %s", waits_for);
	else if (!json_is_true(json_object_get(program, "loaded")))
		buf_printf(b, "not loaded%s%s", *error ? ": " : "", error);
	else if (json_array_size(list))
		describe_places(b, program, list);
	else if (json_is_false(attached))
		buf_printf(b, "NOT ATTACHED: %s", error);
	else if (*waits_for)
		buf_printf(b, "NOWHERE, waits for %s", waits_for);
	else if (json_object_get(program, "probe"))
		buf_add_str(b, "in slices");
	else
		buf_add_str(b, "nothing to attach to");
}

static void describe_cost(struct buf *b, const json_t *program)
{
	const json_t *runs = json_object_get(program, "runs");

	if (runs)
		buf_printf(b, "%.0f ns × %" JSON_INTEGER_FORMAT,
			   json_real_value(json_object_get(program, "ns_per_run")),
			   json_integer_value(runs));
	else
		buf_add_str(b, "-");
}

/* The probe says why it goes another way. */
static bool is_of_unused_way(const json_t *program)
{
	return json_object_get(program, "probe") &&
	       !json_is_true(json_object_get(program, "loaded"));
}

static void print_programs(const json_t *units)
{
	struct columns table = {.n = 4};
	size_t i, k;
	json_t *unit, *program;

	columns_add(&table, "UNIT", "PROGRAM", "COST", "ATTACHED AT");
	json_array_foreach(units, i, unit)
	{
		json_array_foreach(json_object_get(unit, "programs"), k, program)
		{
			if (is_of_unused_way(program))
				continue;
			_cleanup_buf_ struct buf where = {0};
			_cleanup_buf_ struct buf cost = {0};

			describe_where(&where, program);
			describe_cost(&cost, program);
			columns_add(&table, text_of(unit, "name"), text_of(program, "name"),
				    buf_str(&cost), buf_str(&where));
		}
	}
	columns_print(&table);
}

/* "attached", or how much of the time. */
static void describe_share(struct buf *b, const json_t *probe)
{
	double share = json_number_value(json_object_get(probe, "share"));

	buf_add_str(b, "attached");
	if (json_is_true(json_object_get(probe, "held")))
		buf_add_str(b, " while somebody looks");
	else if (share < 1)
		buf_printf(b, " %g%% of the time", share * 100);
}

static void describe_probe(struct buf *b, const json_t *probe)
{
	if (!STREQ(text_of(probe, "state"), "used"))
		buf_add_str(b, text_of(probe, "state"));
	else if (!json_is_true(json_object_get(probe, "attached")))
		buf_add_str(b, "NOT ATTACHED");
	else
		describe_share(b, probe);
}

/* What "program 'NAME': WHY" says of more than that program. */
static const char *skip_program(const char *error)
{
	const char *colon =
		strncmp(error, "program '", strlen("program '")) ? NULL : strstr(error, "': ");

	return colon ? colon + strlen("': ") : error;
}

/* Adds @probe to those that cannot go a way, by why: many have one reason, which is said once. */
static void note_failures(json_t *reasons, const json_t *probe)
{
	json_t *way;
	size_t i;

	json_array_foreach(json_object_get(probe, "ways"), i, way)
	{
		const char *error = text_of(way, "error");
		_cleanup_buf_ struct buf reason = {0};

		if (!*error)
			continue;
		buf_printf(&reason, "%s: %s", text_of(way, "mechanism"), skip_program(error));
		if (!json_object_get(reasons, buf_str(&reason)))
			json_object_set_new(reasons, buf_str(&reason), json_array());
		json_array_append(json_object_get(reasons, buf_str(&reason)),
				  json_object_get(probe, "name"));
	}
}

static void print_failures(json_t *reasons)
{
	const char *reason;
	json_t *probes, *name;
	size_t i;

	if (json_object_size(reasons))
		puts("Ways that probes cannot go here:");
	json_object_foreach(reasons, reason, probes)
	{
		printf("- %s\n  (", reason);
		json_array_foreach(probes, i, name)
			printf("%s%s", i ? ", " : "", json_string_value(name));
		puts(")");
	}
	if (json_object_size(reasons))
		putchar('\n');
}

static void print_probes(const json_t *units)
{
	json_auto_t *reasons = json_object();
	struct columns table = {.n = 4};
	size_t i, k, n = 0;
	json_t *unit, *probe;

	json_array_foreach(units, i, unit)
	{
		json_array_foreach(json_object_get(unit, "probes"), k, probe)
		{
			_cleanup_buf_ struct buf state = {0};
			const char *mechanism = text_of(probe, "mechanism");

			if (n++ == 0)
				columns_add(&table, "MODULE", "PROBE", "MECHANISM", "STATE");
			describe_probe(&state, probe);
			note_failures(reasons, probe);
			columns_add(&table, text_of(probe, "module"), text_of(probe, "name"),
				    *mechanism ? mechanism : "-", buf_str(&state));
		}
	}
	if (n) {
		columns_print(&table);
		putchar('\n');
		print_failures(reasons);
	}
}

static void print_units(const json_t *units)
{
	struct columns table = {.n = 4};
	json_t *unit, *module;
	size_t i, k;

	columns_add(&table, "MODULE", "UNIT", "SERIES", "WHAT");
	json_array_foreach(units, i, unit)
	{
		json_array_foreach(json_object_get(unit, "modules"), k, module)
		{
			char series[32] = "";

			/* The series of a unit are said once. */
			if (k == 0)
				snprintf(series, sizeof(series), "%" JSON_INTEGER_FORMAT,
					 json_integer_value(json_object_get(unit, "series")));
			columns_add(&table, text_of(module, "name"), text_of(unit, "name"), series,
				    text_of(module, "description"));
		}
	}
	columns_print(&table);
}

/* Most errors begin with the name: it is said once. */
static void print_broken(const char *name, const char *error)
{
	size_t len = strlen(name);
	bool named = strncmp(error, name, len) == 0 && strncmp(error + len, ": ", 2) == 0;

	printf("\nBROKEN %s: %s\n", name, named ? error + len + 2 : error);
}

/* "Off: dns, guard" */
static void print_off(const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		printf("%s%s", i ? ", " : "\nOff: ", json_string_value(name));
	if (json_array_size(names))
		puts(" (wiregauge modules describe NAME)");
}

static void print_full_maps(const json_t *unit)
{
	json_t *map;
	size_t i;

	json_array_foreach(json_object_get(unit, "maps"), i, map)
	{
		if (json_is_true(json_object_get(map, "full")))
			printf("\nFULL %s: map '%s' has all %" JSON_INTEGER_FORMAT
			       " entries that there is room for; what is new is not counted\n",
			       text_of(unit, "name"), text_of(map, "name"),
			       json_integer_value(json_object_get(map, "max_entries")));
	}
}

static void print_persistence(const json_t *units)
{
	json_t *unit;
	size_t i;

	json_array_foreach(units, i, unit)
	{
		const json_t *persistence = json_object_get(unit, "persistence");
		bool pinned = json_is_true(json_object_get(persistence, "pinned"));
		const char *error = text_of(persistence, "error");

		if (!persistence)
			continue;
		printf("\n%s %s: %s%s", pinned ? "STAYS" : "ENDS", text_of(unit, "name"),
		       pinned ? "goes on when the daemon ends, by " : "ends with the daemon",
		       text_of(persistence, "path"));
		if (json_is_true(json_object_get(persistence, "adopted")))
			fputs("; it went on with what was there before", stdout);
		printf("%s%s\n", *error ? "; NOT ALL IS PINNED: " : "", error);
	}
}

/* "cap_bpf, cap_perfmon"; all that there are would fill the screen. */
static void add_names(struct buf *b, const json_t *names)
{
	enum { SHOWN = 8 };
	size_t n = json_array_size(names);

	for (size_t i = 0; i < n && i < SHOWN; i++)
		buf_printf(b, "%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
	if (n > SHOWN)
		buf_printf(b, " and %zu more", n - SHOWN);
	if (n == 0)
		buf_add_str(b, "none");
}

static void add_wanted(struct columns *table, const json_t *row)
{
	_cleanup_buf_ struct buf modules = {0};
	const char *held = json_is_true(json_object_get(row, "held")) ? "yes" : "no";

	add_names(&modules, json_object_get(row, "modules"));
	columns_add(table, text_of(row, "capability"), held, buf_str(&modules),
		    text_of(row, "why"));
}

static void print_sandbox(const json_t *sandbox)
{
	if (json_is_true(json_object_get(sandbox, "on")))
		printf("Confined by Landlock (version %" JSON_INTEGER_FORMAT
		       ") to %zu paths to read and %zu to write; see --json\n",
		       json_integer_value(json_object_get(sandbox, "landlock_abi")),
		       json_array_size(json_object_get(sandbox, "read")),
		       json_array_size(json_object_get(sandbox, "write")));
	else
		printf("Not confined by Landlock: %s\n", text_of(sandbox, "why"));
}

static void print_privileges(const json_t *privileges)
{
	struct columns table = {.n = 4};
	_cleanup_buf_ struct buf held = {0};
	json_t *row;
	size_t i;

	add_names(&held, json_object_get(privileges, "effective"));
	printf("\nRuns as uid %" JSON_INTEGER_FORMAT ", %s new privileges, capabilities: %s\n",
	       json_integer_value(json_object_get(privileges, "uid")),
	       json_is_true(json_object_get(privileges, "no_new_privileges")) ? "no" : "may get",
	       buf_str(&held));
	print_sandbox(json_object_get(privileges, "sandbox"));
	columns_add(&table, "CAPABILITY", "HELD", "WANTED BY", "IT");
	json_array_foreach(json_object_get(privileges, "wanted"), i, row) add_wanted(&table, row);
	columns_print(&table);
}

static void print_status(const json_t *status)
{
	const json_t *units = json_object_get(status, "units");
	bool costs = false;
	json_t *broken, *unit, *program;
	size_t i, k;

	printf("wiregauge %s, process %" JSON_INTEGER_FORMAT ", up for %.0f s\n\n",
	       text_of(status, "version"), json_integer_value(json_object_get(status, "pid")),
	       json_real_value(json_object_get(status, "uptime_seconds")));
	print_units(units);
	putchar('\n');
	print_probes(units);
	print_programs(units);
	print_off(json_object_get(status, "off"));
	print_persistence(units);
	print_privileges(json_object_get(status, "privileges"));
	json_array_foreach(json_object_get(status, "broken"), i, broken)
		print_broken(text_of(broken, "name"), text_of(broken, "error"));
	json_array_foreach(units, i, unit)
	{
		print_full_maps(unit);
		json_array_foreach(json_object_get(unit, "programs"), k, program) costs |=
			json_object_get(program, "runs") != NULL;
	}
	if (!costs)
		puts("\nThe kernel counts what programs cost after: sysctl "
		     "kernel.bpf_stats_enabled=1");
}

OPERATION_VIEW(status, .operation = "/v1/status", .print = print_status);
