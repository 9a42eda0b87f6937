"""Requests that are refused before they are handled: too many bytes, another host or origin, no access token."""

import secrets
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/v1/health", "/sign-in", "/static/page.css", "/static/icon.svg")
"""Addresses that need no token: that of the monitoring, and those for signing in."""
COOKIE = "vssl-token"
"""Cookie that carries the token of people who signed in."""


@dataclass(frozen=True)
class Limits:
    """Limits of a request, and who may send it.

    Attributes:
        megabytes: Largest body, in MB.
        samples: Most samples per request.
        seconds: Longest time until the answer.
        token: Access token, sent as `Authorization: Bearer TOKEN`; None for no token.
        hosts: Host names that are accepted, against pages that rebind theirs; None for any.
    """

    megabytes: int = 64
    samples: int = 64
    seconds: float = 30.0
    token: str | None = None
    hosts: tuple[str, ...] | None = ("127.0.0.1", "localhost", "::1")


class RequestGuard:
    """ASGI middleware that refuses requests outside of the limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = _Body(headers, receive, send, self._limits.megabytes)
        refusal = self._refusal(scope["path"], headers)
        if refusal is None:
            await self._app(scope, body.receive, body.send)
            return
        status, reason = refusal
        if status == 401 and "text/html" in headers.get("accept", ""):
            await RedirectResponse("/sign-in", 303)(scope, body.receive, body.send)
            return
        challenge = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await JSONResponse({"detail": reason}, status, challenge)(scope, body.receive, body.send)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        name = _split(f"//{host}").hostname or ""
        if self._limits.hosts is not None and name not in self._limits.hosts:
            return 421, f"This service does not answer under the name {name!r}."
        origin = headers.get("origin")
        if origin is not None and _split(origin).netloc != host:
            return 403, f"Pages of {origin} may not send requests to this service."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limits.megabytes * 2**20:
            return 413, too_large(self._limits.megabytes)
        token, cookie = self._limits.token, unquote(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
        if token is None or path in OPEN or same(headers.get("authorization", ""), f"Bearer {token}"):
            return None
        return None if same(cookie, token) else (401, "This service needs a token: Authorization: Bearer TOKEN.")


class _Body:
    """Counts the body of a request as it arrives, and closes the connection if the answer comes before its end."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, megabytes: int) -> None:
        self._receive, self._send, self._megabytes = receive, send, megabytes
        self._left = megabytes * 2**20
        self._to_come = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

    async def receive(self) -> Message:
        message = await self._receive()
        self._to_come = message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, too_large(self._megabytes))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._to_come:
            # Otherwise the rest is read to its end, however long it is.
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)


def too_large(megabytes: int) -> str:
    """Message for a request that is too large."""
    return f"A request may have {megabytes} MB."


def same(given: str, expected: str) -> bool:
    """Compare secrets in constant time."""
    return secrets.compare_digest(given.encode(), expected.encode())


def _split(address: str) -> SplitResult:
    """The parts of an address; empty ones if it is invalid."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")
