"""The verb for a person with two folders: `inspect` trains, calibrates, decides and reports by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vssl.api.arguments import PathLike, shared_sentences
from vssl.api.decisions import calibrate, decide
from vssl.api.evaluation import report
from vssl.api.training import resume, train
from vssl.config import member, name_of
from vssl.decisions.config import CalibrationConfig
from vssl.errors import ConfigError, NotEnoughDataError, RunNotFoundError
from vssl.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from vssl.decisions.policy import Policy
    from vssl.decisions.result import Decisions
    from vssl.inspection.choose import Choice
    from vssl.inspection.split import Division

__all__ = ["inspect"]

TABLE = "new"


@dataclass(frozen=True)
class Inspection:
    """What came out.

    Attributes:
        sentences: The result, the guarantee, what was found in the data, and why the settings were chosen.
        commands: The commands that repeat each step.
        decisions: The decisions on the new pictures.
        page: The report.
    """

    sentences: list[str]
    commands: list[str]
    decisions: Decisions
    page: Path


@shared_sentences(train, CalibrationConfig)
def inspect(
    good: PathLike,
    new: PathLike,
    out: PathLike,
    *,
    modality: Any = "images",
    encoder: Any = "auto",
    minutes: float | None = None,
    steps: int | None = None,
    false_alarm: float | Literal["auto"] = "auto",
    block: str | None = None,
    normal: str | None = None,
    overwrite: bool = False,
    terminal: Console | None = None,
) -> Inspection:
    """Find what is wrong among new pictures, from good ones alone: choose settings, train, calibrate, decide, report.

    Examples:
        vssl inspect good-parts new-parts --out INSPECTION
        # Several pictures show the same part
        vssl inspect good.csv new-parts --out INSPECTION --block part
        # With pretrained weights, which are kept as they are
        vssl inspect good-parts new-parts --out INSPECTION --encoder timm/resnet18 --pretrained weights.safetensors

    Half of the good pictures train the encoder and are what new ones are compared with, the other half calibrate the
    threshold; copies of a picture stay together. Views, size and encoder that have their default value are chosen by
    what the pictures look like. Each step is another verb: the command prints the lines that repeat it, and keeps them
    in OUT/commands.sh. The same command continues after an interruption.

    Args:
        good: Pictures of good parts: a folder, a list, or the rows of a list with a value in a column:
            parts.csv:label=ok.
        new: The pictures to decide on: data as in training.
        out: The folder to write: the division of the good pictures, the run with its report, the commands.
        modality: Kind of data; images so far.
        encoder: As in `train`.
        minutes: Minutes of training. If no length is given, 5.
        steps: Optimiser steps instead of minutes, so that a slower computer gives the same result.
        false_alarm: Largest share of good parts that is rejected, in 0..1; "auto" guarantees the lowest that the
            number of good pictures allows, down to 1 %.
        block: As in `CalibrationConfig`.
        normal: Which of the new pictures are good, as COLUMN=VALUE, where that is known, to measure the error rates.
        overwrite: Replace an earlier inspection in the folder.
        terminal: As in `train`.

    Raises:
        DataError: There are too few good pictures; the message says how many it needs.
        RunExistsError: The folder holds something else, and `overwrite` is not given.
        VsslError: See `vssl.errors`.
    """
    from vssl.decisions.samples import parse_source
    from vssl.inspection import choose, request, split

    out, config = Path(out), member("modalities", modality)
    if name_of(config) != "images":
        raise ConfigError(f"vssl inspect knows images so far; for {name_of(config)}: vssl train, calibrate, decide.")
    if minutes is None and steps is None:
        minutes = 5.0
    source = parse_source(good)[0]
    asked = {"modality": asdict(config), "encoder": str(encoder), "minutes": minutes, "steps": steps}
    asked |= {"false_alarm": false_alarm, "block": block, "normal": normal}
    request.claim(out, {**request.data(good, new, config), **asked}, overwrite)
    work = _Steps(out, terminal)
    work.say("1 Looking at the good pictures.")
    choice = choose.choose(source, config, encoder)
    division = split.divide(str(good), choice.modality, out / "split", block)
    for sentence in (*division.facts, *choice.reasons):
        work.say(f"  {sentence}")
    run = work.train(division, choice, minutes, steps)
    policy = work.calibrate(run, division, false_alarm, block)
    decisions = work.decide(run, new, normal)
    page = work.report(run)
    found = [*decisions.summary(), achievable_of(policy), *policy.caveats]
    return Inspection([*found, *division.facts, *choice.reasons], work.commands, decisions, page)


def achievable_of(policy: Policy) -> str:
    """What the calibration samples of a policy allow, in a sentence."""
    from vssl.inspection import achievable

    counts, guarantee = policy.samples, policy.guarantee
    count = counts.get("normal blocks", counts.get("normal different", counts["normal"]))
    what = "good parts" if policy.block is None else f"good blocks (by {policy.block})"
    return achievable.explain(count, guarantee.false_alarm, guarantee.confidence, what)


class _Steps:
    """The steps of an inspection: each runs a verb unless an earlier start has done it, and keeps its command."""

    def __init__(self, out: Path, terminal: Console | None) -> None:
        self.out, self.folder, self.terminal = out, out / "run", terminal
        self.commands: list[str] = []

    def say(self, sentence: str) -> None:
        if self.terminal is not None:
            self.terminal.print(sentence, markup=False, soft_wrap=True)

    def train(self, division: Division, choice: Choice, minutes: float | None, steps: int | None) -> Run:
        from vssl.inspection.commands import member_options

        length: dict[str, Any] = {"minutes": minutes, "steps": steps}
        if choice.train != "all":
            length = {"train": choice.train}
        members = member_options("modalities", choice.modality) | member_options("encoders", choice.encoder)
        line = self._next("train", division.training, out=self.folder, **members, **length, overwrite=True)
        try:
            run = Run(self.folder)
        except RunNotFoundError:
            chosen = {"modality": choice.modality, "encoder": choice.encoder, "command": line, **length}
            return train(division.training, self.folder, terminal=self.terminal, **chosen)
        return run if run.info["status"] == "done" else resume(run, terminal=self.terminal)

    def calibrate(
        self, run: Run, division: Division, false_alarm: float | Literal["auto"], block: str | None
    ) -> Policy:
        """The policy with the strongest guarantee that the samples allow."""
        from vssl.inspection.achievable import RATES

        policy = _valid_policy(run)
        rates = iter(RATES if false_alarm == "auto" else (false_alarm,))
        while policy is None:
            rate = next(rates)
            options: dict[str, Any] = {"bank": "train", "false_alarm": rate, "block": block, "overwrite": True}
            try:
                policy = calibrate(run, division.calibration, terminal=self.terminal, **options)
            except NotEnoughDataError:
                if false_alarm != "auto" or rate == RATES[-1]:
                    raise
        given = {"false_alarm": policy.guarantee.false_alarm, "block": block}
        self._next("calibrate", run.path, normal=division.calibration, bank="train", **given, overwrite=True)
        return policy

    def decide(self, run: Run, new: PathLike, normal: str | None) -> Decisions:
        self._next("decide", run.path, new, name=TABLE, normal=normal)
        return decide(run, new, name=TABLE, normal=normal, terminal=self.terminal)

    def report(self, run: Run) -> Path:
        from vssl.inspection.commands import write

        self._next("report", run.path, table=TABLE)
        write(self.out / "commands.sh", self.commands)
        return report(run, table=TABLE)

    def _next(self, verb: str, *arguments: object, **options: object) -> str:
        from vssl.inspection.commands import command

        self.commands.append(command(verb, *arguments, **options))
        self.say(f"{len(self.commands) + 1} {self.commands[-1]}")
        return self.commands[-1]


def _valid_policy(run: Run) -> Policy | None:
    """The policy that an earlier start of the same inspection has made, unless it has expired."""
    from vssl.decisions import policy_file

    if not (run.path / "policy.json").exists():
        return None
    policy, _ = policy_file.read(run)
    return None if policy.expiry(date.today()) else policy
