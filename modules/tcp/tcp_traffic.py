# SPDX-License-Identifier: MIT
"""TCP traffic of all fates between namespaces, and what the kernel itself counts of it."""

import errno
import re
import select
import socket
import struct
import threading
from contextlib import ExitStack, closing

from daemon import PATIENCE

V4, V6 = socket.AF_INET, socket.AF_INET6
ADDRESS = {V4: "10.9.0.{}", V6: "fd09::{}"}
LENGTH = {V4: 24, V6: 64}
CLIENT, SERVER = 1, 2

NOW = struct.pack("ii", 1, 0)  # SO_LINGER: a close that resets


def address(family, host):
    return ADDRESS[family].format(host)


def number(namespace, device, host):
    """Addresses of both families."""
    namespace.sysctl(f"net/ipv6/conf/{device}/disable_ipv6", 0)
    for family in (V4, V6):
        nodad = " nodad" if family == V6 else ""
        namespace.ip(f"address add {address(family, host)}/{LENGTH[family]} dev {device}{nodad}")


def make_socket(namespace, family):
    with namespace.entered():
        return socket.socket(family, socket.SOCK_STREAM)


def listen(namespace, family, host, port, backlog=4096):
    server = make_socket(namespace, family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address(family, host), port))
    server.listen(backlog)
    return server


def nstat(namespace):
    """{name: value} of all that nstat shows, with its names."""
    found = {}
    for file in ("snmp", "netstat"):
        with namespace.entered(), open(f"/proc/net/{file}") as lines:
            for names in lines:
                protocol, *names = names.split()
                _, *values = next(lines).split()
                found |= {protocol.rstrip(":") + name: int(value)
                          for name, value in zip(names, values)}
    return found


def ss(namespace, port):
    """{name: text} of what `ss -ti` says of the one connection whose own port that is."""
    text = namespace.run("ss", "-tinHO", "state", "established", "sport", "=", f":{port}")
    (line,) = text.splitlines()
    return dict(word.split(":", 1) for word in line.split() if re.match(r"[a-z_]+:", word))


def difference(after, before):
    return {name: value - before.get(name, 0) for name, value in after.items()}


def exchange(client, server, request=b"?" * 100, reply=b"!" * 1000):
    """A request and its reply, to the last byte."""
    client.sendall(request)
    receive(server, len(request))
    server.sendall(reply)
    receive(client, len(reply))


def receive(sock, length):
    while length:
        data = sock.recv(length)
        assert data, "the connection ended early"
        length -= len(data)


def stream(sender, receiver, length):
    """@length bytes from one to the other."""
    sent = threading.Thread(target=sender.sendall, args=(bytes(length),))
    sent.start()
    receive(receiver, length)
    sent.join()


def converse(namespace, server, reset=False):
    """One connection to the listening @server from its beginning to its end; @reset: which is the
    server's, at once."""
    with closing(make_socket(namespace, server.family)) as client:
        client.connect(server.getsockname()[:2])
        with closing(server.accept()[0]) as accepted:
            exchange(client, accepted)
            if reset:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
                accepted.close()
                expect_reset(client)
            else:
                # Not closed yet: of a socket that nobody has, the kernel may or may not count the
                # peer's FIN.
                client.shutdown(socket.SHUT_WR)
                assert accepted.recv(1) == b""
                accepted.close()
                assert client.recv(1) == b""


def expect_reset(sock):
    try:
        sock.recv(1)
    except ConnectionResetError:
        return
    raise AssertionError("no reset came")


def refused(namespace, family, host, port):
    with closing(make_socket(namespace, family)) as client:
        assert client.connect_ex((address(family, host), port)) == errno.ECONNREFUSED


def connect_at_once(namespace, family, host, port, count, tries=None):
    """@count connections begun together; the error of each in the end. @tries: SYNs sent again."""
    with ExitStack() as stack:
        waiting = {}
        for _ in range(count):
            client = stack.enter_context(closing(make_socket(namespace, family)))
            if tries is not None:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, tries)
            client.setblocking(False)
            assert client.connect_ex((address(family, host), port)) == errno.EINPROGRESS
            waiting[client.fileno()] = client
        return [outcome(client) for client in until_done(waiting)]


def until_done(waiting):
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLOUT)
    while waiting:
        ready = poll.poll(60_000 * PATIENCE)
        assert ready, f"{len(waiting)} connections neither succeed nor fail"
        for fd, _ in ready:
            poll.unregister(fd)
            yield waiting.pop(fd)


def outcome(client):
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def rules(namespace, hook, *lines):
    """nftables rules on what comes in or goes out: instead of those before."""
    table = "\n".join(f"\t\t{line}" for line in lines)
    namespace.run("nft", "-f", "-", input=f"""
table inet test
delete table inet test
table inet test {{
	chain losses {{
		type filter hook {hook} priority 0;
{table}
	}}
}}
""")


def no_rules(namespace):
    namespace.run("nft", "delete", "table", "inet", "test")
