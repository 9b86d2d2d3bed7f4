// SPDX-License-Identifier: MIT
#include "base/regex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/cleanup.h"

enum {
	/* Steps of backtracking: what a pattern with nested repeats may cost on a text of a few
	 * hundred bytes. Reasonable patterns need a few dozen. */
	MATCH_LIMIT = 20000,
	/* Bytes; the compiled code otherwise has 32 KiB of the thread's own stack. */
	JIT_STACK_FIRST = 32 << 10,
	JIT_STACK_MOST = 512 << 10,
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	pcre2_jit_stack *stack; /* NULL: the host allows no code made at run time */
	uint32_t groups;
};

static void free_context(pcre2_compile_context **context)
{
	pcre2_compile_context_free(*context);
}

/* '.' and '^' of (?m) know one line end, as RE2 does, whatever PCRE2 was built with. */
static pcre2_compile_context *make_context(void)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);

	if (context)
		pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	return context;
}

static int compile(struct regex *r, const char *pattern, size_t *ret_at, struct error *e)
{
	/* \C would split characters; map keys are bytes, which need not be valid UTF-8. */
	const uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
			       PCRE2_NEVER_BACKSLASH_C;
	_cleanup_(free_context) pcre2_compile_context *context = make_context();
	PCRE2_UCHAR message[256] = "";
	PCRE2_SIZE at = 0;
	int code = 0;

	if (!context)
		return error_set(e, -ENOMEM, "no memory for a regular expression");
	r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, &code, &at,
				context);
	if (r->code)
		return 0;
	pcre2_get_error_message(code, message, sizeof(message));
	*ret_at = MIN((size_t)at, strlen(pattern));
	return error_set_usage(e, "%s", (const char *)message);
}

/* Without compiled code (a host that forbids it) patterns are interpreted: slower, the same. */
static void use_jit(struct regex *r)
{
	if (pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE))
		return;
	r->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL);
	if (r->stack)
		pcre2_jit_stack_assign(r->limits, NULL, r->stack);
}

DEFINE_CLEANUP(struct regex *, regex_free)

int regex_compile(const char *pattern, struct regex **ret, size_t *ret_at, struct error *e)
{
	_cleanup_(regex_free_p) struct regex *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return error_set(e, -ENOMEM, "no memory for a regular expression");
	err = compile(r, pattern, ret_at, e);
	if (err)
		return err;
	r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (!r->match || !r->limits)
		return error_set(e, -ENOMEM, "no memory for a regular expression");
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
	use_jit(r);
	*ret = TAKE_PTR(r);
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_jit_stack_free(r->stack);
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r);
}

unsigned regex_groups(const struct regex *r)
{
	return r->groups;
}

/* A group that took no part in the match is empty, and so is one that \K turned inside out. */
static struct regex_span span_of(const struct regex *r, unsigned group)
{
	const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(r->match) + 2 * (size_t)group;

	if (bounds[0] == PCRE2_UNSET || bounds[1] < bounds[0])
		return (struct regex_span){0};
	return (struct regex_span){bounds[0], bounds[1] - bounds[0]};
}

int regex_match(struct regex *r, const char *text, size_t len, unsigned group,
		struct regex_span *ret)
{
	int n = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, r->match, r->limits);

	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (n < 0) /* PCRE2_ERROR_MATCHLIMIT, …_JIT_STACKLIMIT, …_HEAPLIMIT, …_RECURSELOOP */
		return -ELOOP;
	*ret = span_of(r, group);
	return 1;
}
