"""What is refused before anything is done with it: too many bytes, another host, a page of somebody else, no token."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/v1/health", "/sign-in", "/static/page.css", "/static/icon.svg")
"""Addresses that need no token: who watches the service has none, and who signs in not yet."""
COOKIE = "vssl-token"
"""Carries the token from the page on which people sign in."""


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        megabytes: Of its body.
        samples: In one request.
        seconds: Until it is answered.
        token: What it must carry as `Authorization: Bearer TOKEN`; None for nothing.
        hosts: Names under which the service may be asked, against pages that rebind theirs; None for any.
    """

    megabytes: int = 64
    samples: int = 64
    seconds: float = 30.0
    token: str | None = None
    hosts: tuple[str, ...] | None = ("127.0.0.1", "localhost", "::1")


class Gate:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["path"], Headers(scope=scope))
        if refusal is not None:
            status, reason = refusal
            if status == 401 and "text/html" in Headers(scope=scope).get("accept", ""):
                await RedirectResponse("/sign-in", 303)(scope, receive, send)
                return
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await JSONResponse({"detail": reason}, status, headers)(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self._limits.hosts is not None and name not in self._limits.hosts:
            return 421, f"This service is not {name!r}."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, f"A page of {origin} may not ask this service."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limits.megabytes * 2**20:
            return 413, self._too_large
        if self._limits.token is not None and path not in OPEN and not self._is_signed(headers, self._limits.token):
            return 401, "This service needs a token: Authorization: Bearer TOKEN."
        return None

    def _is_signed(self, headers: Headers, token: str) -> bool:
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return same(headers.get("authorization", ""), f"Bearer {token}") or same(unquote(cookie), token)

    @property
    def _too_large(self) -> str:
        return f"A request may have {self._limits.megabytes} MB."

    def _counted(self, receive: Receive) -> Callable[[], Awaitable[Message]]:
        """A body without a stated length is counted as it comes."""
        left = self._limits.megabytes * 2**20

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, self._too_large)
            return message

        return counted


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that does not tell how much of them is right."""
    return secrets.compare_digest(given.encode(), expected.encode())
