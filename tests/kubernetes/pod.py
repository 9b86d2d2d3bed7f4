#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pod.py SPEC.json BINARY ARGUMENT…: becomes the program, with what a container of a pod has.

To be run in a mount namespace of its own. Of the pod's description, SPEC["pod"], it heeds the
volumes, whether its root may be written to, the capabilities, and that it may not gain privileges.
Files that SPEC["files"] has are those of the config map; SPEC["folder"] is where each emptyDir is.
What a runtime adds by seccomp and AppArmor is not here, nor a process namespace.
"""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MINE = Path("/mnt")  # of the container: the program, and the root while it is made


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def bind(source, target, read_only):
    mount("--rbind", source, target)
    if read_only:
        mount("-o", "remount,bind,ro", target)


def source_of(volume, spec):
    """The directory of this host that the volume is."""
    if "hostPath" in volume:
        path = Path(spec["host_paths"].get(volume["name"], volume["hostPath"]["path"]))
        if volume["hostPath"]["type"] == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        return path
    path = Path(spec["folder"], volume["name"])
    path.mkdir(exist_ok=True)
    if "configMap" in volume:
        for name, text in spec["files"].items():
            (path / name).write_text(text)
    return path


def make_root(root, spec, binary):
    """As a runtime does: an image, file systems of the kernel's, memory where files are made."""
    container, = spec["pod"]["containers"]
    volumes = {volume["name"]: source_of(volume, spec) for volume in spec["pod"]["volumes"]}
    mount("--bind", "/", root)
    for path in ("/usr", "/etc", "/proc", "/dev"):
        mount("--rbind", path, root / path[1:])
    mount("-t", "sysfs", "-o", "ro", "sysfs", root / "sys")
    for path in ("run", "var", "mnt", "tmp"):
        mount("-t", "tmpfs", "tmpfs", root / path)
    shutil.copy(binary, root / "mnt/wiregauge")
    if not os.path.ismount("/sys/kernel/tracing"):
        mount("-t", "tracefs", "tracefs", "/sys/kernel/tracing")
    for row in container["volumeMounts"]:
        target = root / row["mountPath"][1:]
        if row["mountPath"].startswith("/etc/"):
            mount("-t", "tmpfs", "tmpfs", root / "etc")
        target.mkdir(parents=True, exist_ok=True)
        bind(volumes[row["name"]], target, row.get("readOnly", False))
    if container["securityContext"]["readOnlyRootFilesystem"]:
        for path in ("", "etc", "var", "mnt", "tmp", "run"):
            mount("-o", "remount,bind,ro", root / path)


def main():
    spec = json.loads(Path(sys.argv[1]).read_text())
    arguments = sys.argv[3:]
    at = arguments.index("--control.socket")
    del arguments[at:at + 2]
    container, = spec["pod"]["containers"]
    added = container["securityContext"]["capabilities"]["add"]
    capabilities = [f"+{name.lower()}" for name in added]
    mount("--make-rprivate", "/")
    root = Path(spec["folder"], "root")
    root.mkdir()
    make_root(root, spec, sys.argv[2])
    os.chroot(root)
    os.chdir("/")
    os.execvp("setpriv", [
        "setpriv", "--no-new-privs", "--bounding-set", ",".join(["-all", *capabilities]),
        "--inh-caps=-all", "/mnt/wiregauge", *arguments])


main()
