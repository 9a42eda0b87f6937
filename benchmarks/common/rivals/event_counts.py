"""Comparison methods for event logs: detectors that count events, fitted to normal sessions, with no encoder.

A detector has the role of a score of vssl: fitted to the training sessions, higher is more anomalous.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

Session = tuple[int, ...]
Scores = Float[np.ndarray, " N"]
Detector = Callable[[Sequence[Session]], Scores]

MAX_EVENTS = 256


def new_event(train: Sequence[Session]) -> Detector:
    """How many events are of a kind that training never had."""
    known = {event for session in train for event in session}
    return lambda sessions: np.array([sum(event not in known for event in session) for session in sessions], float)


def length(train: Sequence[Session]) -> Detector:
    """How far the length lies from the training's median, in logarithms."""
    middle = np.median([np.log(len(session)) for session in train])
    return lambda sessions: np.array([abs(np.log(len(session)) - middle) for session in sessions])


def n_grams(train: Sequence[Session], n: int) -> Detector:
    """Share of the runs of n events that training never had."""
    known = {gram for session in train for gram in _grams(session, n)}

    def score(session: Session) -> float:
        grams = _grams(session, n)
        return sum(gram not in known for gram in grams) / max(1, len(grams))

    return lambda sessions: np.array([score(session) for session in sessions])


def _grams(session: Session, n: int) -> list[Session]:
    return [session[start : start + n] for start in range(len(session) - n + 1)]


def counts_knn(train: Sequence[Session]) -> Detector:
    """Manhattan distance of the count vector to the nearest of the training, relative to both lengths."""
    width = _kinds(train)
    reference = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(np.unique(_counts(train, width), axis=0))

    def score(sessions: Sequence[Session]) -> Scores:
        distance = reference.kneighbors(_counts(sessions, width))[0][:, 0]
        lengths = np.array([len(session) for session in sessions])
        return np.asarray(distance / (lengths + np.median([len(s) for s in train])))

    return score


def log_counts_knn(train: Sequence[Session]) -> Detector:
    """Euclidean distance of the logarithms of the counts to the 5 nearest of the training."""
    width = _kinds(train)
    reference = NearestNeighbors(n_neighbors=min(5, len(train))).fit(np.log1p(_counts(train, width)))
    return lambda sessions: reference.kneighbors(np.log1p(_counts(sessions, width)))[0].mean(1)


def isolation_forest(train: Sequence[Session]) -> Detector:
    """Isolation Forest (Liu et al. 2008) on the counts."""
    width = _kinds(train)
    forest = IsolationForest(n_estimators=200, random_state=0).fit(_counts(train, width))
    return lambda sessions: -forest.score_samples(_counts(sessions, width))


def edit_distance(train: Sequence[Session]) -> Detector:
    """Edit distance to the nearest training session as a share of the longer one; sessions are cut at 256 events."""
    known = sorted({session[:MAX_EVENTS] for session in train})
    lengths = np.array([len(session) for session in known])
    padded = np.full((len(known), lengths.max()), -1)
    for row, session in enumerate(known):
        padded[row, : len(session)] = session

    def score(sessions: Sequence[Session]) -> Scores:
        found: dict[Session, float] = {session: 0.0 for session in known}
        for session in (session[:MAX_EVENTS] for session in sessions):
            if session not in found:
                edits = _edits(session, padded)[np.arange(len(known)), lengths]
                found[session] = float((edits / np.maximum(lengths, len(session))).min())
        return np.array([found[session[:MAX_EVENTS]] for session in sessions])

    return score


def _edits(session: Session, others: np.ndarray) -> np.ndarray:
    """Levenshtein's distance of a session to each beginning of each other one: [N, L+1].

    The rows of the table one after the other; the running minimum stands for the insertions within a row.
    """
    place = np.arange(others.shape[1] + 1)
    row = np.repeat(place[None], len(others), axis=0)
    for number, event in enumerate(session, 1):
        step = np.minimum(row[:, :-1] + (others != event), row[:, 1:] + 1)
        first = np.full((len(others), 1), number)
        row = np.minimum.accumulate(np.concatenate([first, step], axis=1) - place, axis=1) + place
    return row


def _kinds(train: Sequence[Session]) -> dict[int, int]:
    return {event: place for place, event in enumerate(sorted({event for session in train for event in session}))}


def _counts(sessions: Sequence[Session], kinds: dict[int, int]) -> Float[np.ndarray, "N K+1"]:
    """How often each session has each kind; the last column counts the unknown ones."""
    counts = np.zeros((len(sessions), len(kinds) + 1))
    for row, session in enumerate(sessions):
        for event in session:
            counts[row, kinds.get(event, len(kinds))] += 1
    return counts


RIVALS: dict[str, Callable[[Sequence[Session]], Detector]] = {
    "new event": new_event,
    "length": length,
    "2-grams": lambda train: n_grams(train, 2),
    "3-grams": lambda train: n_grams(train, 3),
    "nearest counts": counts_knn,
    "5-NN of log counts": log_counts_knn,
    "Isolation Forest of counts": isolation_forest,
    "edit distance": edit_distance,
}
