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
 * Verdict:
 *
 *	STAGE_NEXT	go on with the next stage; after the last, the program returns
 *			TC_ACT_UNSPEC (= TCX_NEXT), so that whatever others attached runs too
 *	another TC_ACT_…	the program returns it at once: no later stage sees the packet
 *
 * A stage that only measures returns STAGE_NEXT always. One that changes the packet parses it
 * anew (packet_parse()) if a later stage should see the change.
 *
 * What a stage costs when it is off: nothing. `stage_<name>` is constant for the verifier, which
 * removes the code; when all are off the packet is not even parsed.
 *
 * Names in a stage are the pipeline's: begin each with the module's name.
 */
#pragma once

#include <linux/pkt_cls.h>

#include "packet.bpf.h"

enum { STAGE_NEXT = TC_ACT_UNSPEC };
