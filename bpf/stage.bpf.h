/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a packet stage is. modules/<name>/<name>.stage.h defines
 *
 *	static __always_inline int <name>_stage(struct packet *p);
 *
 * and the manifest beside it says where it goes: `stage: {pipeline: tc, order: 500}`. The build
 * composes the stages of a pipeline into its programs, lower order first. The pipeline parses the
 * packet once and calls every stage that is enabled with the same struct packet.
 *
 * Pipelines: `tc`, packets in both directions, with all that the kernel knows of them; `xdp`,
 * those that come, as early as can be.
 *
 * Verdict:
 *
 *	STAGE_NEXT	go on with the next stage; after the last, the packet goes on: at TC to
 *			whatever others attached (TC_ACT_UNSPEC = TCX_NEXT), at XDP into the kernel
 *			(XDP_PASS)
 *	another TC_ACT_… or XDP_…
 *			the program returns it at once: no later stage sees the packet
 *
 * A stage that only measures returns STAGE_NEXT always. One that changes the packet parses it
 * anew (packet_parse()) if a later stage should see the change.
 *
 * What a stage costs when it is off: nothing. `stage_<name>` is constant for the verifier, which
 * removes the code; when all are off the packet is not even parsed.
 *
 * In the pipeline xdp, p->cmpxchg says whether the program may compare and swap (Linux 5.12). It is
 * a constant in each of the pipeline's programs, and the code that is not reached must not even be
 * there: ask in code that is inlined (`if (p->cmpxchg)`), before p itself is given to a function
 * that is not. tests/packet/test_xdp.py looks for what should not be there.
 *
 * Names in a stage are the pipeline's: begin each with the module's name.
 */
#pragma once

#include "packet.bpf.h"

/* TC_ACT_UNSPEC; no action of XDP. */
enum { STAGE_NEXT = -1 };
