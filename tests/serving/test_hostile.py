"""What strangers send: names that are paths, pictures that unpack to gigabytes, bodies that never end."""

from __future__ import annotations

import socket
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from serving import HERE, files_of, pictures, running, service_of
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.service import Service

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports", "fixtures_service"]
pytestmark = pytest.mark.slow  # they need an export, which takes half a minute


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of some kilobytes that would unpack to side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_that_unpacks_to_gigabytes_is_reviewed_by_its_header(asked, line: Path):
    good = files_of(pictures(line, 1))[0]
    answer = asked().post("/v1/decide", files=[("files", ("bomb.png", bomb(60_000))), good])
    found = answer.json()["decisions"]
    assert (found[0]["decision"], found[1]["score"] is None) == ("review", False)
    assert "more than 100,000,000" in found[0]["reason"]


@pytest.mark.parametrize("name", ["../../../etc/passwd.png", "/etc/passwd", "..\\..\\boot.ini", "a\0b.png", "x" * 3000])
def test_a_name_that_is_a_path_is_only_a_name(name: str, exported: Path, line: Path, tmp_path: Path):
    (tmp_path / "here").mkdir()
    service = service_of(exported, tmp_path / "here", audit_rate=1.0)
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        answer = client.post("/v1/decide", files=[("files", (name, pictures(line, 1)[0].read_bytes()))])
        assert answer.status_code in (200, 422)
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"here"}


def test_clients_that_send_a_byte_now_and_then_keep_nobody_waiting(service: Service, line: Path):
    with running(service) as url:
        host, port = url.removeprefix("http://").split(":")
        slow = [socket.create_connection((host, int(port))) for _ in range(100)]
        head = f"POST /v1/decide HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        for connection in slow:
            connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n--x".encode())
        for _ in range(5):
            for connection in slow:
                connection.sendall(b"-")
            answer = httpx.post(f"{url}/v1/decide", files=files_of(pictures(line, 2)), timeout=10)
            assert answer.status_code == 200
        for connection in slow:
            connection.close()
        assert httpx.get(f"{url}/v1/health").status_code == 200


def test_a_gigabyte_is_refused_before_it_is_read(service: Service):
    sent = 0

    def half_a_gigabyte():
        nonlocal sent
        for _ in range(512):
            sent += 2**20
            yield bytes(2**20)

    with running(service) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = f"POST /v1/decide HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {2**30}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
        headers = {"content-type": "multipart/form-data; boundary=x"}
        with suppress(httpx.TransportError):  # it may hang up while we send
            answer = httpx.post(f"{url}/v1/decide", content=half_a_gigabyte(), headers=headers, timeout=20)
            assert answer.status_code in (400, 413)
        assert sent < 2**28
        assert httpx.get(f"{url}/v1/health").status_code == 200
