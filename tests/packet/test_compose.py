# SPDX-License-Identifier: MIT
"""tools/compose-stages: the order of stages, and what a wrong manifest is told."""

import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "compose-stages"


def module(folder, name, manifest, header=True):
    path = folder / name
    path.mkdir()
    (path / f"{name}.yaml").write_text(manifest)
    if header:
        (path / f"{name}.stage.h").write_text("")
    return path / f"{name}.yaml"


def compose(folder, *manifests, pipelines="tc"):
    output = folder / "stages.h"
    run = subprocess.run([TOOL, pipelines, output, *manifests], capture_output=True, text=True)
    return run, output.read_text() if output.exists() else ""


def test_stages_run_in_their_order(tmp_path):
    manifests = [
        module(tmp_path, "last", "stage: {pipeline: tc, order: 900}"),
        module(tmp_path, "first", "stage: {pipeline: tc, order: 10}"),
        module(tmp_path, "beside", "stage: {pipeline: tc, order: 900}"),
        module(tmp_path, "elsewhere", "stage: {pipeline: xdp, order: 1}"),
        module(tmp_path, "tracing", "description: no stage", header=False),
    ]
    run, text = compose(tmp_path, *manifests, pipelines="tc,xdp")
    assert run.returncode == 0, run.stderr
    calls = [text.index(f"verdict = {name}_stage(p)") for name in ("first", "beside", "last")]
    assert calls == sorted(calls)
    assert "elsewhere" not in text and "tracing" not in text
    again, same = compose(tmp_path, *reversed(manifests), pipelines="tc,xdp")
    assert again.returncode == 0 and same == text


def test_no_stages(tmp_path):
    run, text = compose(tmp_path)
    assert run.returncode == 0, run.stderr
    assert "return false;" in text


@pytest.mark.parametrize(
    ("name", "manifest", "header", "told"),
    [
        ("bad", "stage: {pipeline: tc}", True, "exactly two keys"),
        ("bad", "stage: {pipeline: tcp, order: 1}", True,
         "no pipeline is called 'tcp'; there are: tc"),
        ("bad", "stage: {pipeline: tc, order: first}", True, "a whole number, not 'first'"),
        ("bad", "stage: {pipeline: tc, order: 1}", False, "its code is missing"),
        ("bad", "description: forgot it", True, "but no 'stage:"),
        ("bad-name", "stage: {pipeline: tc, order: 1}", True, "become"),
        ("bad", "- a list", True, "a manifest is a mapping"),
        ("bad", "stage: {", True, "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, name, manifest, header, told):
    path = module(tmp_path, name, manifest, header)
    run, text = compose(tmp_path, path)
    assert run.returncode != 0
    assert f"{path}: error: " in run.stderr and told in run.stderr
    assert text == ""
