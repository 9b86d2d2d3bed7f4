// SPDX-License-Identifier: MIT
/* What uprobes and USDT probes are attached to: calls probed(1) … probed(N) once it is told N. */
#include <stdio.h>
#include <sys/sdt.h>

__attribute__((noinline, visibility("default"))) long probed(long number);

long probed(long number)
{
	STAP_PROBE1(wiregauge, hit, number);
	return number * 2;
}

int main(void)
{
	long times, sum = 0;

	if (scanf("%ld", &times) != 1)
		return 1;
	for (long i = 1; i <= times; i++)
		sum += probed(i);
	printf("%ld\n", sum);
	return 0;
}
