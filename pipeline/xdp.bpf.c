/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The XDP pipeline: as a packet comes from the network card, and before the kernel has done
 * anything for it, it is parsed once and handed to the stages that are enabled, in order (see
 * stage.bpf.h). What no stage has an action for goes on into the kernel.
 *
 * One program, in the forms that kernels take; the manifest has them best first:
 *
 *	xdp_ingress	also packets of several buffers: jumbo frames, Linux 5.18
 *	xdp_linear	of one buffer: drivers then refuse an MTU beyond a page
 *	xdp_basic	the same without compare-and-swap, Linux before 5.12, whose verifier refuses
 *			that instruction also where it is never reached
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define PACKET_XDP

#include "interface.bpf.h"
#include "stage.bpf.h"

/* Made by the build from the manifests: the switches, xdp_any_stage() and xdp_run_stages(). */
#include "xdp.stages.h"

static __always_inline int run_pipeline(struct xdp_md *xdp, bool cmpxchg)
{
	struct packet p;
	int verdict;

	if (!xdp_any_stage())
		return XDP_PASS;
	packet_parse(&p, xdp, PACKET_INGRESS);
	p.cmpxchg = cmpxchg;
	if (interface_own_netns)
		p.interface = interface_id_xdp(xdp);
	verdict = xdp_run_stages(&p);
	return verdict == STAGE_NEXT ? XDP_PASS : verdict;
}

SEC("?xdp.frags")
int xdp_ingress(struct xdp_md *xdp)
{
	return run_pipeline(xdp, true);
}

SEC("?xdp")
int xdp_linear(struct xdp_md *xdp)
{
	return run_pipeline(xdp, true);
}

SEC("?xdp")
int xdp_basic(struct xdp_md *xdp)
{
	return run_pipeline(xdp, false);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
