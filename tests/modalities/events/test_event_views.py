"""Views, corruptions and parts of sessions: what they change, and what they never do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.modalities.base import CORRUPTION_LEVELS
from vssl.modalities.events import Template, corruptions, views
from vssl.modalities.events.collector import CONTENT_HASH_COLUMNS, PADDING, TRUNCATED, UNKNOWN
from vssl.modalities.events.explaining import MAX_ABLATIONS, ablations

ROWS, LENGTH = 200, 40


@pytest.fixture
def raw() -> Tensor:
    """Sessions of 1 to 40 events, each of a kind of its own: its token says where it stood."""
    lengths = torch.arange(ROWS)[:, None] % LENGTH + 1
    place = torch.arange(LENGTH)
    there = place < lengths
    tokens = ((3 + place) * there).to(torch.int16)
    return torch.stack([tokens, (100 * there).to(torch.int16)], 1)


def view(raw: Tensor, seed: int = 0) -> Tensor:
    return views.apply(raw, views.draw(len(raw), raw.shape[2], torch.Generator().manual_seed(seed)))


def lengths(codes: Tensor) -> Tensor:
    return (codes[:, 0] != PADDING).sum(1)


def test_padding_stands_behind_all_events_and_every_session_keeps_one(raw: Tensor):
    there = view(raw)[:, 0] != PADDING
    assert (there.int().diff(dim=1) <= 0).all()
    assert there[:, 0].all()


def test_a_view_adds_no_kind_of_event_and_repeats_none(raw: Tensor):
    for before, after in zip(raw[:, 0], view(raw)[:, 0], strict=True):
        shown = after[after > TRUNCATED].tolist()
        assert len(shown) == len(set(shown))
        assert set(shown) <= set(before.tolist())


def test_at_most_the_stated_shares_are_cut_off_and_hidden(raw: Tensor):
    codes = view(raw)
    long = lengths(raw) >= 20
    kept = lengths(codes)[long] / lengths(raw)[long]
    assert 1 - views.CROP - 0.05 <= kept.min() < 1 - 0.8 * views.CROP
    hidden = ((codes[:, 0] == TRUNCATED).sum(1) / lengths(codes))[long]
    assert views.HIDE * 0.8 < hidden.mean() < views.HIDE + views.SPAN


def test_events_change_places_with_near_ones_only_and_in_every_second_session(raw: Tensor):
    changed = []
    for row in view(raw)[lengths(raw) >= 20, 0]:
        shown = row[row > TRUNCATED]
        # Hidden events stand between some, but neighbours in time differ by the shuffle's reach at most.
        assert (shown.cummax(0).values - shown).max() <= views.SHUFFLE
        changed.append(bool((shown.diff() < 0).any()))
    assert 0.3 < sum(changed) / len(changed) < 0.7


def test_gaps_are_jittered_where_there_are_any(raw: Tensor):
    gaps = view(raw)[:, 1]
    known = gaps[(view(raw)[:, 0] > TRUNCATED)].float()
    assert known.std() == pytest.approx(views.JITTER, rel=0.1)
    without_times = raw.clone()
    without_times[:, 1] = 0
    assert (view(without_times)[:, 1] == 0).all()


@pytest.mark.parametrize("level", CORRUPTION_LEVELS)
def test_corruptions_do_what_they_say_more_with_each_level(raw: Tensor, level: int):
    generator = torch.Generator().manual_seed(0)
    gone, late, foreign = (corruptions.corrupt(raw, kind, level, generator) for kind in corruptions.KINDS)
    share = 0.025 * 2**level
    lost = 1 - lengths(gone).sum() / lengths(raw).sum()
    assert share * 0.6 < lost < share * 1.8
    assert (gone[:, 0, 0] == raw[:, 0, 0]).all()
    assert late[:, 0].sort().values.equal(raw[:, 0].sort().values)
    assert (late[:, 0] - raw[:, 0]).abs().max() in range(2 ** (level - 1), 2**level + 1)
    assert ((foreign[:, 0] == UNKNOWN).sum(1) >= 1).all()
    assert lengths(foreign).equal(lengths(raw))


def test_an_unknown_corruption_is_named(raw: Tensor):
    with pytest.raises(ConfigError, match="no corruption 'rust' of level 1: missing, disorder, foreign"):
        corruptions.corrupt(raw, "rust", 1, torch.Generator())


def stamped(tokens: list[int]) -> Tensor:
    codes = torch.tensor([tokens, [5 * (token > 0) for token in tokens]], dtype=torch.int16)
    return torch.cat([torch.full((2, CONTENT_HASH_COLUMNS), 9, dtype=torch.int16), codes], 1)


def test_each_kind_of_event_is_a_part_in_the_words_of_the_log():
    templates = (Template("tick", 90), Template("disk <number> failed", 1))
    found = ablations(stamped([3, 4, 1, 3, 2, 0, 0]), {"unknown_text": "FATAL fire"}, templates)
    assert [part.name for part in found] == ["1 x unknown: FATAL fire", "1 x disk <number> failed", "2 x tick"]
    assert found[0].ablated.tolist() == [[9, 9, 3, 4, 3, 2, 0, 0, 0], [9, 9, 5, 5, 5, 5, 0, 0, 0]]
    assert found[2].ablated[0].tolist() == [9, 9, 4, 1, 2, 0, 0, 0, 0]


def test_of_very_many_kinds_the_rarest_are_the_parts():
    templates = tuple(Template(f"kind {row}", 100 - row) for row in range(60))
    found = ablations(stamped(list(range(3, 63))), {}, templates)
    assert len(found) == MAX_ABLATIONS
    assert found[0].name == "1 x kind 59"
