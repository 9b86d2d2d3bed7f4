# SPDX-License-Identifier: MIT
"""What is under deploy/kubernetes and deploy/helm: rendered by kubectl and Helm, as a user does."""

import copy
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from manifests import ROOT, config_of, kustomize, objects_in, pick, pod_of

CHART = ROOT / "deploy/helm/wiregauge"
WIREGAUGE = os.environ.get("WIREGAUGE", ROOT / "build/wiregauge")

pytestmark = pytest.mark.host

# What a value of the chart makes is what an overlay makes.
TWINS = {
    "base": [],
    "overlays/guard": ["guard.enabled=true", "resources.limits.memory=512Mi"],
    "overlays/pods": ["pods.enabled=true"],
}
OPERATOR = ["serviceMonitor.enabled=true", "prometheusRule.enabled=true"]
VARIANTS = {
    "everything": [*OPERATOR, "guard.enabled=true", "guard.mode=enforce", "pods.enabled=true",
                   "webConfigSecret=web", "listenOnNodeIP=true", "extraArgs={--web.api}",
                   "extraCapabilities={SYSLOG}", "seLinuxOptions.type=spc_t",
                   "image.registry=registry.example.org:5000/net/", "imagePullSecrets[0].name=pull",
                   f"image.digest=sha256:{'0' * 64}", "podLabels.a=b", "podAnnotations.c=d",
                   "networkPolicy.namespaces={monitoring,ops}", "updateStrategy.maxUnavailable=1",
                   "serviceAccount.name=other"],
    "almost nothing": ["networkPolicy.enabled=false", "serviceAccount.create=false",
                       "priorityClassName=", "tolerations=null", "nodeSelector=null"],
}


def helm_template(tools, settings, name="wiregauge"):
    arguments = [part for setting in settings for part in ("--set", setting)]
    return subprocess.run([tools / "helm", "template", name, CHART, "-n", "wiregauge", *arguments],
                          capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def rendered(tools):
    """{what: [its objects]}"""
    found = {folder: kustomize(tools, folder)
             for folder in [*TWINS, "overlays/prometheus-operator"]}
    chart = {f"chart as {folder}": settings for folder, settings in TWINS.items()}
    chart |= {"chart, operator": OPERATOR}
    chart |= {f"chart, {name}": settings for name, settings in VARIANTS.items()}
    for name, settings in chart.items():
        done = helm_template(tools, settings)
        assert done.returncode == 0, done.stderr
        found[name] = objects_in(done.stdout)
    return found


def all_pods(rendered):
    return {name: pod_of(objects) for name, objects in rendered.items()
            if any(obj["kind"] == "DaemonSet" for obj in objects)}


# --- schemas

def broken(document, change):
    document = copy.deepcopy(document)
    change(document["spec"]["template"]["spec"])
    return document


@pytest.fixture(scope="module")
def judged(rendered):
    """({what: its object}, [what is wrong]) of all that differ, and of three that are wrong."""
    different = {}
    for name, objects in rendered.items():
        for obj in objects:
            different.setdefault(json.dumps(obj, sort_keys=True), f"{name}: {obj['kind']}")
    documents = {of: json.loads(text) for text, of in different.items()}
    good = pick(rendered["base"], "DaemonSet")
    documents |= {
        "no such key": broken(good, lambda pod: pod.update(hostNetwrk=True)),
        "a key is missing": broken(good, lambda pod: pod["containers"][0].pop("name")),
        "wrong type": broken(good, lambda pod: pod.update(hostPID="no")),
    }
    given = [{"of": of, "document": document} for of, document in documents.items()]
    done = subprocess.run(["node", Path(__file__).with_name("schemas.js")], capture_output=True,
                          input=json.dumps(given), text=True, check=True)
    return documents, json.loads(done.stdout)


def test_all_objects_are_as_the_schemas_say(judged):
    """And the judges find what is wrong."""
    documents, wrong = judged
    assert {document["kind"] for document in documents.values()} == {
        "ConfigMap", "DaemonSet", "Namespace", "NetworkPolicy", "PrometheusRule", "ResourceQuota",
        "Service", "ServiceAccount", "ServiceMonitor"}
    assert {row["of"] for row in wrong} == {"no such key", "a key is missing", "wrong type"}, wrong
    assert any("hostNetwrk" in row["error"] for row in wrong)


# --- the two ways are one

def normalised(objects):
    """{kind: object}, without what only kustomize or only Helm adds."""
    found = {}
    for obj in copy.deepcopy(objects):
        metadata = obj["metadata"]
        for label in ("app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"):
            metadata["labels"].pop(label, None)
        if obj["kind"] == "ConfigMap":
            metadata["name"] = "wiregauge"
            obj["data"] = {name: yaml.safe_load(text) for name, text in obj["data"].items()}
        if obj["kind"] == "DaemonSet":
            template = obj["spec"]["template"]
            template["metadata"]["annotations"].pop("checksum/config", None)
            for volume in template["spec"]["volumes"]:
                if "configMap" in volume:
                    volume["configMap"]["name"] = "wiregauge"
            template["spec"]["volumes"].sort(key=lambda row: row["name"])
            for container in template["spec"]["containers"]:
                container["volumeMounts"].sort(key=lambda row: row["name"])
        found[obj["kind"]] = obj
    found.pop("Namespace", None)  # that is Helm's --create-namespace
    return found


@pytest.mark.parametrize("folder", TWINS)
def test_the_chart_gives_what_the_manifests_do(rendered, folder):
    assert normalised(rendered[f"chart as {folder}"]) == normalised(rendered[folder])


def test_the_chart_has_the_operators_objects(rendered):
    of_chart = normalised(rendered["chart, operator"])
    assert normalised(rendered["overlays/prometheus-operator"]) == {
        kind: of_chart[kind] for kind in ("ServiceMonitor", "PrometheusRule")}


def test_names_carry_the_release(tools):
    done = helm_template(tools, [], name="edge")
    names = {obj["metadata"]["name"] for obj in objects_in(done.stdout)}
    assert names == {"edge-wiregauge"}


# --- the chart itself

def test_lint(tools):
    done = subprocess.run([tools / "helm", "lint", "--strict", CHART], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("setting, says", [
    ("guard.enabld=true", "enabld"), ("guard.mode=on", "guard"), ("port=0", "port"),
    ("image.digest=sha256:1", "digest"), ("extraCapabilities={CAP_SYSLOG}", "extraCapabilities"),
    ("extraArgs={debug}", "extraArgs"), ("serviceMonitor.interval=15", "interval"),
    ("updateStrategy.maxUnavailable=ten", "maxUnavailable"),
    ("networkpolicy.enabled=false", "networkpolicy")])
def test_values_that_are_wrong_are_refused(tools, setting, says):
    done = helm_template(tools, [setting])
    assert done.returncode and says in done.stderr, done.stderr


WHOLE = {"limits", "requests", "nodeSelector", "config"}  # not one row for each of their keys


def leaves(values, path=()):
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from leaves(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


def test_the_readme_has_all_values():
    page = (CHART / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", page, re.M))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert {name: yaml.safe_load(text) for name, text in rows.items()} == dict(leaves(values))


def test_versions_are_the_projects():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    kustomization = yaml.safe_load((ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text())
    image, = kustomization["images"]
    assert {chart["version"], chart["appVersion"], image["newTag"]} == {version}


# --- what pods may do

HOST_PATHS = {"/sys/kernel/tracing", "/sys/fs/cgroup", "/run/netns", "/var/log/containers",
              "/sys/fs/bpf"}


def test_pods_have_the_least(rendered):
    for name, pod in all_pods(rendered).items():
        container, = pod["containers"]
        security = container["securityContext"]
        assert pod["automountServiceAccountToken"] is False, name
        assert not security["privileged"] and not security["allowPrivilegeEscalation"], name
        assert security["readOnlyRootFilesystem"], name
        assert security["capabilities"]["drop"] == ["ALL"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        writable = {mount["mountPath"] for mount in container["volumeMounts"]
                    if not mount.get("readOnly")}
        assert writable - {"/sys/fs/bpf"} == {"/run/wiregauge"}, name
        assert ("/sys/fs/bpf" in writable) == ("guard" in name or "everything" in name), name
        assert {volume["hostPath"]["path"] for volume in pod["volumes"]
                if "hostPath" in volume} <= HOST_PATHS, name
        assert pod["hostPID"] == ("pods" in name or "everything" in name), name
        assert {mount["name"] for mount in container["volumeMounts"]} \
            == {volume["name"] for volume in pod["volumes"]}, name


def test_each_capability_has_its_reason(rendered):
    page = (ROOT / "docs/kubernetes.md").read_text()
    explained = set(re.findall(r"^\| `CAP_(\w+)` \|", page, re.M))
    for pod in all_pods(rendered).values():
        assert set(pod["containers"][0]["securityContext"]["capabilities"]["add"]) <= explained


def test_each_mount_has_its_reason(rendered):
    page = (ROOT / "docs/kubernetes.md").read_text()
    explained = set(re.findall(r"^\| `(/[\w/-]+)` \|", page, re.M))
    for pod in all_pods(rendered).values():
        assert {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]} <= explained


# --- what is in them is right

def test_the_daemon_takes_the_configs_and_arguments(rendered, tmp_path):
    for name, objects in rendered.items():
        if not any(obj["kind"] == "DaemonSet" for obj in objects):
            continue
        file = tmp_path / "wiregauge.yaml"
        file.write_text(config_of(objects)["wiregauge.yaml"])
        arguments = [argument.replace("/etc/wiregauge/wiregauge.yaml", str(file)).replace(
                         "$(NODE_IP)", "127.0.0.1")
                     for argument in pod_of(objects)["containers"][0]["args"]
                     if not argument.startswith("--web.config.file")]
        done = subprocess.run([WIREGAUGE, *arguments, "--config.check"], capture_output=True,
                              text=True)
        assert done.returncode == 0, (name, done.stderr)


def test_rules_are_those_of_deploy_prometheus():
    done = subprocess.run([ROOT / "tools/kubernetes-rules", "--check"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


# --- the front doors

def run_door(tools, *arguments, path=None, **environment):
    clean = {key: value for key, value in os.environ.items()
             if key not in ("KUBE_CONTEXT", "NAMESPACE", "DRY_RUN") and "IMAGE" not in key}
    environment = clean | {"PATH": path or f"{tools}:{os.environ['PATH']}"} | environment
    return subprocess.run([ROOT / "tools/kubernetes", *arguments], capture_output=True, text=True,
                          env=environment)


@pytest.mark.parametrize("image, in_pod", [
    ("registry.example.org:5000/net/wiregauge", "registry.example.org:5000/net/wiregauge:0.1.0"),
    ("registry.example.org/wiregauge:1.2", "registry.example.org/wiregauge:1.2"),
    (f"wiregauge@sha256:{'1' * 64}", f"wiregauge@sha256:{'1' * 64}")])
def test_the_front_door_sets_image_and_namespace(tools, image, in_pod):
    done = run_door(tools, "guard", DRY_RUN="client", NAMESPACE="net", IMAGE=image)
    objects = objects_in(done.stdout)
    assert pod_of(objects)["containers"][0]["image"] == in_pod
    assert {obj["metadata"].get("namespace", obj["metadata"]["name"]) for obj in objects} == {"net"}
    assert not list((ROOT / "deploy/kubernetes").glob(".apply-*"))


def test_the_front_door_takes_the_image_that_was_made(tools):
    done = run_door(tools, "base", DRY_RUN="client", IMAGE_REGISTRY="registry.example.org",
                    IMAGE_NAMESPACE="net", IMAGE_TAG="1.2")
    image = pod_of(objects_in(done.stdout))["containers"][0]["image"]
    assert image == "registry.example.org/net/wiregauge:1.2"


def test_the_front_door_applies_in_the_context(tools, tmp_path):
    """kubectl is one that writes down what it is asked."""
    told = tmp_path / "told"
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    kubectl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert run_door(tools, "base", "pods", path=path, KUBE_CONTEXT="edge").returncode == 0
    assert run_door(tools, "base", path=path, DRY_RUN="1").returncode == 0
    lines = [re.sub(r"-k \S+", "-k DIR", line) for line in told.read_text().splitlines()]
    assert lines == ["--context edge apply -k DIR"] * 2 + ["apply --dry-run=server -k DIR"]


def test_the_front_door_says_what_is_missing(tools, tmp_path):
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = run_door(tools, "base", path=str(tmp_path))
    assert done.returncode == 3 and "kubectl is not there" in done.stderr
    done = run_door(tools, "nothing")
    assert done.returncode == 2 and "there is no overlay 'nothing'" in done.stderr
