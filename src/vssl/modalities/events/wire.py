"""Sessions and windows of logs as they are sent to the runtime or to the service: their lines; without torch."""

from dataclasses import dataclass, field

import numpy as np

from vssl.modalities.events import Spec
from vssl.modalities.events.tokenise import SessionTokeniser
from vssl.modalities.wire import JsonSample, JsonWire


@dataclass(frozen=True, kw_only=True)
class Log(JsonSample):
    """A session or a window of an event log."""

    lines: list[str] = field(
        metadata={
            "description": "Its lines as in the log; its events where the data are ready sessions.",
            "min_length": 1,
        }
    )


class LogWire(JsonWire[Log]):
    """The lines of one session or window: int16 [2, S + L]. Their content is UTF-8 text, one line each."""

    json_sample = Log
    request_help = "Decide on sessions or windows of an event log. One with a line that cannot be used is reviewed."

    def __init__(self, spec: Spec) -> None:
        self._tokeniser = SessionTokeniser(spec)

    def size(self, sample: Log) -> int:
        # JSON may hold half a pair of surrogates.
        return sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in sample.lines)

    def content(self, sample: Log) -> bytes:
        lines = [" ".join(line.splitlines()) for line in sample.lines]
        return "\n".join(lines).encode("utf-8", "replace").replace(b"\0", b"?")

    def decode(self, content: bytes, name: str) -> np.ndarray:
        return self._tokeniser(content.decode().split("\n"), name)

    def lines(self, content: bytes) -> list[tuple[str, bool]]:
        texts = content.decode().split("\n")
        return list(zip(texts, self._tokeniser.known(texts), strict=True))


def build(spec: Spec) -> LogWire:
    """The wire for these measurements."""
    return LogWire(spec)
