"""Scores: numbers that say how far a sample is to be trusted, higher is worse; raw, never clamped or rescaled.

A newcomer adds one file with a `Config` and a function `fit(config, bank)` that returns a `Score`; no list is edited.
"""

from vssl.scores.base import Score

__all__ = ["Score"]
