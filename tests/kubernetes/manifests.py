# SPDX-License-Identifier: MIT
"""What is under deploy/kubernetes, rendered by kubectl, and what one asks of it."""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def objects_in(text):
    return [document for document in yaml.safe_load_all(text) if document]


def kustomize(tools, folder):
    done = subprocess.run([tools / "kubectl", "kustomize", ROOT / "deploy/kubernetes" / folder],
                          capture_output=True, text=True, check=True)
    assert not done.stderr, "kustomize warns of something old"
    return objects_in(done.stdout)


def pick(objects, kind):
    return next(obj for obj in objects if obj["kind"] == kind)


def pod_of(objects):
    return pick(objects, "DaemonSet")["spec"]["template"]["spec"]


def config_of(objects):
    """{file: text}"""
    return pick(objects, "ConfigMap")["data"]
