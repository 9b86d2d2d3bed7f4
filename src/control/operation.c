// SPDX-License-Identifier: MIT
#include "control/operation.h"

#include <string.h>

#include "base/utf8.h"

extern const struct operation *const __start_wiregauge_operations[];
extern const struct operation *const __stop_wiregauge_operations[];

const struct operation *operation_at(size_t index)
{
	size_t count = (size_t)(__stop_wiregauge_operations - __start_wiregauge_operations);

	return index < count ? __start_wiregauge_operations[index] : NULL;
}

json_t *operation_text(const char *text)
{
	_cleanup_buf_ struct buf valid = {0};

	utf8_add_valid(&valid, text, strlen(text));
	return json_string(buf_str(&valid));
}
