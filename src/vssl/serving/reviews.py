"""The review of decisions by people: the queues, the labels that people give, and the counts that follow from them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, select

from vssl.serving.answers import Label, Queue, StoredDecision
from vssl.serving.store import Store, failures, plain
from vssl.serving.tables import DECISIONS, LABELS, POLICIES

LABEL = LABELS.c.verdict.label("label")
LABEL_COLUMNS = (LABELS.c.at, LABELS.c.decision, LABEL, LABELS.c.by, LABELS.c.note)
QUEUES: tuple[Queue, ...] = ("review", "reject")


class Reviews:
    """The queues and the labels in a database of decisions. All methods raise `StorageError` if it cannot be used."""

    def __init__(self, store: Store) -> None:
        self._engine = store.engine

    def next(self, queue: Queue, after: int = 0) -> StoredDecision | None:
        """The oldest decision in a queue that has no label, of those with a larger number than `after`."""
        query = _waiting(select(DECISIONS), queue).where(DECISIONS.c.number > after).order_by(DECISIONS.c.number)
        return next(iter(self._decisions(query.limit(1))), None)

    def waiting(self) -> dict[Queue, int]:
        """How many decisions wait in each queue."""
        with failures("read"), self._engine.connect() as connection:
            return {
                queue: connection.scalar(_waiting(select(func.count()).select_from(DECISIONS), queue)) or 0
                for queue in QUEUES
            }

    def decision(self, number: int) -> StoredDecision | None:
        """One decision."""
        return next(iter(self._decisions(select(DECISIONS).where(DECISIONS.c.number == number))), None)

    def label(self, number: int, label: Label, by: str, note: str) -> None:
        """Store a label that a person gives to a sample."""
        row = {"at": datetime.now(UTC), "decision": number, "verdict": label, "by": by, "note": note}
        with failures("written"), self._engine.begin() as connection:
            connection.execute(insert(LABELS), row)

    def labels(self, number: int) -> list[dict[str, Any]]:
        """All labels of a sample, the newest first: at, label, by, note."""
        return self._rows(select(*LABEL_COLUMNS).where(LABELS.c.decision == number).order_by(LABELS.c.number.desc()))

    def history(
        self, search: str = "", decision: str = "", label: str = "", before: int | None = None, count: int = 50
    ) -> list[StoredDecision]:
        """Decisions with the last label of each, the newest first.

        Args:
            search: Part of the id.
            decision: Return only this outcome: accept, review or reject.
            label: Return only this label: normal, defect or unsure; or none, for decisions without one.
            before: Return only decisions with a smaller number.
        """
        query = _labelled(DECISIONS, LABEL, LABELS.c.by).order_by(DECISIONS.c.number.desc()).limit(count)
        if search:
            query = query.where(DECISIONS.c.id.contains(search, autoescape=True))
        if decision:
            query = query.where(DECISIONS.c.decision == decision)
        if label:
            own = LABELS.c.verdict
            query = query.where(own.is_(None) if label == "none" else own == label)
        if before is not None:
            query = query.where(DECISIONS.c.number < before)
        return self._decisions(query)

    def counts(self, since: datetime) -> list[tuple[str, bool, str, int, int]]:
        """How many decisions since then, by outcome, whether drawn at random, and the last label or "".

        Each row ends with the number of decisions and of different samples: one that was sent twice is two decisions.
        """
        keys = (DECISIONS.c.decision, DECISIONS.c.audit, func.coalesce(LABELS.c.verdict, ""))
        query = _labelled(*keys, func.count(), func.count(DECISIONS.c.content.distinct()))
        with failures("read"), self._engine.connect() as connection:
            rows = connection.execute(query.where(DECISIONS.c.at >= since).group_by(*keys))
            return [tuple(row) for row in rows]

    def scores(self, since: datetime) -> list[tuple[str, float, str]]:
        """Group, score and last label or "" of each decision since then that has a score."""
        query = _labelled(DECISIONS.c.group, DECISIONS.c.score, func.coalesce(LABELS.c.verdict, ""))
        with failures("read"), self._engine.connect() as connection:
            rows = connection.execute(query.where(DECISIONS.c.at >= since, DECISIONS.c.score.is_not(None)))
            return [tuple(row) for row in rows]

    def labelled(self) -> list[StoredDecision]:
        """All decisions that were drawn at random and have a label, the newest label first.

        Of several decisions on one sample, sent more than once, the first one here counts.
        """
        query = _labelled(DECISIONS, LABEL, LABELS.c.by)
        drawn = query.where(DECISIONS.c.audit, LABELS.c.verdict.is_not(None))
        return self._decisions(drawn.order_by(LABELS.c.number.desc()))

    def unlabelled(self) -> int:
        """How many samples were drawn at random and have no label, however often each was sent."""
        labelled = select(DECISIONS.c.content).join(LABELS, LABELS.c.decision == DECISIONS.c.number)
        query = select(func.count(DECISIONS.c.content.distinct()))
        with failures("read"), self._engine.connect() as connection:
            return connection.scalar(query.where(DECISIONS.c.audit, DECISIONS.c.content.not_in(labelled))) or 0

    def changes(self, count: int = 200) -> list[dict[str, Any]]:
        """Labels and versions of the policy, the newest first, each with the person who made it."""
        labels = self._rows(select(*LABEL_COLUMNS).order_by(LABELS.c.number.desc()).limit(count))
        versions = self._rows(
            select(POLICIES.c.at, POLICIES.c.by, POLICIES.c.why, POLICIES.c.policy)
            .order_by(POLICIES.c.number.desc())
            .limit(count)
        )
        return sorted([*labels, *versions], key=lambda row: row["at"], reverse=True)[:count]

    def _decisions(self, query: Select[Any]) -> list[StoredDecision]:
        with failures("read"), self._engine.connect() as connection:
            return [StoredDecision(**row._mapping) for row in connection.execute(query)]

    def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        with failures("read"), self._engine.connect() as connection:
            return [plain(row) for row in connection.execute(query)]


def _waiting(query: Select[Any], queue: Queue) -> Select[Any]:
    labels = select(LABELS.c.number).where(LABELS.c.decision == DECISIONS.c.number)
    return query.where(DECISIONS.c.ask == queue, ~labels.exists())


def _labelled(*columns: Any) -> Select[Any]:
    """Decisions beside the last label of each."""
    last = select(func.max(LABELS.c.number)).group_by(LABELS.c.decision)
    own = and_(LABELS.c.decision == DECISIONS.c.number, LABELS.c.number.in_(last))
    return select(*columns).select_from(DECISIONS.outerjoin(LABELS, own))
