"""What people say of samples: who is asked about which, what they said, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, func, insert, select

from vssl.serving.store import Store, failures, plain
from vssl.serving.tables import DECISIONS, POLICIES, VERDICTS

Queue = Literal["review", "reject"]
Verdict = Literal["normal", "defect", "unsure"]
QUEUES: tuple[Queue, ...] = ("review", "reject")


class Reviews:
    """The queues and the verdicts in a database of decisions. All methods raise `StorageError` if it cannot be used."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine

    def next(self, queue: Queue, after: int = 0) -> dict[str, Any] | None:
        """The oldest decision that waits for a verdict, of those with a larger number than `after`."""
        query = _waiting(select(DECISIONS), queue).where(DECISIONS.c.number > after).order_by(DECISIONS.c.number)
        found = self._rows(query.limit(1))
        return found[0] if found else None

    def waiting(self) -> dict[Queue, int]:
        """How many wait in each queue."""
        with failures("read"), self._engine.connect() as connection:
            return {
                queue: connection.scalar(_waiting(select(func.count()).select_from(DECISIONS), queue)) or 0
                for queue in QUEUES
            }

    def decision(self, number: int) -> dict[str, Any] | None:
        """One decision."""
        found = self._rows(select(DECISIONS).where(DECISIONS.c.number == number))
        return found[0] if found else None

    def judge(self, number: int, verdict: Verdict, by: str, note: str) -> None:
        """Put on record what somebody says of a sample."""
        row = {"at": datetime.now(UTC), "decision": number, "verdict": verdict, "by": by, "note": note}
        with failures("written"), self._engine.begin() as connection:
            connection.execute(insert(VERDICTS), row)

    def verdicts(self, number: int) -> list[dict[str, Any]]:
        """All that was said of a sample, the newest first."""
        return self._rows(select(VERDICTS).where(VERDICTS.c.decision == number).order_by(VERDICTS.c.number.desc()))

    def history(
        self, search: str = "", decision: str = "", verdict: str = "", before: int | None = None, count: int = 50
    ) -> list[dict[str, Any]]:
        """Decisions with the last verdict on each, the newest first.

        Args:
            search: Part of the id.
            decision: Only accept, review or reject.
            verdict: Only normal, defect or unsure; or none, for those without.
            before: Only those with a smaller number.
        """
        query = _judged(DECISIONS, VERDICTS.c.verdict, VERDICTS.c.by).order_by(DECISIONS.c.number.desc()).limit(count)
        if search:
            query = query.where(DECISIONS.c.id.contains(search, autoescape=True))
        if decision:
            query = query.where(DECISIONS.c.decision == decision)
        if verdict:
            found = VERDICTS.c.verdict
            query = query.where(found.is_(None) if verdict == "none" else found == verdict)
        if before is not None:
            query = query.where(DECISIONS.c.number < before)
        return self._rows(query)

    def counts(self, since: datetime) -> list[tuple[str, bool, str, int, int]]:
        """How many decisions since then: decision, drawn at random or not, the last verdict or "", count, samples.

        A sample that was sent more than once is several decisions.
        """
        keys = (DECISIONS.c.decision, DECISIONS.c.audit, func.coalesce(VERDICTS.c.verdict, ""))
        query = _judged(*keys, func.count(), func.count(DECISIONS.c.content.distinct()))
        with failures("read"), self._engine.connect() as connection:
            found = connection.execute(query.where(DECISIONS.c.at >= since).group_by(*keys))
            return [tuple(row) for row in found]

    def scores(self, since: datetime) -> list[tuple[str, float, str]]:
        """Group, score and last verdict or "" of each decision since then that has a score."""
        query = _judged(DECISIONS.c.group, DECISIONS.c.score, func.coalesce(VERDICTS.c.verdict, ""))
        with failures("read"), self._engine.connect() as connection:
            found = connection.execute(query.where(DECISIONS.c.at >= since, DECISIONS.c.score.is_not(None)))
            return [tuple(row) for row in found]

    def labelled(self) -> list[dict[str, Any]]:
        """Of what was drawn at random all with a verdict: number, id, content, group, at, score, verdict.

        The newest verdict first: of several on one sample, sent more than once, the first here counts.
        """
        keys = ("number", "id", "content", "group", "at", "score")
        query = _judged(*(DECISIONS.c[key] for key in keys), VERDICTS.c.verdict)
        judged = query.where(DECISIONS.c.audit, VERDICTS.c.verdict.is_not(None))
        return self._rows(judged.order_by(VERDICTS.c.number.desc()))

    def unjudged(self) -> int:
        """How many samples were drawn at random and have no verdict, however often each was sent."""
        judged = select(DECISIONS.c.content).join(VERDICTS, VERDICTS.c.decision == DECISIONS.c.number)
        query = select(func.count(DECISIONS.c.content.distinct()))
        with failures("read"), self._engine.connect() as connection:
            return connection.scalar(query.where(DECISIONS.c.audit, DECISIONS.c.content.not_in(judged))) or 0

    def changes(self, count: int = 200) -> list[dict[str, Any]]:
        """Who changed what, the newest first: verdicts, and versions of the policy."""
        said = self._rows(select(VERDICTS).order_by(VERDICTS.c.number.desc()).limit(count))
        made = self._rows(
            select(POLICIES.c.at, POLICIES.c.by, POLICIES.c.why, POLICIES.c.policy)
            .order_by(POLICIES.c.number.desc())
            .limit(count)
        )
        return sorted([*said, *made], key=lambda row: row["at"], reverse=True)[:count]

    def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        with failures("read"), self._engine.connect() as connection:
            return [plain(row) for row in connection.execute(query)]


def _waiting(query: Select[Any], queue: Queue) -> Select[Any]:
    said = select(VERDICTS.c.number).where(VERDICTS.c.decision == DECISIONS.c.number)
    return query.where(DECISIONS.c.ask == queue, ~said.exists())


def _judged(*columns: Any) -> Select[Any]:
    """Decisions beside the last verdict on each."""
    last = select(func.max(VERDICTS.c.number)).group_by(VERDICTS.c.decision)
    own = and_(VERDICTS.c.decision == DECISIONS.c.number, VERDICTS.c.number.in_(last))
    return select(*columns).select_from(DECISIONS.outerjoin(VERDICTS, own))
