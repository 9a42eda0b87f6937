"""The HTML of the pages, from templates, texts and values."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vssl.serving.answers import StoredDecision
from vssl.serving.pages.texts import LANGUAGES, TEXTS, location
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
    """Renders pages in the language of a person."""

    def __init__(self, service: Service, language: str, who: str | None, path: str) -> None:
        self._service, self._language, self._who, self._path = service, language, who, path

    def html(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page; the templates escape all values."""
        shared = {
            "t": TEXTS[self._language],
            "language": self._language,
            "languages": LANGUAGES,
            "who": self._who,
            "path": self._path,
            "policy": self._service.decider.policy,
            "reasons": self._reasons,
            "percent": percent,
            "local": local,
        }
        html = _templates().get_template(f"{name}.html.jinja").render(shared | values)
        return HTMLResponse(html, status, HEADERS)

    def _reasons(self, decision: StoredDecision, strength: Any) -> list[str]:
        """Why the sample is shown, in sentences."""
        t, decider = TEXTS[self._language], self._service.decider
        if decision.audit:
            return [t["drawn"]]
        sentences = [t["decision_was"].format(decision=t[decision.decision])]
        if decision.reason:
            sentences.append(decision.reason)
        limits = decider.required_policy().thresholds.get(decision.group)
        if decision.score is not None and limits is not None:
            shown = {"accept": f"{limits.accept_up_to:.3g}", "reject": f"{limits.reject_above:.3g}"}
            sentences.append(t["score_is"].format(score=f"{decision.score:.3g}", **shown))
        if decision.p_value is not None:
            total = len(decider.known["normal"].get(decision.group, []))
            count = round(decision.p_value * (total + 1)) - 1
            sentences.append(t["as_unusual"].format(count=count, total=f"{total:,}"))
        where = None if strength is None else location(strength, self._language, decider.wire.patches_in_time)
        return [*sentences, t["location"].format(location=where)] if where else sentences


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
    """A share as a percentage: 0.0125 gives "1.25"."""
    return f"{100 * share:.3g}"


def local(time: datetime) -> str:
    """A time by the clock of this computer."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def figures(counts: list[tuple[str, bool, str, int, int]]) -> dict[str, Any]:
    """The values of the page of figures, from `Reviews.counts`; bounds count samples, as copies are not independent."""

    def count(outcome: str = "", labels: tuple[str, ...] = (), drawn: bool = False) -> int:
        return sum(
            samples if drawn else decisions
            for decision, audit, label, decisions, samples in counts
            if outcome in ("", decision) and (not labels or label in labels) and (audit or not drawn)
        )

    labelled = ("normal", "defect", "unsure")
    return {
        "total": count(),
        "decided": {name: count(name) for name in ("accept", "review", "reject")},
        "rejected": (count("reject", ("normal",)), count("reject", labelled)),
        "reviewed": (count("review", ("defect",)), count("review", labelled)),
        "alarms": _rate(count("reject", ("normal",), True), count("", ("normal",), True)),
        "misses": _rate(count("accept", ("defect",), True), count("", ("defect",), True)),
    }


def _rate(count: int, of: int) -> dict[str, float] | None:
    """A share with a lower and an upper bound, each with 95 % confidence."""
    if not of:
        return None
    from vssl.decisions.bounds import lower_rate, upper_rate

    return {"count": count, "of": of, "lower": lower_rate(count, of), "upper": upper_rate(count, of)}
