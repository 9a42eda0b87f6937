"""Exports compared with the run that they were made from: parity, decisions, latency, size, start-up and memory.

    make demo
    python -m benchmarks.speed.exports vssl-demo/run vssl-demo/hold-out/parts.csv --normal label=ok

Exports a run with a policy in float32 and in int8. Latency is measured in turns with torch's encoder, on one core and
on two. Start-up and memory are those of a fresh process that imports `vssl.runtime`, loads the folder and decides once.
False alarms and misses are measured on data that neither has seen. The encoder in 16 bits, as onnxruntime's converter
makes it, is measured as well, though `vssl export` does not offer it.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
import tyro

from benchmarks import tables
from benchmarks.common.process import in_own_process
from benchmarks.common.record import RESULTS, Record
from vssl import api, runtime
from vssl.decisions.metrics import LabelledDecisions, compute_metrics
from vssl.decisions.samples import Condition
from vssl.exporting.encoded import OnnxEncoder
from vssl.exporting.folder import Precision, export
from vssl.exporting.graphs import EncoderGraph, to_onnx
from vssl.exporting.parity import relative_differences
from vssl.training.model import Model

PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
START = """
import pathlib, re, sys, time
start = time.perf_counter()
import numpy as np
from vssl import runtime
decider = runtime.load(sys.argv[1])
raw = dict(np.load(sys.argv[2], allow_pickle=False))["raw"][:1]
decider.decide(raw)
seconds = time.perf_counter() - start
print(seconds, int(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]) / 1024)
"""


@dataclass(frozen=True)
class Options:
    """Exports of one run.

    Attributes:
        run: A run with a policy.
        data: Samples that the policy has not seen.
        normal: Which of them are normal, COLUMN=VALUE.
        name: Name of the data in the record; rows of other names are kept.
        turns: How often latencies are measured; the median counts.
        starts: How often a process is started; the median counts.
        out: File of the record.
    """

    run: tyro.conf.Positional[Path]
    data: tyro.conf.Positional[Path]
    normal: str = "label=ok"
    name: str = "demo"
    turns: int = 30
    starts: int = 5
    out: Path = RESULTS / "exports.json"


def main(options: Options) -> None:
    record = Record.resume(options.out, seeds=(0,))
    record.rows = [row for row in record.rows if row["data"] != options.name]
    model = api.load(options.run, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            figures = _exported(model, options, Path(folder) / precision, precision)
            record.add({"data": options.name, "precision": precision, **figures})
    try:
        figures = in_own_process(_float16, options)
    except BrokenProcessPool:
        figures = {"note": "onnxruntime crashes while it loads this one"}
    record.add({"data": options.name, "precision": "float16, encoder", **figures})
    tables.show("exports", record)


def _exported(model: Model, options: Options, out: Path, precision: Precision) -> dict[str, Any]:
    parity = export(model, out, precision)
    raw = model.modality.sample(options.data, 64, seed=0).raw
    row = dataclasses.asdict(parity) | {"latency_ms": {}}
    for threads in (1, 2):
        row["latency_ms"][f"{threads} cores"] = _latency(model, out, raw, threads, options.turns)
    return row | _start(out, options.starts) | {"hold_out": _rates(model, out, options)}


def _latency(model: Model, out: Path, raw: torch.Tensor, threads: int, turns: int) -> dict[str, float]:
    """Milliseconds of a whole decision by the export, and of the encoder alone in torch."""
    encoding, decider = EncoderGraph(model, raw[:2]).eval(), runtime.load(out, threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    milliseconds = _in_turns(
        {
            "torch, encoder": lambda size: encoding(raw[:size]),
            "export, decision": lambda size: decider.outputs(raw[:size].numpy()),
        },
        turns,
    )
    torch.set_num_threads(before)
    return milliseconds


def _in_turns(runs: Mapping[str, Callable[[int], object]], turns: int) -> dict[str, float]:
    """The median milliseconds of each function, for batches of 1 and of 64."""
    times: dict[str, list[float]] = {}
    for _ in range(turns):
        for size in (1, 64):
            for name, run in runs.items():
                start = perf_counter()
                with torch.inference_mode():
                    run(size)
                times.setdefault(f"{name}, batch {size}", []).append(1e3 * (perf_counter() - start))
    return {name: round(median(own), 2) for name, own in times.items()}


def _float16(options: Options) -> dict[str, Any]:
    """The encoder with weights and activations of 16 bits and the one in float32, in turns on one core."""
    # Imported late: onnxruntime reports to its maker if it is imported before vssl has forbidden it.
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = api.load(options.run, "cpu")
    raw = model.modality.sample(options.data, 64, seed=0).raw
    encoding = EncoderGraph(model, raw[:2]).eval()
    graphs = {"float32": to_onnx(encoding, [raw[:2]], ["raw"], encoding.columns)}
    graphs["float16"] = convert_float_to_float16(graphs["float32"], keep_io_types=True)
    encoders = {name: OnnxEncoder(graph, threads=1) for name, graph in graphs.items()}
    return {
        "relative_difference": relative_differences(encoding, encoders["float16"], raw),
        "megabytes": {name: round(len(graph.SerializeToString()) / 1e6, 2) for name, graph in graphs.items()},
        "latency_ms": _in_turns(
            {
                "float32": lambda size: encoders["float32"](raw[:size].numpy()),
                "float16": lambda size: encoders["float16"](raw[:size].numpy()),
            },
            options.turns,
        ),
    }


def _start(out: Path, starts: int) -> dict[str, float]:
    golden = next(out.glob("golden-*"))
    outputs = [
        subprocess.run([sys.executable, "-c", START, out, golden], capture_output=True, text=True, check=True).stdout
        for _ in range(starts)
    ]
    seconds, megabytes = zip(*(map(float, text.split()) for text in outputs), strict=True)
    return {"start_s": round(median(seconds), 2), "process_mb": round(median(megabytes), 1)}


def _rates(model: Model, out: Path, options: Options) -> dict[str, Any]:
    """False alarms, misses and AUROC of the export by its own policy."""
    decider, condition = runtime.load(out, 2), Condition.parse(options.normal)
    decisions, truth = [], []
    for chunk in model.modality.stream(options.data):
        decisions += decider.decide(chunk.raw.numpy())
        truth += [str(value) == condition.value for value in chunk.metadata[condition.column].to_pylist()]
    scores = np.array([decision.score for decision in decisions])
    made = np.array([decision.decision for decision in decisions], dtype=object)
    rates = compute_metrics(LabelledDecisions(scores, made, np.array(truth), np.array(truth)))
    return {"false_alarms": str(rates.false_alarm), "misses": str(rates.miss.get("all")), "auroc": rates.auroc}


if __name__ == "__main__":
    main(tyro.cli(Options))
