"""The policy: thresholds, what they guarantee, with which model, and until when. Needs numpy only.

`policy_file.py` reads and writes it in a run folder; an export folder has one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from vssl.config import find, from_dict, name_of
from vssl.decisions.core import Thresholds
from vssl.decisions.describe import describe
from vssl.decisions.guarantee import Costs, Guarantee
from vssl.errors import ConfigError, PolicyError

if TYPE_CHECKING:
    from vssl.scores.base import Score
    from vssl.types import Embeddings

FORMAT = 2


@dataclass(frozen=True)
class ScoreSpec:
    """The configuration of a score as plain data, so that a policy can be read without the score's own code.

    Attributes:
        name: Name of the score.
        settings: Fields of its Config.
    """

    name: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, config: Any) -> ScoreSpec:
        """The specification of a score's Config."""
        return cls(name_of(config), asdict(config))

    @property
    def config(self) -> Any:
        """The score's Config; imports the score, which needs torch."""
        return from_dict(find("scores", self.name).Config, self.settings, "score")

    def fit(self, bank: Embeddings) -> Score:
        """The score, fitted to a bank; imports the score, which needs torch."""
        score: Score = find("scores", self.name).fit(self.config, bank)
        return score


@dataclass(frozen=True)
class Rate:
    """An observed share with its confidence bounds; `bounds.observed_rate` computes it.

    Attributes:
        count: How many of the samples, 0..of.
        of: Number of samples, 1 or more.
        lower, upper: One-sided bounds of the true rate, each with 95 % confidence (Clopper and Pearson 1934), in 0..1.
    """

    count: int
    of: int
    lower: float
    upper: float

    @property
    def share(self) -> float:
        return self.count / self.of

    def __str__(self) -> str:
        return f"{self.share:.2%} ({self.count} of {self.of}; {self.lower:.2%} to {self.upper:.2%})"


@dataclass(frozen=True)
class ExpectedCost:
    """The expected cost of one decision rule, estimated on the calibration samples.

    Attributes:
        name: Name of the rule.
        thresholds: The rule.
        per_1000: Cost per 1,000 samples, in the unit of the costs.
    """

    name: str
    thresholds: Thresholds
    per_1000: float


@dataclass(frozen=True)
class Binding:
    """What the policy was calibrated with; the guarantee holds for nothing else.

    Attributes:
        model, preprocessing, backend: As in `embedding.header.Identity`.
    """

    model: str
    preprocessing: str
    backend: str


@dataclass(frozen=True)
class Policy:
    """When to accept, review or reject, and what is guaranteed.

    Attributes:
        guarantee: The guaranteed rates.
        guaranteed: Whether they are guaranteed; if not, `caveats` say why.
        score: Specification of the score.
        thresholds: Thresholds by group; under `core.UNGROUPED` where there are no groups.
        group: Metadata column of the groups, or None.
        block: Metadata column of the blocks that the guarantee counts instead of samples, or None.
        samples: Numbers of samples: bank, normal, defect; with blocks also those of blocks: normal blocks, ...; and
            where some are copies, how many the guarantee counts: normal different, ...
        expected: Observed rates among the calibration samples: normal accept, normal review, ..., defect reject.
        caveats: What a reader must know, in sentences.
        costs, expected_costs: The given costs, and what decisions are expected to cost; None and empty without costs.
        binding: What the policy may be used with.
        reference: SHA-256 of the file with bank and calibration samples.
        made, expires: ISO dates; from `expires` on the policy is refused.
    """

    guarantee: Guarantee
    guaranteed: bool
    score: ScoreSpec
    thresholds: Mapping[str, Thresholds]
    group: str | None
    block: str | None
    samples: Mapping[str, int]
    expected: Mapping[str, Rate]
    caveats: tuple[str, ...]
    costs: Costs | None
    expected_costs: tuple[ExpectedCost, ...]
    binding: Binding
    reference: str
    made: str
    expires: str

    def check(self, binding: Binding, today: date) -> None:
        """Refuse to be used with anything but what the policy was calibrated with, or after its validity period.

        Raises:
            PolicyError: The model, the preprocessing or the back end is another, or the policy has expired.
        """
        meanings = {"model": "model file", "preprocessing": "preprocessing", "backend": "numeric back end"}
        for name, meaning in meanings.items():
            own, other = getattr(self.binding, name), getattr(binding, name)
            if own != other:
                raise PolicyError(
                    f"The policy belongs to another {meaning}: it was calibrated with {own:.60}, and this is "
                    f"{other:.60}. Its guarantee does not hold here; "
                    "calibrate again: vssl calibrate RUN --normal DATA --overwrite."
                )
        if expired := self.expiry(today):
            remedy = "Calibrate again with recent samples: vssl calibrate RUN --normal DATA --overwrite."
            raise PolicyError(f"{expired} {remedy}")

    def expiry(self, today: date) -> str | None:
        """A sentence that says since when the policy has expired; None while it is valid."""
        if today < date.fromisoformat(self.expires):
            return None
        return f"The policy of {self.made} expired on {self.expires}: the process may have changed since."

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, with a description in sentences for a person who opens the file."""
        score = {"name": self.score.name, **self.score.settings}
        return {"format": FORMAT, "description": describe(self), **asdict(self), "score": score}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """The policy of plain JSON data.

        Raises:
            ConfigError: The data are not a policy, or have another format.
        """
        try:
            values = {key: value for key, value in data.items() if key not in ("format", "description", "seal")}
            if data["format"] != FORMAT:
                raise ConfigError(f"It has the format {data['format']}, and this version reads {FORMAT}.")
            settings = dict(values["score"])
            values["score"] = ScoreSpec(settings.pop("name"), settings)
            for key, kind in (("thresholds", Thresholds), ("expected", Rate)):
                values[key] = {name: from_dict(kind, item, key) for name, item in values[key].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"It is not a policy: {error!r}.") from error
        return from_dict(cls, values, "policy")
