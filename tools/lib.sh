# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the scripts under tools/ and tests/install/ share.

say()
{
	echo "wiregauge: $*" >&2
}

# die CODE LINE… : one sentence a line, then exit
die()
{
	local code=$1
	shift
	for line in "$@"; do
		say "$line"
	done
	exit "$code"
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# Runs a command without its output, unless it fails or V=1.
quietly()
{
	local log code=0

	if [ "${V:-0}" != 0 ]; then
		"$@" >&2
		return
	fi
	log=$(mktemp)
	"$@" >"$log" 2>&1 || code=$?
	[ $code = 0 ] || cat "$log" >&2
	rm -f "$log"
	return $code
}
