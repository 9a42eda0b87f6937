"""The demo: make data of one kind, train, calibrate, decide, and say in sentences what came out."""

import shutil
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vssl import api
from vssl.decisions.describe import describe
from vssl.errors import RunExistsError
from vssl.evaluation import EvalData, evaluate
from vssl.modalities.demo import Demo
from vssl.modalities.wire import part_of
from vssl.run import Run


def demo(
    modality: str, out: Path, steps: int | None = None, overwrite: bool = False, terminal: Console | None = None
) -> list[str]:
    """Run the demo of a modality in the folder `out`; returns the findings, in sentences.

    The training data have no labels; those of the hold-out are used for evaluation only.

    Raises:
        RunExistsError: There is something at `out` already, and `overwrite` is not given.
    """
    out, plan = Path(out), part_of(modality, "demo").demo()
    steps = plan.steps if steps is None else steps
    _make_way(out, overwrite)
    say: Callable[[str], None] = terminal.print if terminal else lambda _: None
    say(f"[bold]1[/bold] Making {plan.data}.")
    plan.write(out)

    say(f"[bold]2[/bold] Training for {steps:,} steps, without labels.")
    command = f"vssl demo --modality {modality} --out {out} --steps {steps}"
    settings = {"modality": plan.config, "encoder": plan.encoder, "steps": steps, "command": command}
    run = api.train(out / plan.training, out / "run", terminal=terminal, **settings)

    findings = _embeddings(run, plan, out, terminal)
    say("[bold]3[/bold] Calibrating on samples that are known to be normal.")
    policy = api.calibrate(run, f"{out / plan.normal}", bank=plan.bank, block=plan.block, terminal=terminal)
    findings.append(describe(policy)[0])

    say("[bold]4[/bold] Deciding on data with known defects.")
    for hold_out in plan.hold_outs:
        source = out / hold_out.source
        decisions = api.decide(run, source, name=hold_out.name, normal="label=ok", terminal=terminal)
        findings += [f"{hold_out.title}:", *decisions.summary()]

    page = api.report(run, table=plan.hold_outs[0].name)
    findings.append(f"Look at it: {page.resolve()}")
    for sentence in findings:
        say(f"  {escape(sentence)}")
    return findings


def _embeddings(run: Run, plan: Demo, out: Path, terminal: Console | None) -> list[str]:
    """What a demo finds in the embeddings of its first hold-out; their evaluation is on the page too."""
    if plan.findings is None:
        return []
    name = plan.hold_outs[0].name
    api.embed(run, out / plan.training, name="train", terminal=terminal)
    table = api.embed(run, out / plan.hold_outs[0].source, name=name, terminal=terminal)
    api.evaluate(run, name, label="label")
    return plan.findings(
        table, lambda label, metric: evaluate(EvalData(table, label=label), [metric.split("/")[0]]).values[metric]
    )


def _make_way(out: Path, overwrite: bool) -> None:
    """Remove an earlier demo at `out`, if that is wanted; nothing else is ever deleted."""
    if not out.exists():
        return
    if not overwrite or not (out / "run" / "run.json").is_file():
        raise RunExistsError(f"{out} is there already. Start again: --overwrite (for an earlier demo). Or --out.")
    shutil.rmtree(out)
