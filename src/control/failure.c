// SPDX-License-Identifier: MIT
/* What failed, for programs: a code that stays, and the HTTP status that fits. */
#include <errno.h>
#include <stdlib.h>

#include "control/operation.h"

/* Of errors by their number; the first of a code says what it means. */
static const struct {
	int error;       /* positive errno; 0: all that have no other row */
	unsigned status; /* RFC 9110, section 15 */
	const char *code;
	const char *meaning;
} codes[] = {
	{EINVAL, 400, "usage", "what is asked for cannot be right"},
	{EACCES, 403, "denied", "who asks may not"},
	{EPERM, 403, "denied", NULL},
	{ENOENT, 404, "not_found", "there is no such thing"},
	{EEXIST, 409, "conflict", "what is there stands against it"},
	{EBUSY, 409, "conflict", NULL},
	{ESRCH, 409, "not_running", "the module that it is about does not run"},
	{EOPNOTSUPP, 501, "unsupported", "the kernel or the host lacks what it takes"},
	{ENOSYS, 501, "unsupported", NULL},
	{EPROTONOSUPPORT, 501, "unsupported", NULL},
	{ENOSPC, 507, "full", "there is no room for more"},
	{E2BIG, 507, "full", NULL},
	{ESHUTDOWN, 503, "stopping", "the daemon is about to end"},
	{ENOMEM, 503, "no_memory", "the daemon has no memory for it"},
	{0, 500, "failed", "all else: the message says what"},
};

static size_t code_index(const struct error *e)
{
	const int error = e->exit == EXIT_USAGE ? EINVAL : -e->code;

	for (size_t i = 0; i + 1 < ARRAY_SIZE(codes); i++) {
		if (codes[i].error == error)
			return i;
	}
	return ARRAY_SIZE(codes) - 1;
}

const char *operation_failure_code(const struct error *e, unsigned *ret_status)
{
	const struct error lacks = {.code = -EOPNOTSUPP};
	size_t i = code_index(e);

	if (!codes[i].error && e->exit == EXIT_HOST_LACKS)
		i = code_index(&lacks);
	*ret_status = codes[i].status;
	return codes[i].code;
}

bool operation_failure_describe(size_t index, struct failure_doc *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (!codes[i].meaning || index--)
			continue;
		*ret = (struct failure_doc){codes[i].code, codes[i].status, codes[i].meaning};
		return true;
	}
	return false;
}

json_t *operation_failure(const struct error *e, const char *details, unsigned *ret_status)
{
	const char *code = operation_failure_code(e, ret_status);
	json_t *what = json_pack("{s:s, s:o, s:i}", "code", code, "message",
				 operation_text(e->text), "exit", (int)e->exit);

	if (e->hint[0])
		json_object_set_new(what, "hint", operation_text(e->hint));
	if (*details)
		json_object_set_new(what, "details", operation_text(details));
	return json_pack("{s:o}", "error", what);
}
