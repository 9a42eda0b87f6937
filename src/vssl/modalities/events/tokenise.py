"""From events to the numbers of a batch: tokens of messages, padded samples, and a sample that is sent by itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int16

from vssl.errors import BrokenFileError
from vssl.modalities.events import Spec
from vssl.modalities.events.collector import CONTENT_HASH_COLUMNS, FIRST_TEMPLATE, UNKNOWN, Collector, Sample
from vssl.modalities.events.files import LONGEST_LINE, RawLine, clean_text
from vssl.modalities.events.grouping import Tokens
from vssl.modalities.events.reading import make_parser
from vssl.modalities.events.templates import template_matcher


def make_tokeniser(spec: Spec) -> Tokens:
    """The number that stands for an event's message, or, in ready sessions, for an event."""
    if spec.reading.format == "sessions":
        kinds = {item.text: FIRST_TEMPLATE + row for row, item in enumerate(spec.templates)}
        return lambda event: kinds.get(event, UNKNOWN)
    return template_matcher(spec.templates, FIRST_TEMPLATE, UNKNOWN)


def pad_samples(samples: Sequence[Sample], length: int) -> Int16[np.ndarray, "N 2 S+L"]:
    """A raw batch."""
    raw = np.zeros((len(samples), 2, CONTENT_HASH_COLUMNS + length), np.int16)
    for row, item in enumerate(samples):
        raw[row, :, : item.codes.shape[1]] = item.codes
    return raw


class SessionTokeniser:
    """Encodes samples that come by themselves, as a service is sent them: the lines of one session or window each."""

    def __init__(self, spec: Spec) -> None:
        self._spec, self._tokens = spec, make_tokeniser(spec)

    def __call__(self, lines: Sequence[str], name: str) -> Int16[np.ndarray, "2 S+L"]:
        """The raw sample of some lines, or, where the training had ready sessions, of some events.

        Raises:
            BrokenFileError: There is no line, or one that cannot be used.
        """
        collector, read = Collector(name, self._spec.length), make_parser(self._spec.reading)
        for number, text in enumerate(lines, 1):
            if text.strip() and not (number == 1 and text == self._spec.reading.header):
                cut, undecodable = len(text) > LONGEST_LINE, "\ufffd" in text
                line = read(RawLine(number, clean_text(text[:LONGEST_LINE]), cut, undecodable))
                if line.broken:
                    raise BrokenFileError(name, f"line {number}: {line.message}")
                collector.add(self._tokens(line.message), line)
        if not collector.events:
            raise BrokenFileError(name, "it has no line that is not empty")
        return np.asarray(pad_samples([collector.sample(name)], self._spec.length)[0])

    def known(self, lines: Sequence[str]) -> list[bool]:
        """For each line whether the training had its kind; an empty one counts as known."""
        read = make_parser(self._spec.reading)
        rows = (RawLine(number, text, False, False) for number, text in enumerate(lines, 1))
        return [not row.text.strip() or self._tokens(read(row).message) != UNKNOWN for row in rows]
