"""CURVE for tcp: who is not in possession of the run's client key gets nothing.

The supervisor makes two key pairs per run, one for every socket that binds and one for every socket that connects, and
hands them to the workers through their standard input. A consumer outside the graph gets the client pair and the
server's public key in a file of mode 0600 (:func:`write_client_keys`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from errors import UserError

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

CURVE_DOMAIN = "rangecast"


class ClientKeys(msgspec.Struct, frozen=True):
    """What a client needs to connect: Z85 text."""

    server_public: str
    client_public: str
    client_secret: str


class RunKeys(msgspec.Struct, frozen=True):
    """The keys of one run."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str

    @classmethod
    def generate(cls) -> RunKeys:
        """Fresh keys."""
        server_public, server_secret = (key.decode() for key in zmq.curve_keypair())
        client_public, client_secret = (key.decode() for key in zmq.curve_keypair())
        return cls(server_public, server_secret, client_public, client_secret)

    def for_client(self) -> ClientKeys:
        """The part that a client is given."""
        return ClientKeys(self.server_public, self.client_public, self.client_secret)


class _OnlyClient:
    """Credentials provider: lets in the one client key of the run."""

    def __init__(self, client_public: str) -> None:
        self.client_public = client_public.encode()

    def callback(self, _domain: str, key: bytes) -> bool:
        return key == self.client_public


def start_authenticator(context: zmq.Context[Any], keys: RunKeys) -> ThreadAuthenticator:
    """Check client keys on every CURVE socket of ``context`` (ZAP, RFC 27). Stop it before the context ends."""
    from zmq.auth.thread import ThreadAuthenticator  # brings asyncio: a quarter of a worker's imports

    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(domain=CURVE_DOMAIN, credentials_provider=_OnlyClient(keys.client_public))
    return authenticator


def secure_server(socket: zmq.Socket[Any], keys: RunKeys) -> None:
    """Make a socket that will bind demand CURVE."""
    socket.curve_server = True
    socket.curve_secretkey = keys.server_secret.encode()
    socket.curve_publickey = keys.server_public.encode()
    socket.zap_domain = CURVE_DOMAIN.encode()


def secure_client(socket: zmq.Socket[Any], keys: ClientKeys) -> None:
    """Give a socket that will connect the client's keys."""
    socket.curve_serverkey = keys.server_public.encode()
    socket.curve_publickey = keys.client_public.encode()
    socket.curve_secretkey = keys.client_secret.encode()


def write_client_keys(path: Path, keys: ClientKeys) -> None:
    """Write the client's keys where only this user can read them."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(keys))


def read_client_keys(path: Path) -> ClientKeys:
    """Read what :func:`write_client_keys` wrote."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClientKeys)
    except FileNotFoundError:
        raise UserError(f"{path}: no such key file; a run that publishes with CURVE writes one in its --out") from None
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{path}: not a Rangecast key file: {error}") from None
