# SPDX-License-Identifier: MIT
"""The XDP pipeline: which programs it has for which kernels, and what becomes of verdicts; with two
stages of the tests', first and second."""

import contextlib
import pathlib
import struct

import cases
import parsed
import pytest
import yaml
from bpf import XDP_PASS, XDP_TX, Object, kernel_is_at_least, object_path

# From which Linux on there are packets of several buffers, and compare-and-swap.
PROGRAMS = {"xdp_ingress": (5, 18), "xdp_linear": (5, 12), "xdp_basic": (0, 0)}
PACKET = bytes(cases.every_kind()["qinq-v4-udp"])

MODULES = pathlib.Path(__file__).parents[2] / "modules"

# BPF_STX | BPF_ATOMIC of 8 and of 4 bytes. With imm 0 it is the addition that all kernels know.
ATOMIC = {0xDB, 0xC3}
CMPXCHG = 0xF1


@contextlib.contextmanager
def loaded(program, name="tests/packet/stages/xdp_stages", **rodata):
    with Object(object_path(name)) as pipeline:
        for variable, value in rodata.items():
            pipeline.set_rodata(variable, value)
        pipeline.choose(program)
        if not kernel_is_at_least(*PROGRAMS[program]):
            with pytest.raises(OSError):
                pipeline.load()
            pytest.skip("this kernel is too old for the program, and says so")
        pipeline.load()
        yield pipeline


def counted(pipeline):
    return struct.unpack("2Q", pipeline.lookup("first_counts", bytes(4))[0])


def has_second(pipeline):
    return any(pipeline.lookup("second_packets", bytes(4))[0])


@pytest.mark.parametrize("program", PROGRAMS)
def test_stages_get_the_packet_and_it_goes_on(program):
    with loaded(program, stage_first=True, stage_second=True) as pipeline:
        for count in range(1, 4):
            assert pipeline.run_xdp(program, PACKET) == (XDP_PASS, PACKET)
            assert counted(pipeline) == (count, count * len(PACKET))
        packet = parsed.LAYOUT.unpack_from(pipeline.lookup("second_packets", bytes(4))[0])
        length, headers, network, *_ = packet
        assert (length, headers, network) == (len(PACKET), 14 + 8 + 20 + 8, 14 + 8)


@pytest.mark.parametrize("verdict", range(6))
def test_a_verdict_is_the_last_word(verdict):
    """Also one that XDP has not yet: the program is not to know better."""
    stages = {"stage_first": True, "stage_second": True, "first_verdict": verdict}
    with loaded("xdp_basic", **stages) as pipeline:
        assert pipeline.run_xdp("xdp_basic", PACKET)[0] == verdict
        assert counted(pipeline) == (1, len(PACKET)) and not has_second(pipeline)


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_off_is_not_there(program):
    with loaded(program, first_verdict=XDP_TX) as pipeline:
        assert pipeline.run_xdp(program, PACKET)[0] == XDP_PASS
        assert counted(pipeline) == (0, 0) and not has_second(pipeline)
    with loaded(program, stage_second=True, first_verdict=XDP_TX) as pipeline:
        assert pipeline.run_xdp(program, PACKET)[0] == XDP_PASS
        assert counted(pipeline) == (0, 0) and has_second(pipeline)


def stages_of_modules():
    manifests = {path.stem: yaml.safe_load(path.read_text()) for path in MODULES.glob("*/*.yaml")}
    return {f"stage_{name}": True for name, manifest in manifests.items()
            if manifest.get("stage", {}).get("pipeline") == "xdp"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_that_modules_have_is_taken_by_this_kernel(program):
    stages = stages_of_modules()
    assert stages
    with loaded(program, "pipeline/xdp", **stages) as pipeline:
        assert pipeline.run_xdp(program, PACKET) == (XDP_PASS, PACKET)


def atomics(name, program, **rodata):
    with loaded(program, name, **rodata) as pipeline:
        return {imm for code, imm in pipeline.instructions(program) if code in ATOMIC}


def test_the_test_finds_what_it_looks_for():
    assert CMPXCHG in atomics("tests/packet/stages/xdp_stages", "xdp_linear")


@pytest.mark.parametrize("name", ["tests/packet/stages/xdp_stages", "pipeline/xdp"])
def test_old_kernels_get_no_atomics_that_they_do_not_know(name):
    """Before Linux 5.12 such an instruction is refused also where it is never reached."""
    assert atomics(name, "xdp_basic") <= {0}
