"""From what a page is about to its HTML."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vssl.serving.pages.texts import LANGUAGES, WORDS, where
from vssl.serving.service import Service

HERE = Path(__file__).parent
STATIC = HERE / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Page:
    """Makes pages for a person, in a language."""

    def __init__(self, service: Service, language: str, who: str | None, path: str) -> None:
        self._service, self._language, self._who, self._path = service, language, who, path

    def html(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page; what the templates write is escaped."""
        decider, words = self._service.decider, WORDS[self._language]
        shared = {
            "t": words,
            "language": self._language,
            "languages": LANGUAGES,
            "who": self._who,
            "path": self._path,
            "policy": decider.policy,
            "reasons": lambda decision, strength: self._reasons(decision, strength),
            "percent": percent,
            "local": local,
        }
        html = _templates().get_template(f"{name}.html.jinja").render(shared | values)
        return HTMLResponse(html, status, HEADERS)

    def _reasons(self, decision: dict[str, Any], strength: Any) -> list[str]:
        """Why it is shown, in sentences."""
        t, known = WORDS[self._language], self._service.decider.known
        if decision["audit"]:
            return [t["drawn"]]
        found = [t["decision_was"].format(decision=t[decision["decision"]])]
        if decision["reason"]:
            found.append(decision["reason"])
        limits = self._service.decider.required_policy().thresholds.get(decision["group"])
        if decision["score"] is not None and limits is not None:
            shown = {"accept": f"{limits.accept_up_to:.3g}", "reject": f"{limits.reject_above:.3g}"}
            found.append(t["score_is"].format(score=f"{decision['score']:.3g}", **shown))
        if decision["p_value"] is not None:
            total = len(known["normal"].get(decision["group"], []))
            found.append(t["as_odd"].format(count=round(decision["p_value"] * (total + 1)) - 1, total=f"{total:,}"))
        place = None if strength is None else where(strength, self._language)
        return [*found, t["where"].format(where=place)] if place else found


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def percent(share: float) -> str:
    """0.0125 as "1.25"."""
    return f"{100 * share:.3g}"


def local(time: datetime) -> str:
    """A time by the clock of this computer."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def figures(counts: list[tuple[str, bool, str, int, int]]) -> dict[str, Any]:
    """What the page of figures shows, from `Reviews.counts`; bounds are of samples, as copies are not independent."""

    def count(decision: str = "", verdict: tuple[str, ...] = (), drawn: bool = False) -> int:
        return sum(
            samples if drawn else decisions
            for made, audit, said, decisions, samples in counts
            if decision in ("", made) and (not verdict or said in verdict) and (audit or not drawn)
        )

    judged = ("normal", "defect", "unsure")
    return {
        "total": count(),
        "decided": {name: count(name) for name in ("accept", "review", "reject")},
        "rejected": (count("reject", ("normal",)), count("reject", judged)),
        "reviewed": (count("review", ("defect",)), count("review", judged)),
        "alarms": _rate(count("reject", ("normal",), True), count("", ("normal",), True)),
        "misses": _rate(count("accept", ("defect",), True), count("", ("defect",), True)),
    }


def _rate(count: int, of: int) -> dict[str, float] | None:
    """A share with bounds, each with 95 % confidence."""
    if not of:
        return None
    from vssl.decisions.bounds import lower_rate, upper_rate

    return {"count": count, "of": of, "lower": lower_rate(count, of), "upper": upper_rate(count, of)}
