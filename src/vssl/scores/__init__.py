"""Scores: one number per sample that says how far to trust it; higher is worse; never clamped or rescaled.

A newcomer adds one file: a `Config` (a `ScoreConfig`), `fit(config, bank)` that returns a `Score`, and `EVALUATED`, the
settings that evaluators report by name. No list is edited.
"""

from vssl.scores.base import Score, ScoreConfig, evaluated, fit

__all__ = ["Score", "ScoreConfig", "evaluated", "fit"]
