/* SPDX-License-Identifier: MIT */
/*
 * What a running daemon can be asked: one row for each operation, in a file of its own that ends in
 * OPERATION(…), under src/control/ or in a module's folder. Of the row are made its path in the
 * HTTP API (docs/api.md), the checks of its arguments, its command with --help, and what the manual
 * page and the completion say of it.
 *
 *	static int run_block(struct operation_call *c, struct error *e)
 *	{
 *		struct guard *g = c->part;
 *		const struct operation_value *v = NULL;
 *
 *		while ((v = operation_next(c, "network", v)))
 *			… v->network …
 *		operation_done(c, "blocked %zu networks", n);
 *		return 0;
 *	}
 *
 *	static const struct operation_argument block_arguments[] = {
 *		{"network", "NETWORK", "Address or network", .type = ARGUMENT_NETWORK,
 *		 .required = true, .positional = true, .repeated = true},
 *		{"for", "TIME", "How long; for good unless said", .type = ARGUMENT_DURATION},
 *	};
 *
 *	OPERATION(guard_block, .path = "/v1/guard/block", .command = "guard block",
 *		  .module = "guard", .changes = true, .summary = "Drop what comes from networks",
 *		  .arguments = block_arguments, .n_arguments = ARRAY_SIZE(block_arguments),
 *		  .run = run_block);
 */
#pragma once

#include <jansson.h>

#include "base/network.h"
#include "base/units.h"
#include "control/arguments.h"
#include "control/peer.h"
#include "control/reload.h"

enum argument_type {
	ARGUMENT_TEXT,
	ARGUMENT_NUMBER,   /* whole, from 0 to `max` */
	ARGUMENT_NETWORK,  /* base/network.h */
	ARGUMENT_RATE,     /* base/units.h */
	ARGUMENT_DURATION, /* likewise */
	ARGUMENT_PORTS,    /* likewise */
	ARGUMENT_CHOICE,   /* one of `choices` */
	ARGUMENT_FLAG,     /* --name; in the API name=1 */
};

struct operation_argument {
	const char *name;        /* in the API; on the command line --name, or by its place */
	const char *placeholder; /* for its value, in the help; NULL for flags */
	const char *help;        /* one line */
	enum argument_type type;
	bool required;
	bool positional;      /* on the command line by its place; required ones first */
	bool repeated;        /* any number of them; of those by their place the last */
	const char *choices;  /* words apart by blanks; for completion also of other types */
	const char *fallback; /* what it is when it is not given; NULL */
	uint64_t max;         /* ARGUMENT_NUMBER; 0: any */
};

enum { OPERATION_ARGUMENTS_MAX = 24 };

/* One that was given, or its fallback. */
struct operation_value {
	const struct operation_argument *argument;
	const char *text; /* as it was given */
	union {
		uint64_t number;
		uint64_t ns; /* ARGUMENT_DURATION */
		struct network network;
		struct rate rate;
		struct ports ports;
		bool flag;
	};
};

struct operation_call {
	const struct operation *operation;
	struct agent *agent;
	struct reloader *reloader;
	void *part;              /* what runs of operation->module; never NULL where it has one */
	const struct peer *peer; /* who asks; NULL: somebody at the TCP listener */
	struct arguments arguments;
	struct operation_value values[ARGUMENTS_MAX];
	size_t n_values;
	json_t *answer;     /* to be filled, or: */
	struct buf text;    /* the same written out, where it is large */
	struct buf details; /* lines for a person, also when it fails */
};

struct operation {
	const char *path;     /* /v1/… */
	const char *command;  /* "config reload"; NULL: there is none */
	const char *module;   /* whose part (engine/part.h) it is about; NULL */
	const char *summary;  /* one line, no full stop */
	const char *text;     /* a paragraph for --help and the manual page; NULL */
	const char *examples; /* lines for both; NULL */
	const char *answer;   /* of those that look, for docs/api.md; NULL: a table */
	const struct operation_argument *arguments;
	size_t n_arguments;
	const char *others; /* what arguments of other names are; NULL: they are refused */
	unsigned order; /* of its command in the help, lower first; 0: with those of its module */
	/* POST, and by the control socket alone. What was changed by whom is logged, unless its
	 * module does that. */
	bool changes;
	bool logs_itself;
	bool local;   /* at the control socket alone, though it only looks */
	bool in_loop; /* for what only looks, too */
	/*
	 * What changes, is about a module's part, or says in_loop, runs in the agent's loop, and
	 * may take as long as others can wait for it. All else runs in the server's thread: it must
	 * not wait. Gives back 0 with c->answer or c->text, or a negative errno with @e.
	 */
	int (*run)(struct operation_call *c, struct error *e);
};

#define OPERATION(ident, ...)                                                                      \
	static const struct operation ident##_operation = {__VA_ARGS__};                           \
	static const struct operation *const ident##_operation_row                                 \
		__attribute__((used, section("wiregauge_operations"))) = &ident##_operation

/* Index from 0; NULL past the end. */
const struct operation *operation_at(size_t index);

/* NULL when there is none. */
const struct operation *operation_find(const char *path);

/* Whether it can be asked at the web listener, where that is wanted. */
bool operation_on_web(const struct operation *o);

/* Whether it runs in the agent's loop, else in the server's thread. */
bool operation_in_loop(const struct operation *o);

/*
 * Fills c->values out of c->arguments: all that c->operation wants is there, and is what it should
 * be. -EINVAL with a sentence.
 */
int operation_read(struct operation_call *c, struct error *e);

/* Reads the arguments and runs c->operation. In the right thread. */
int operation_run(struct operation_call *c, struct error *e);

/* Appends what @a takes, for a sentence: "a whole number". */
void operation_describe_type(const struct operation_argument *a, struct buf *to);

/* Frees what the call holds. */
void operation_release(struct operation_call *c);

/* ---- for run() ---- */

/* The value of @name, of repeated ones the first; NULL when it is not given and has no fallback. */
const struct operation_value *operation_value(const struct operation_call *c, const char *name);

/* The one behind @last, or the first when that is NULL. */
const struct operation_value *operation_next(const struct operation_call *c, const char *name,
					     const struct operation_value *last);

/* The same as text, NULL when it is not given; as a number, @fallback when it is not given; whether
 * a flag is set. */
const char *operation_text_of(const struct operation_call *c, const char *name);
uint64_t operation_number_of(const struct operation_call *c, const char *name, uint64_t fallback);
bool operation_flag_of(const struct operation_call *c, const char *name);

/* c->answer is {"done": sentence}, to which more may be added. */
void operation_done(struct operation_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* @text as JSON, which takes UTF-8 only: names of interfaces are any bytes, and an error may be cut
 * within a character. */
json_t *operation_text(const char *text);

/* ---- tables, as `tables:` of a module gives them: the command lines them up ---- */

struct operation_column {
	const char *name;
	const char *header;  /* NULL: the name in capitals */
	const char *kind;    /* "text", "gauge" or "counter"; NULL: text */
	const char *unit;    /* of numbers: "none", "count", "bytes", "packets", "seconds", "age" */
	unsigned importance; /* where all do not fit, the least goes first */
};

/* {"help", "columns": …, "rows": []}; @empty: the sentence for when no row is added. */
json_t *operation_table(const char *help, const char *empty, const struct operation_column *columns,
			size_t n_columns);

/* A new row of @table to be filled by names of columns; @row is taken over. */
void operation_table_add(json_t *table, json_t *row);

/* ---- what failed ---- */

/* A word for @e that stays the same for programs; *ret_status: the HTTP status that fits. */
const char *operation_failure_code(const struct error *e, unsigned *ret_status);

/* {"error": {"code", "message", "hint", "exit", "details"}} */
json_t *operation_failure(const struct error *e, const char *details, unsigned *ret_status);

/* The code of what is no operation at all. */
#define OPERATION_UNKNOWN "no_operation"

/* Each code once, for docs/api.md; index from 0, false past the end. */
struct failure_doc {
	const char *code;
	unsigned status;
	const char *meaning;
};
bool operation_failure_describe(size_t index, struct failure_doc *ret);

/* The path at which the daemon listens unless told otherwise. */
#define CONTROL_SOCKET_DEFAULT "/run/wiregauge/control.sock"
