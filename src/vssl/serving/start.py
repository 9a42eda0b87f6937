"""Starting the service."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from vssl import runtime
from vssl.errors import ConfigError
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.samples import Samples
from vssl.serving.service import Service
from vssl.serving.store import Store

SHUTDOWN_S = 30


@dataclass(frozen=True)
class Settings:
    """Settings of the service; `vssl.api.serve` explains each."""

    host: str = "127.0.0.1"
    port: int = 8000
    database: str = ""
    token_file: Path | None = None
    review_dir: Path | None = None
    audit_rate: float = 0.02
    threads: int = 1


def serve(export: Path, settings: Settings, on_start: Callable[[str], None]) -> None:
    """Answer requests until interrupted; `on_start` gets a message for a person once the service is ready."""
    token = _token(settings.token_file)
    if token is None and not _is_loopback(settings.host):
        raise ConfigError(
            f"--host {settings.host} is visible to other computers: give a --token-file, or use 127.0.0.1."
        )
    # A page that rebinds its name has no token; with a token any host name is allowed, such as that of a proxy.
    limits = Limits() if token is None else Limits(token=token, hosts=None)
    decider = runtime.load(export, settings.threads)
    decider.check_policy()  # before a database is made for nothing
    folder = decider.path.resolve()
    store = Store(settings.database or f"sqlite:///{folder / 'decisions.sqlite'}")
    service = Service(decider, store, Samples(settings.review_dir or folder / "samples"), settings.audit_rate)
    on_start(
        f"The review page is http://{settings.host}:{settings.port}. /openapi.json there describes the interface for "
        "programs. Stop the service with Ctrl-C."
    )
    app = build(service, limits)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S)


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
