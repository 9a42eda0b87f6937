"""The verbs that decide: calibrate, decide and probe."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from vssl import api
from vssl.cli.members import configurations
from vssl.cli.terminal import RunFolder, say, terminal
from vssl.decisions.guarantee import Costs


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """From known good samples to thresholds with a guarantee: accept, review, reject.

    Writes RUN/policy.json, which a person can read, and prints it in words. It never guarantees more than the samples
    allow: with 299 normals at most 1 % of false alarms with 95 % confidence, with 2,995 at most 0.1 %. They must be
    samples that the training has not seen.

    Example: vssl calibrate RUN --normal known-good --false-alarm 0.01

    With known defects, a miss rate too; between the two thresholds a person looks: vssl calibrate RUN --normal
    parts.csv:label=ok --defects parts.csv:label=defect --false-alarm 0.01 --miss 0.02

    From what people said on the page of vssl serve: vssl calibrate RUN --from-reviews RUN/export/decisions.sqlite

    Attributes:
        run: The run folder.
        normal: Known normal samples: data as in train, or of a list those with a value in a column,
            parts.csv:label=ok.
        from_reviews: Instead of both: the database of vssl serve, a file or an address. Only samples that it drew at
            random count, as people look at odd ones most.
        samples: Where vssl serve kept them; by default the folder samples beside the database.
        defects: Known defects, given in the same way.
        bank: Reference samples that the score measures distances to, given in the same way; train takes the training
            data (good where they hold few defects), policy the bank of the existing policy. By default half of the
            normals are the bank.
        false_alarm: At most this share of normals is rejected.
        miss: At most this share of defects is accepted; needs --defects.
        confidence: Confidence level of the guarantee, 1 - delta. With a miss rate as well, delta is split equally.
        group: Metadata column, such as camera: each of its values gets thresholds and a guarantee of its own.
        block: Metadata column of what belongs together (a shift, an episode, a lot): the guarantee is made of blocks.
        time: Metadata column that sorts like time: tests whether samples depend on those before them.
        cost_miss: Cost of an accepted defect; with it the expected costs are stated. Any unit.
        cost_false_alarm: Cost of a rejected normal sample.
        cost_review: Cost of a sample that a person looks at.
        defect_share: Share of defects among the samples to come, for the costs.
        valid_days: Validity period of the policy in days.
        overwrite: Replace an existing policy.
        score: novelty, places, knn, mahalanobis, mixture, ambiguity, disagreement or elbo_gap. Its settings stand
            below.
        device: auto, cpu, cuda or one GPU such as cuda:1; decisions must be made on the same kind.
    """

    run: RunFolder
    normal: str | None = None
    from_reviews: str | None = None
    samples: str | None = None
    defects: str | None = None
    bank: str | None = None
    false_alarm: float = 0.01
    miss: float | None = None
    confidence: float = 0.95
    group: str | None = None
    block: str | None = None
    time: str | None = None
    cost_miss: float | None = None
    cost_false_alarm: float = 1.0
    cost_review: float = 0.0
    defect_share: float = 0.01
    valid_days: int = 90
    overwrite: bool = False
    score: str = "novelty"
    device: str = "auto"

    def carry_out(self, _arguments: Sequence[str]) -> None:
        from vssl.decisions.describe import describe

        names = [item.name for item in dataclasses.fields(Calibrate) if "cost" not in item.name]
        settings = {name: getattr(self, name) for name in names if name != "defect_share"}
        costs = None
        if self.cost_miss is not None:
            costs = Costs(self.cost_miss, self.cost_false_alarm, self.cost_review, self.defect_share)
        policy = api.calibrate(**(settings | configurations(self)), costs=costs, terminal=terminal())
        print("\n".join(describe(policy)))
        without = "" if policy.guaranteed else ", without a guarantee"
        say(f"{self.run}/policy.json is in force{without}. Next: vssl decide {self.run} DATA")


def decide(
    run: RunFolder,
    data: Annotated[Positional[str], arg(metavar="DATA")],
    name: str | None = None,
    normal: str | None = None,
    false_discoveries: float | None = None,
    fail_if_reject: bool = False,
    device: str = "auto",
) -> None:
    """Accept, review or reject each sample by the policy of the run: writes RUN/decisions/NAME.parquet.

    Each row has the decision, the p-value among the normals, the score, and the nearest known samples. Prints the
    counts as JSON on standard output. Refused where the policy does not belong: another model, preprocessing or
    numeric back end, or after its time.

    Example: vssl decide RUN today

    In a pipeline, status 1 if anything is rejected: vssl decide RUN today --fail-if-reject

    Where the truth is known, is the guarantee kept? vssl decide RUN parts.csv --normal label=ok

    Args:
        run: The run folder.
        data: A folder, list or archive, as in train; or of a list those with a value in a column,
            parts.csv:camera=cam-1.
        name: Name of the table; by default that of the data.
        normal: Which samples are normal, COLUMN=VALUE: false alarms and misses are measured.
        false_discoveries: For a list to look through: mark samples of this batch (column reported), so that on average
            at most this share of the marked are normal.
        fail_if_reject: End with status 1 if a sample is rejected.
        device: auto, cpu, cuda or one GPU such as cuda:1.
    """
    decisions = api.decide(
        run,
        data,
        name=name,
        normal=normal,
        false_discoveries=false_discoveries,
        device=device,
        terminal=terminal(),
    )
    for sentence in decisions.summary():
        say(sentence)
    print(json.dumps(decisions.counts(), indent=2))
    if fail_if_reject and decisions.count("reject"):
        sys.exit(1)


def probe(
    run: RunFolder,
    labels: Path,
    of: str = "train",
    on: str | None = None,
    coverage: float = 0.9,
    by_class: bool = False,
) -> None:
    """From few labels to prediction sets: the classes that a sample may have, at a stated coverage.

    A linear classifier learns from half of the labels, the other half calibrates. The true class is in the set with the
    stated coverage, whatever the classifier is worth; a poor one has larger sets. One class: decided. More: ask a
    person. None: it looks like none of the classes. Writes RUN/predictions/NAME.parquet.

    Example: vssl probe RUN --labels labels.csv --coverage 0.95

    Learn from one table, predict for another: vssl probe RUN --labels labels.csv --of train --on today

    Args:
        run: The run folder.
        labels: A CSV file with the columns id (or path) and label.
        of: Name of the embeddings that the ids belong to.
        on: Name of the embeddings to predict for; by default the unlabelled ones of the same.
        coverage: Share of samples whose set holds their class.
        by_class: The coverage holds for each class alone; it takes as many labels of each class.
    """
    from vssl.decisions.describe import percent

    found = api.probe(run, labels, of=of, on=on, coverage=coverage, by_class=by_class)
    total = len(found.table)
    none = found.table["labels"].to_pylist().count([])
    say(
        f"{total:,} samples, by {found.labelled:,} labels: {found.decided:,} decided, "
        f"{total - found.decided - none:,} to ask about, {none:,} like no class. A set has "
        f"{found.mean_size if total else 0:.2f} labels on average, and holds the true one for {percent(coverage)} of "
        f"samples{' of each class' if by_class else ''}, if they are like the labelled ones."
    )
    print(json.dumps({"samples": total, "decided": found.decided, "empty": none, "file": str(found.path)}, indent=2))
