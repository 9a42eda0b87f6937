"""The addresses of the pages for people."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from vssl.decisions.policy import Policy
from vssl.errors import ConfigError, NotEnoughDataError
from vssl.serving.answers import Label, Number, Outcome, Queue, StoredDecision
from vssl.serving.limits import COOKIE, Limits, same
from vssl.serving.pages.pictures import Pictures
from vssl.serving.pages.rendering import STATIC, Page, figures
from vssl.serving.pages.texts import LANGUAGES
from vssl.serving.reviews import Reviews
from vssl.serving.service import Service
from vssl.serving.store import storable
from vssl.serving.tables import LARGEST_NUMBER

YEAR_S = 365 * 86400
WHO, LANGUAGE = "vssl-who", "vssl-language"
PAGE_ROWS = 50
MAP_ROWS = 2000
Numbered = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]
Days = Annotated[int, Query(ge=1, le=366)]


def build(service: Service, limits: Limits) -> APIRouter:
    """The pages of a service."""
    router = APIRouter(include_in_schema=False)
    reviews, pictures = Reviews(service.store), Pictures(service)

    def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        shown = Page(service, _language(request), _who(request), urlsplit(str(request.url)).path)
        return shown.html(name, status, waiting=reviews.waiting(), **values)

    def stored(number: int) -> StoredDecision:
        decision = reviews.decision(number)
        if decision is None:
            raise HTTPException(404, f"There is no decision {number}.")
        return decision

    def item(request: Request, decision: StoredDecision, queue: Queue | None, last: int | None = None) -> HTMLResponse:
        if _who(request) is None:
            return page(request, "who", then=request.url.path)
        labels = reviews.labels(decision.number)
        before = reviews.labels(last)[:1] if last is not None else []
        shown: dict[str, Any] = {
            "strength": pictures.strength(decision),
            "lines": pictures.lines(decision),
            "has_closeup": pictures.closeup(decision) is not None,
        }
        return page(request, "item", decision=decision, queue=queue, labels=labels, before=before, **shown)

    @router.get("/")
    def start() -> Response:
        return RedirectResponse("/queue/review", 303)

    @router.get("/queue/{queue}")
    def waiting(request: Request, queue: Queue, after: Number = 0, last: Number | None = None) -> Response:
        decision = reviews.next(queue, after)
        if decision is None:
            return page(request, "empty", queue=queue)
        return item(request, decision, queue, last)

    @router.get("/decisions/{number}")
    def one(request: Request, number: Numbered) -> Response:
        return item(request, stored(number), None)

    @router.post("/decisions/{number}/verdict")
    def label(
        request: Request,
        number: Numbered,
        label: Annotated[Label, Form(alias="verdict")],
        note: Annotated[str, Form(max_length=1000)] = "",
        queue: Annotated[Queue | None, Form()] = None,
    ) -> Response:
        who = _own(request)
        reviews.label(stored(number).number, label, who, storable(note.strip()))
        if queue is None:
            return RedirectResponse(f"/decisions/{number}", 303)
        return RedirectResponse(f"/queue/{queue}?" + urlencode({"after": number, "last": number}), 303)

    @router.get("/decisions/{number}/picture")
    def picture(number: Numbered, heat: bool = False) -> Response:
        return _webp(pictures.sample(stored(number), heat))

    @router.get("/decisions/{number}/closeup")
    def closeup(number: Numbered) -> Response:
        return _webp(pictures.closeup(stored(number)))

    @router.get("/known")
    def reference(name: str) -> Response:
        return _webp(pictures.reference(name))

    @router.get("/history")
    def history(
        request: Request,
        search: Annotated[str, Query(max_length=200)] = "",
        decision: Outcome | None = None,
        label: Annotated[str, Query(alias="verdict", pattern="^(normal|defect|unsure|none|)$")] = "",
        before: Number | None = None,
    ) -> Response:
        rows = reviews.history(storable(search), decision or "", label, before, PAGE_ROWS)
        query = {"search": search, "decision": decision or "", "verdict": label}
        more = urlencode(query | {"before": rows[-1].number}) if len(rows) == PAGE_ROWS else None
        return page(request, "history", rows=rows, query=query, more=more)

    @router.get("/changes")
    def changes(request: Request) -> Response:
        return page(request, "changes", rows=reviews.changes())

    @router.get("/figures")
    def counted(request: Request, days: Days = 1) -> Response:
        return page(request, "figures", days=days, figures=figures(reviews.counts(_since(days))))

    @router.get("/thresholds")
    def thresholds(request: Request, refused: str = "") -> Response:
        # Imported late: the bounds need scipy, which takes long to import.
        from vssl.serving.pages.operating_points import operating_points

        policy, recorded = service.decider.required_policy(), reviews.scores(_since(30))
        some = operating_points(policy, service.decider.known, recorded) if policy.block is None else []
        versions = service.store.policies(service.base)
        return page(request, "thresholds", policy=policy, levels=some, versions=versions, refused=refused)

    @router.post("/thresholds")
    def change(
        request: Request,
        false_alarm: Annotated[float, Form(gt=0, lt=1)],
        why: Annotated[str, Form(min_length=1, max_length=1000)],
    ) -> Response:
        from vssl.serving.pages.operating_points import with_false_alarm

        who, now = _own(request), datetime.now(UTC)

        def change_level(policy: Policy) -> Policy:
            return with_false_alarm(policy, service.decider.known, false_alarm, who, now)

        try:
            service.change_policy(change_level, who, storable(why.strip()))
        except (ConfigError, NotEnoughDataError) as error:
            return RedirectResponse("/thresholds?" + urlencode({"refused": str(error)}), 303)
        return RedirectResponse("/thresholds", 303)

    @router.get("/map")
    def plane(request: Request) -> Response:
        return page(request, "map")

    @router.get("/map.json")
    def points() -> Response:
        rows = reviews.history(count=MAP_ROWS)
        recent = [
            {"number": row.number, "id": row.id, "x": row.x, "y": row.y, "decision": row.decision, "verdict": row.label}
            for row in rows
            if row.x is not None
        ]
        return JSONResponse({"known": service.decider.known["map"], "recent": recent})

    @router.post("/who")
    def who(
        request: Request, name: Annotated[str, Form(max_length=100)], then: Annotated[str, Form()] = "/"
    ) -> Response:
        _same_site(request)
        answer = RedirectResponse(_inside(then) if name.strip() else "/", 303)
        answer.set_cookie(WHO, quote(storable(name.strip())), YEAR_S, httponly=True, samesite="strict")
        return answer

    @router.get("/who")
    def ask_who(request: Request) -> Response:
        return page(request, "who", then="/")

    @router.get("/language/{language}")
    def language(language: str, then: str = "/") -> Response:
        answer = RedirectResponse(_inside(then), 303)
        if language in LANGUAGES:
            answer.set_cookie(LANGUAGE, language, YEAR_S, httponly=True, samesite="strict")
        return answer

    @router.get("/sign-in")
    def sign_in(request: Request) -> Response:
        return Page(service, _language(request), None, "/sign-in").html("sign-in", waiting={}, wrong=False)

    @router.post("/sign-in")
    def signed_in(request: Request, token: Annotated[str, Form()]) -> Response:
        _same_site(request)
        if limits.token is None or not same(token, limits.token):
            return Page(service, _language(request), None, "/sign-in").html("sign-in", 401, waiting={}, wrong=True)
        answer = RedirectResponse("/", 303)
        # The scheme is the proxy's, where one before the service says it: uvicorn goes by X-Forwarded-Proto.
        answer.set_cookie(COOKIE, quote(token), secure=request.url.scheme == "https", httponly=True, samesite="strict")
        return answer

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in {path.name for path in STATIC.iterdir()}:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(STATIC / name)

    return router


def _since(days: int) -> datetime:
    """Midnight by the clock of this computer, today or some days ago."""
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - timedelta(days=days - 1)).astimezone(UTC)


def _language(request: Request) -> str:
    """The language that was chosen before, or the one that the browser prefers."""
    wishes = [request.cookies.get(LANGUAGE, ""), *request.headers.get("accept-language", "").split(",")]
    return next((name for entry in wishes if (name := entry.strip()[:2].lower()) in LANGUAGES), "en")


def _who(request: Request) -> str | None:
    return storable(unquote(request.cookies.get(WHO, ""))) or None


def _own(request: Request) -> str:
    """The person who makes a change, from a page of this service."""
    _same_site(request)
    who = _who(request)
    if who is None:
        raise HTTPException(403, "Say who you are first: /who")
    return who


def _same_site(request: Request) -> None:
    """Refuse a form without an Origin header; `RequestGuard` refuses the pages of other sites."""
    if "origin" not in request.headers:
        raise HTTPException(403, "This form does not come from a page of this service.")


def _inside(address: str) -> str:
    """The address if it is one of this service, else that of its first page."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


def _webp(data: bytes | None) -> Response:
    if data is None:
        raise HTTPException(404, "There is no such picture.")
    return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})
