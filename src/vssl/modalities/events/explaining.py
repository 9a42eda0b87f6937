"""The events of a sample in words, and the sample without each kind of event in turn."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int16
from torch import Tensor

from vssl.modalities.base import Ablation
from vssl.modalities.events import Template
from vssl.modalities.events.collector import CONTENT_HASH_COLUMNS, FIRST_TEMPLATE, PADDING, TRUNCATED, UNKNOWN
from vssl.modalities.events.views import remove_events

MAX_ABLATIONS = 32


def ablations(
    raw: Int16[Tensor, "2 S+L"], metadata: Mapping[str, Any], templates: Sequence[Template]
) -> list[Ablation]:
    """The sample without each kind of event, named with its count: unknown kinds first, then the rarest.

    At most `MAX_ABLATIONS`; the kinds that are most frequent in the training data are left out then.
    """
    stamp, codes = raw[:, :CONTENT_HASH_COLUMNS], raw[:, CONTENT_HASH_COLUMNS:]
    tokens, counts = torch.unique(codes[0], return_counts=True)
    # The templates are sorted by how often training had them, so the highest token is the rarest.
    known = sorted(zip(tokens.tolist(), counts.tolist(), strict=True), key=lambda item: (item[0] != UNKNOWN, -item[0]))
    shown = [(token, count) for token, count in known if token not in (PADDING, TRUNCATED)]
    return [
        Ablation(
            f"{count} x {text_of(token, templates, metadata)}",
            torch.cat([stamp, remove_events(codes[None], (codes[0] == token)[None])[0]], dim=1),
        )
        for token, count in shown[:MAX_ABLATIONS]
    ]


def text_of(token: int, templates: Sequence[Template], metadata: Mapping[str, Any]) -> str:
    """What a token stands for, in the words of the log."""
    if token >= FIRST_TEMPLATE:
        return templates[token - FIRST_TEMPLATE].text
    if token == UNKNOWN:
        text = metadata.get("unknown_text")
        return f"unknown: {text}" if text else "unknown"
    return "... (events that are not shown)"
