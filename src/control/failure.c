// SPDX-License-Identifier: MIT
/* What failed, for programs: a code that stays, and the HTTP status that fits. */
#include <errno.h>
#include <stdlib.h>

#include "control/operation.h"

static const struct {
	int error; /* positive errno */
	const char *code;
	unsigned status; /* RFC 9110, section 15 */
} codes[] = {
	{EINVAL, "usage", 400},       {EPERM, "denied", 403},
	{EACCES, "denied", 403},      {ENOENT, "not_found", 404},
	{EEXIST, "conflict", 409},    {EBUSY, "conflict", 409},
	{ESRCH, "not_running", 409},  {ENOSPC, "full", 507},
	{E2BIG, "full", 507},         {EOPNOTSUPP, "unsupported", 501},
	{ENOSYS, "unsupported", 501}, {ESHUTDOWN, "stopping", 503},
	{ENOMEM, "no_memory", 503},
};

const char *operation_failure_code(const struct error *e, unsigned *ret_status)
{
	*ret_status = 500;
	if (e->exit == EXIT_USAGE) {
		*ret_status = 400;
		return "usage";
	}
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i].error != -e->code)
			continue;
		*ret_status = codes[i].status;
		return codes[i].code;
	}
	if (e->exit != EXIT_HOST_LACKS)
		return "failed";
	*ret_status = 501;
	return "unsupported";
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
