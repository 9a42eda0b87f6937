import numpy as np
import pytest

from vssl.evaluation import EvalData, Skip
from vssl.evaluation.rank import run


def test_a_hand_made_cross_has_known_ranks(embeddings_from):
    features = [[3, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]]
    values = dict(run(EvalData(embeddings_from("s", features))))
    shares = np.array([0.75, 0.25])
    assert values["rank/effective_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert values["rank/first_component_share"] == pytest.approx(0.9)
    assert values["rank/std_min"] == 0
    assert values["rank/std_median"] == pytest.approx(np.sqrt(2 / 4))


def test_collapsed_features_have_rank_zero_and_a_stated_reason(embeddings_from):
    values = dict(run(EvalData(embeddings_from("s", np.full((10, 3), 0.1)))))
    assert values["rank/effective_rank"] == 0
    assert isinstance(values["rank/first_component_share"], Skip)
    assert "collapsed" in values["rank/first_component_share"].reason
