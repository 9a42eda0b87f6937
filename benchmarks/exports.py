"""Exports beside the run that they were made of: parity, decisions, latency, size, and what the other computer needs.

    make demo
    python benchmarks/exports.py vssl-demo/run vssl-demo/hold-out/parts.csv --normal label=ok

Exports a run with a policy in float32 and in int8. Latency is that of the encoder, in turns with torch, on one core and
on two; start-up and memory are those of a fresh process that imports `vssl.runtime`, loads the folder and decides once.
False alarms and misses are measured on data that neither has seen. The encoder in 16 bits, as onnxruntime's converter
makes it, stands beside them: `vssl export` does not offer it.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
import tyro

from vssl import api, runtime
from vssl.decisions.metrics import LabelledDecisions, compute_metrics
from vssl.decisions.samples import Condition
from vssl.exporting.encoded import Encoded
from vssl.exporting.folder import Precision, export
from vssl.exporting.graphs import Encoding, to_onnx
from vssl.exporting.parity import differences
from vssl.files import write_json
from vssl.training.describe import machine, versions
from vssl.training.model import Model

OUT = Path(__file__).parent / "results" / "exports.json"
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
TURNS = 30
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
        name: Of the row in the record.
        out: Where the record goes; rows of other names are kept.
    """

    run: tyro.conf.Positional[Path]
    data: tyro.conf.Positional[Path]
    normal: str = "label=ok"
    name: str = "demo"
    out: Path = OUT


def main(options: Options) -> None:
    model = api.load(options.run, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        rows: dict[str, Any] = {
            precision: _exported(model, options, Path(folder) / precision, precision) for precision in PRECISIONS
        }
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
        try:
            rows["float16, encoder"] = own.submit(_float16, options).result()
        except BrokenProcessPool:
            rows["float16, encoder"] = "onnxruntime crashes while it loads this one"
    for precision, row in rows.items():
        print(precision, row)
    command = " ".join(["python benchmarks/exports.py", *sys.argv[1:]])
    about = {"command": command, "versions": versions(), "machine": machine(torch.device("cpu"))}
    write_json(options.out.with_stem(f"{options.out.stem}_{options.name}"), about | rows)


def _exported(model: Model, options: Options, out: Path, precision: Precision) -> dict[str, Any]:
    parity = export(model, out, precision)
    raw = model.modality.sample(options.data, 64, seed=0).raw
    row = dataclasses.asdict(parity) | {"latency_ms": {}}
    for threads in (1, 2):
        row["latency_ms"][f"{threads} cores"] = _latency(model, out, raw, threads)
    return row | _start(out) | {"hold-out": _judged(model, out, options)}


def _latency(model: Model, out: Path, raw: torch.Tensor, threads: int) -> dict[str, float]:
    """Of the whole decision by the export, beside the encoder alone in torch."""
    encoding, decider = Encoding(model, raw[:2]).eval(), runtime.load(out, threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = _in_turns(
        {
            "torch, encoder": lambda size: encoding(raw[:size]),
            "export, decision": lambda size: decider.outputs(raw[:size].numpy()),
        }
    )
    torch.set_num_threads(before)
    return found


def _in_turns(runs: Mapping[str, Callable[[int], object]]) -> dict[str, float]:
    """The median milliseconds of each, for batches of 1 and of 64."""
    times: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for size in (1, 64):
            for name, run in runs.items():
                start = perf_counter()
                with torch.inference_mode():
                    run(size)
                times.setdefault(f"{name}, batch {size}", []).append(1e3 * (perf_counter() - start))
    return {name: round(median(found), 2) for name, found in times.items()}


def _float16(options: Options) -> dict[str, Any]:
    """The encoder with weights and inner values of 16 bits, beside the one in float32, in turns on one core."""
    # Imported late: onnxruntime reports to its maker if it is imported before vssl has forbidden it.
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = api.load(options.run, "cpu")
    raw = model.modality.sample(options.data, 64, seed=0).raw
    encoding = Encoding(model, raw[:2]).eval()
    graphs = {"float32": to_onnx(encoding, [raw[:2]], ["raw"], encoding.columns)}
    graphs["float16"] = convert_float_to_float16(graphs["float32"], keep_io_types=True)
    encoders = {name: Encoded(graph, threads=1) for name, graph in graphs.items()}
    return {
        "relative_difference": differences(encoding, encoders["float16"], raw),
        "megabytes": {name: round(len(graph.SerializeToString()) / 1e6, 2) for name, graph in graphs.items()},
        "latency_ms": _in_turns(
            {
                "float32": lambda size: encoders["float32"](raw[:size].numpy()),
                "float16": lambda size: encoders["float16"](raw[:size].numpy()),
            }
        ),
    }


def _start(out: Path) -> dict[str, float]:
    golden = next(out.glob("golden-*"))
    found = [
        subprocess.run([sys.executable, "-c", START, out, golden], capture_output=True, text=True, check=True).stdout
        for _ in range(5)
    ]
    seconds, megabytes = zip(*(map(float, text.split()) for text in found), strict=True)
    return {"start_s": round(median(seconds), 2), "process_mb": round(median(megabytes), 1)}


def _judged(model: Model, out: Path, options: Options) -> dict[str, Any]:
    """False alarms, misses and AUROC of the export by its own policy, where the truth is known."""
    decider, condition = runtime.load(out, 2), Condition.parse(options.normal)
    decisions, truth = [], []
    for chunk in model.modality.stream(options.data):
        decisions += decider.decide(chunk.raw.numpy())
        truth += [str(value) == condition.value for value in chunk.metadata[condition.column].to_pylist()]
    scores = np.array([decision.score for decision in decisions])
    made = np.array([decision.decision for decision in decisions], dtype=object)
    found = compute_metrics(LabelledDecisions(scores, made, np.array(truth), np.array(truth)))
    return {"false alarms": str(found.false_alarm), "misses": str(found.miss.get("all")), "auroc": found.auroc}


if __name__ == "__main__":
    main(tyro.cli(Options))
