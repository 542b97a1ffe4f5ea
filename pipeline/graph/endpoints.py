"""ZeroMQ endpoints as a user writes them in a graph file."""

from __future__ import annotations

import ipaddress
import os
import re

TCP = re.compile(r"tcp://(?P<host>\[[^\[\]]+\]|[^:/\[\]\s]+):(?P<port>\*|[0-9]{1,5})")
IPC_PATH_BYTES = 107  # sockaddr_un.sun_path holds 108 with the terminating zero


def endpoint_problem(endpoint: str) -> str | None:
    """What is wrong with an endpoint to bind, or None."""
    if endpoint.startswith("ipc://"):
        size = len(os.fsencode(endpoint.removeprefix("ipc://")))
        if size == 0:
            return "ipc:// needs the path of a socket file"
        if size > IPC_PATH_BYTES:
            return (
                f"the path of an ipc socket has at most {IPC_PATH_BYTES} bytes, this has {size}; use a shorter folder"
            )
        return None
    match = TCP.fullmatch(endpoint)
    if match is None or (match["port"] != "*" and int(match["port"]) > 65535):
        return f"{endpoint!r} is not an endpoint; write ipc://PATH or tcp://HOST:PORT"
    return None


def is_local(endpoint: str) -> bool:
    """Whether only this machine can reach the endpoint. A host name other than localhost counts as reachable."""
    match = TCP.fullmatch(endpoint)
    if match is None:
        return endpoint.startswith("ipc://")
    host = match["host"].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # *, an interface, a host name
        return False


def collide(a: str, b: str) -> bool:
    """Whether two sockets cannot both bind these endpoints: the same file, or the same port of the same interface."""
    first, second = TCP.fullmatch(a), TCP.fullmatch(b)
    if first is None or second is None:
        return a == b
    if first["port"] != second["port"] or first["port"] in ("*", "0"):
        return False
    hosts = {"127.0.0.1" if match["host"] == "localhost" else match["host"] for match in (first, second)}
    return len(hosts) == 1 or not hosts.isdisjoint(("*", "0.0.0.0"))
