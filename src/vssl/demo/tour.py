"""The demo: make an inspection line's pictures, train, embed, judge, decide, and say in words what was found."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from sklearn.metrics import roc_auc_score

from vssl import api
from vssl.decisions.describe import words
from vssl.decisions.summary import kept
from vssl.demo.folder import make_way
from vssl.demo.inspection import Line, write
from vssl.evaluation import Evidence, judge
from vssl.modalities import images
from vssl.run import Run
from vssl.types import Embeddings

PARTS = 3_000
HOLD_OUT = 1_000
# Enough good ones among them for a bank, and for a guarantee of 1 % by the other half.
KNOWN = 1_000
ENCODER = "convnet/small"


def demo(out: Path, minutes: float = 2.0, overwrite: bool = False, terminal: Console | None = None) -> list[str]:
    """Run the demo in the folder `out`; returns what was found, in sentences.

    The training pictures have no labels at all; those of the hold-out are read by the judges alone.

    Raises:
        RunExistsError: There is something at `out` already, and `overwrite` is not given.
    """
    out = Path(out)
    make_way(out, overwrite)
    say = terminal.print if terminal else lambda *_: None
    say(f"[bold]1[/bold] Making {PARTS} pictures of parts without labels, and {HOLD_OUT} with labels to judge by.")
    training = write(Line(seed=0), out / "parts", PARTS, labelled=False)
    hold_out = write(Line(seed=1), out / "hold-out", HOLD_OUT, labelled=True)

    say(f"[bold]2[/bold] Training for {minutes:g} minutes, without labels.")
    views = images.Config(views="inspection")
    command = f"vssl demo --out {out} --minutes {minutes:g}"
    run = api.train(
        training, out / "run", modality=views, encoder=ENCODER, minutes=minutes, command=command, terminal=terminal
    )
    say("[bold]3[/bold] Embedding both, each picture with its uncertainty.")
    api.embed(run, training, name="train", terminal=terminal)
    judged = api.embed(run, hold_out, name="hold-out", terminal=terminal)
    say("[bold]4[/bold] Judging.")
    api.evaluate(run, "hold-out", label="label")
    say(f"[bold]5[/bold] Calibrating on the good ones of {KNOWN} further parts, and deciding.")
    decided = _decisions(run, out, hold_out, terminal)
    page = api.report(run, table="hold-out")
    found = [_structure(judged), _defects(judged), _ambiguity(judged), *decided, f"Look at it: {page.resolve()}"]
    for sentence in found:
        say(f"  {sentence}")
    return found


def _decisions(run: Run, out: Path, hold_out: Path, terminal: Console | None) -> list[str]:
    """A policy, whether its guarantee is kept on the hold-out, and that it is not on a camera nobody has seen."""
    known = write(Line(seed=2), out / "known", KNOWN, labelled=True)
    third = write(Line(seed=3, cameras=("cam-3",)), out / "third-camera", HOLD_OUT, labelled=True)
    policy = api.calibrate(run, f"{known}:label=ok", terminal=terminal)
    found = [words(policy)[0]]
    for place, data in (("On the hold-out", hold_out), ("With a third camera that nobody calibrated", third)):
        decisions = api.decide(run, data, name=data.parent.name, normal="label=ok", terminal=terminal)
        assert decisions.measured is not None
        alarms, misses = decisions.measured.false_alarm, decisions.measured.miss["all"]
        verdict = kept(alarms, policy.guarantee.false_alarm, policy)
        found.append(
            f"{place}: false alarms {alarms}. {verdict} Defects accepted: {misses}. The score knows no defect, "
            f"and ranks a random one above a random good part in {decisions.measured.auroc:.0%} of pairs (chance 50 %)."
        )
    return found


def _structure(judged: Embeddings) -> str:
    supplier, camera = (_knn(judged, column) for column in ("supplier", "camera"))
    return (
        f"The encoder was told nothing, and sorts the parts by supplier ({supplier:.0%} lie among parts of their own "
        f"supplier; chance is 33 %) and by camera ({camera:.0%}; chance is 50 %)."
    )


def _defects(judged: Embeddings) -> str:
    linear = judge(Evidence(judged, label="label"), ["linear"]).values["linear/balanced_accuracy_100"]
    return (
        f"A linear classifier on the embeddings tells ok from defect in {linear:.0%} of cases, both kinds counted "
        "alike (chance is 50 %)."
    )


def _ambiguity(judged: Embeddings) -> str:
    ambiguity, values = judged.numpy("ambiguity"), judge(Evidence(judged, label="label"), ["retrieval"]).values
    borderline = roc_auc_score(judged.numpy("borderline") == "true", ambiguity)
    return (
        "The encoder's own ambiguity ranks a random part whose nearest neighbour got another verdict above a random "
        f"other one in {values['retrieval/r_auroc/ambiguity']:.0%} of pairs, and a part near the inspector's limit "
        f"above a clear one in {borderline:.0%} (chance is 50 %): it says how far the encoder itself finds a part "
        "undetermined, and knows neither defects nor the inspector's limit. Those take labels."
    )


def _knn(judged: Embeddings, column: str) -> float:
    return judge(Evidence(judged, label=column), ["knn"]).values["knn/accuracy"]
