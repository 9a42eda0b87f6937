"""Starting the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

import uvicorn

from vssl import runtime
from vssl.errors import ConfigError
from vssl.runtime.decider import Decider
from vssl.serve.app import build
from vssl.serve.limits import Limits
from vssl.serve.service import Service
from vssl.serve.store import Store

SHUTDOWN_S = 30
SERVED = ("images", "sensors")


def serve(
    export: Path,
    host: str,
    port: int,
    database: str,
    token_file: Path | None,
    threads: int,
    on_start: Callable[[], None],
) -> None:
    """Answer until interrupted; see `vssl.api.serve`."""
    token = _token(token_file)
    near = _is_loopback(host)
    if not near and token is None:
        raise ConfigError(f"--host {host} is seen by other computers: give a --token-file, or take 127.0.0.1.")
    limits = Limits(token=token) if near else Limits(token=token, hosts=None)
    decider = _decider(export, threads)
    service = Service(decider, _store(decider, database))
    on_start()
    app = build(service, limits)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S)


def _decider(export: Path, threads: int) -> Decider:
    decider = runtime.load(export, threads)
    if decider.about["modality"] not in SERVED:
        raise ConfigError(
            f"{export} decides on {decider.about['modality']}; the service takes {' and '.join(SERVED)}. Decide on "
            "files: vssl decide RUN DATA."
        )
    return decider


def _store(decider: Decider, database: str) -> Store:
    decider.check_policy()  # before a database is made for nothing
    files = decider.about["files"]
    url = database or f"sqlite:///{decider.path.resolve() / 'decisions.sqlite'}"
    return Store(url, files["model"]["sha256"], files["policy"]["sha256"])


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"--token-file {path} cannot be read: {error.strerror}.") from error
    if not token:
        raise ConfigError(f"--token-file {path} is empty: write a long random word into it.")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
