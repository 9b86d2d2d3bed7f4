# SPDX-License-Identifier: MIT
"""What the command line does whatever the command is, and the flags of ebpf_exporter."""

import os
import re
import socket
import subprocess
import sys

import pytest

from configs import SINGLE, add_config, enabled
from daemon import BINARY, PATIENCE, command
from waiting import until


def bash(script, *arguments):
    return subprocess.run(["bash", "-c", script, "bash", BINARY, *map(str, arguments)],
                          capture_output=True, text=True, timeout=30 * PATIENCE)


# --- output

COMMANDS = pytest.mark.parametrize("line", ["--help", "--version", "run --help", "modules list",
                                            "modules list --json", "config keys", "docs man"])


@COMMANDS
def test_output_that_cannot_be_written_is_a_failure(line):
    done = bash(f'"$1" {line} >/dev/full')
    assert done.returncode == 1, done.stderr
    assert "cannot write to standard output: No space left on device" in done.stderr


@COMMANDS
def test_closed_output_is_a_failure(line):
    done = bash(f'"$1" {line} >&-')
    assert done.returncode == 1, done.stderr
    assert "cannot write to standard output: Bad file descriptor" in done.stderr


def test_closed_descriptors_become_no_socket(here, tmp_path):
    """What is printed must not go to whoever is connected."""
    with here.entered():
        process = subprocess.Popen(
            ["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash", BINARY, "run",
             "--web.listen-address", "127.0.0.1:9435", "--control.socket", tmp_path / "socket"])
    try:
        until((tmp_path / "socket").exists, 5 * PATIENCE, "the control socket")
        for number in (0, 1, 2):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"
    finally:
        process.terminate()
        assert process.wait(10 * PATIENCE) == 0


# --- completion

def complete(line):
    """What bash offers for the last word of @line."""
    script = """source <("$1" docs completion)
        COMP_WORDS=($2); [[ $2 != *' ' ]] || COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        compopt() { :; }; _wiregauge; printf '%s\\n' "${COMPREPLY[@]}" """
    done = bash(script, line)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


def module_names(kind=None):
    lines = command("modules", "list").stdout.splitlines()[1:]
    return {line.split()[0] for line in lines if kind in (None, line.split()[1])}


def test_completion_offers_commands_and_options():
    assert {"run", "status", "modules", "docs"} <= complete("wiregauge ")
    assert {"list", "describe", "options"} == complete("wiregauge modules ")
    assert {"--config.dir=", "--config.names="} <= complete("wiregauge run --config.")


def test_completion_offers_modules_and_their_options():
    assert complete("wiregauge run --module ") == module_names("module")
    assert module_names() <= complete("wiregauge modules describe ")
    offered = complete("wiregauge run --option ")
    for name in module_names():
        options = command("modules", "options", name).stdout.splitlines()[1:]
        assert {f"{line.split()[0]}=" for line in options} <= offered


# --- config check

DAEMON_FILE = "modules: {packets: {sizes: false}}\n"


@pytest.mark.parametrize("text, code, says", [
    (DAEMON_FILE, 0, None),
    ("modules: {packets: }\n", 0, None),
    ("modules: {packet: }\n", 2, ":1:11: error: there is no module 'packet', did you mean"),
    ("modules: {packets: {sises: true}}\n", 2, ":1:21: error: .*did you mean 'sizes'"),
    ("modules: {packets: {sizes: 7}}\nmodule: {}\n", 2, ":2:1: error: unknown key 'module'"),
    ("modules: {packets: {sizes: 7}, pakets: {}}\n", 2, "2 errors"),
    ("modules: {my_own_config: {limit: 7}}\n", 0, "warning: no module 'my_own_config' is built"),
])
def test_config_check_of_a_daemon_file(tmp_path, text, code, says):
    path = tmp_path / "wiregauge.yaml"
    path.write_text(text)
    done = command("config", "check", path)
    assert done.returncode == code, done.stderr
    assert re.search(says, done.stderr) if says else not done.stderr, done.stderr


def test_module_that_is_not_there_is_refused_also_with_nothing_under_it(launch, tmp_path):
    path = tmp_path / "wiregauge.yaml"
    path.write_text("modules: {packet: }\n")
    code, log = launch("--config", path).fails()
    assert code == 2 and "did you mean 'packets'" in log, log


# --- status

def test_status_tells_what_is_wrong_with_a_config(folder, run_configs):
    add_config(folder, "sound", SINGLE)
    add_config(folder, "broken", "metrcs: {}\n" + SINGLE)
    add_config(folder, "other", SINGLE.replace("single_total", "no_such_map"))
    daemon = run_configs()
    text = command("status", "--control.socket", daemon.control).stdout
    assert f"BROKEN broken: {folder}/broken.yaml:1:1: unknown key 'metrcs' in a config, " in text
    assert re.search(rf"BROKEN other: {folder}/other.yaml:1:\d+: the object has no map", text), text


# --- where it says that it is

def test_the_log_says_where_to_look(launch, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-days", "1",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
                   check=True, capture_output=True)
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: cert, key_file: key}\n")
    plain = launch(listen=":9435").wait_ready()
    assert "metrics at http://localhost:9435/metrics\n" in plain.log()
    encrypted = launch("--web.config.file", tmp_path / "web.yaml", listen="127.0.0.1:9436")
    assert "metrics at https://127.0.0.1:9436/metrics\n" in encrypted.wait_ready().log()


# --- the flags of ebpf_exporter

def test_flags_without_a_subcommand(folder, launch):
    """Its command line, as it is: a line that begins with an option is one for `run`."""
    add_config(folder, "first", SINGLE)
    add_config(folder, "second", SINGLE.replace("single", "percpu"))
    done = command("--config.dir", folder, "--config.names", "first", "--config.check")
    assert (done.returncode, done.stderr) == (0, "")
    daemon = launch("--module=", f"--config.dir={folder}", "--config.names=first",
                    "--config.skip-cache-size=5", "--config.strict", "--debug",
                    "--log.no-timestamps", "--web.telemetry-path=/numbers",
                    "--btf.path=/sys/kernel/btf/vmlinux").wait_ready()
    assert re.search("^info  ready: ", daemon.log(), re.M)
    assert daemon.request("/metrics")[0] == 404
    status, _, page = daemon.request("/numbers")
    assert status == 200 and b'ebpf_exporter_enabled_configs{name="first"} 1\n' in page
    assert b"percpu" not in page
    assert daemon.request("/maps")[0] == 200


def test_names_may_be_left_out(folder, run_configs):
    add_config(folder, "first", SINGLE)
    assert enabled(run_configs()) == {"first"}


def test_version():
    done = command("--version")
    assert re.fullmatch(r"wiregauge \d+\.\d+\.\d+\n", done.stdout) and done.returncode == 0


def test_socket_activation(here, launch):
    """--web.listen-address=fd://N: whoever starts the daemon has opened the port."""
    with here.entered(), socket.create_server(("127.0.0.1", 9435)) as server:
        os.set_inheritable(server.fileno(), True)
        daemon = launch(listen=f"fd://{server.fileno()}", pass_fds=[server.fileno()]).wait_ready()
    assert daemon.scrape().value("process_start_time_seconds")


@pytest.mark.parametrize("address", ["fd://", "fd://x", "fd://-1", "fd://999"])
def test_descriptor_that_is_no_socket(launch, address):
    code, log = launch(listen=address).fails()
    assert code in (1, 2) and address.removeprefix("fd://") in log and "fd://" in log, log


def effective_capabilities(daemon):
    with open(f"/proc/{daemon.pid}/status") as status:
        return int(re.search(r"^CapEff:\s*(\w+)$", status.read(), re.M)[1], 16)


CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = 12, 38, 39  # <linux/capability.h>


LOOK_UP = f"""
import ctypes, errno
libc, nothing = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(32)
nothing[0:4] = b"\\xff" * 4  # as a descriptor: -1
libc.syscall({321 if os.uname().machine == "x86_64" else 280}, 1, nothing, 32)
print(ctypes.get_errno() == errno.EPERM)
"""


@pytest.fixture(scope="module")
def capability_to_read():
    """What this kernel wants to be held by whoever reads an open map: since Linux 5.19 nothing."""
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c",
                           LOOK_UP], capture_output=True, text=True, check=True)
    return 1 << CAP_BPF if done.stdout == "True\n" else 0


@pytest.mark.parametrize("keep, expected", [
    ("none", 0),
    ("cap_perfmon,cap_bpf", 1 << CAP_PERFMON | 1 << CAP_BPF),
    ("net_admin", 1 << CAP_NET_ADMIN),
])
def test_capabilities_are_given_up(run, keep, expected, capability_to_read):
    daemon = run("--capabilities.keep", keep)
    assert effective_capabilities(daemon) == expected | capability_to_read
    warned = "without cap_bpf read BPF maps: it is kept" in daemon.log()
    assert warned == (expected & capability_to_read != capability_to_read)
    daemon.scrape()
    assert daemon.scrape().interfaces() == {"lo"}


def test_capabilities_stay_by_default(run):
    assert effective_capabilities(run()) == effective_capabilities(run("--capabilities.keep=all",
                                                                       listen="127.0.0.1:9436"))


def test_capability_that_is_not_there(launch):
    code, log = launch("--capabilities.keep", "cap_magic").fails()
    assert code == 2 and "there is no capability 'cap_magic'" in log, log
