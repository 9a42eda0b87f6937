"""Tables of embeddings, scores and templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.common.record import Record, Row
from benchmarks.tables.registry import grouped, interval, markdown, percent, select, table, versions

BASELINES = (
    *("nn_distance", "knn_distance", "whitened_nn_distance", "latent_nn_distance"),
    *("feature_norm", "disagreement"),
)
R_AUROC = "retrieval/r_auroc/"
ACCURACIES = {
    "20-NN": "knn/accuracy",
    "20-NN, whitened": "knn/whitened_accuracy",
    "Linear": "linear/accuracy_100",
    "Linear, 10 % of labels": "linear/accuracy_10",
    "Fine-tuned, 10 %": "finetune/accuracy_10",
}
UNCERTAINTIES = {"R-AUROC: ambiguity": "ambiguity", "with distances": "posterior_distance"}


def comparison(groups: Mapping[str, Sequence[Row]]) -> str:
    """A row per method: accuracies in percent and R-AUROC, mean and range over the seeds; columns without values go."""
    columns: dict[str, list[str]] = {"vssl": [versions(rows) for rows in groups.values()]}
    columns["Seeds"] = [str(len(rows)) for rows in groups.values()]
    for head, name in ACCURACIES.items():
        columns[head] = [interval(_values(rows, name), 1, 100) for rows in groups.values()]
    for head, name in UNCERTAINTIES.items():
        columns[head] = [interval(_values(rows, R_AUROC + name)) for rows in groups.values()]
    columns["best baseline score"] = [_best_baseline(rows) for rows in groups.values()]
    shown = {head: cells for head, cells in columns.items() if set(cells) != {"-"}}
    return markdown(["Method", *shown], zip(groups, *shown.values(), strict=True))


def _values(rows: Sequence[Row], name: str) -> list[float]:
    return [row["values"][name] for row in rows if name in row["values"]]


def _best_baseline(rows: Sequence[Row]) -> str:
    found = [values for name in BASELINES if (values := _values(rows, R_AUROC + name))]
    return interval(max(found, key=np.mean)) if found else "-"


def _by_method(record: Record, names: Sequence[str], key: str = "objective", **filters: object) -> dict[str, list[Row]]:
    return {f"`{name}`": select(record.rows, **{key: name}, **filters) for name in names}


@table("cifar10_cpu10")
def cifar10_cpu10(record: Record) -> str:
    return comparison(_by_method(record, ("vssl", "vssl/contrast", "vssl/contrast:views=2", "simclr", "lightly")))


@table("cifar10_cpu30")
def cifar10_cpu30(record: Record) -> str:
    return comparison(_by_method(record, ("vssl", "vssl/contrast")))


@table("infrared_cpu5")
def infrared_cpu5(record: Record) -> str:
    names = ("vssl", "vssl, batch 256", "vssl/contrast", "simclr, batch 256", "pixels")
    return comparison(_by_method(record, names))


def _bench(rows: Sequence[Row]) -> str:
    groups = {f"`{name}`": members for (name,), members in grouped(rows, "method").items()}
    order = sorted(groups, key=lambda name: -np.mean(_values(groups[name], ACCURACIES["20-NN"])))
    return comparison({name: groups[name] for name in order})


@table("infrared_two_minutes", "infrared_methods")
def infrared_two_minutes(record: Record) -> str:
    return _bench(select(record.rows, version="0.8.0", budget="2 minutes"))


@table("infrared_one_minute", "infrared_methods")
def infrared_one_minute(record: Record) -> str:
    return _bench(select(record.rows, version="0.1.0", budget="1 minute"))


@table("digits_methods")
def digits_methods(record: Record) -> str:
    rows = select(record.rows, version="0.8.0")
    return _bench([row for row in rows if record.runs[row["run"]]["machine"]["cores"] == 1])


ABLATIONS = ("cifar10_ablations", "infrared_ablations", "digits_ablations")
DATA_NAMES = ("CIFAR-10", "infrared modules", "digits")
DEFAULTS = {"learning_rate": 0.002, "batch": 128}
SHORT_RUNS = ({"epochs": 0.5}, {"epochs": 2.0, "views": "inspection"}, {"epochs": 20.0, "views": "upright"})
TWO_VIEWS = "vssl/contrast:views=2"
SAME = {"vssl/contrast:views=4": "vssl/contrast"}
"""Names of one method in the records; four views are its default."""


def _ablation(
    records: Sequence[Record], methods: Sequence[str], settings: Sequence[Mapping[str, object]], label: str = ""
) -> dict[str, list[Row]]:
    """A row per data set and method, each data set with its own settings."""
    groups: dict[str, list[Row]] = {}
    for record, name, setting in zip(records, DATA_NAMES, settings, strict=True):
        rows = [row | {"method": SAME.get(row["method"], row["method"])} for row in record.rows]
        for method in methods:
            if found := select(rows, method=method, **setting):
                groups[f"{name}, {found[0]['progress']['step']} steps: `{method}`{label}"] = found
    return groups


@table("likelihood", *ABLATIONS)
def likelihood(*records: Record) -> str:
    methods = ("vssl", "vssl:beta=0", "vssl/contrast")
    return comparison(_ablation(records, methods, [DEFAULTS | own for own in SHORT_RUNS]))


@table("slow_teacher", *ABLATIONS)
def slow_teacher(*records: Record) -> str:
    methods = ("vssl", "vssl:ema_half_life=0.01")
    return comparison(_ablation(records, methods, [DEFAULTS | own for own in SHORT_RUNS]))


@table("views", *ABLATIONS)
def views(*records: Record) -> str:
    passes = {TWO_VIEWS: (1.0, 2.0, 10.0), "vssl/contrast": (0.5, 1.0, 5.0)}
    groups: dict[str, list[Row]] = {}
    for method, epochs in passes.items():
        groups |= _ablation(
            records, [method], [{"learning_rate": 0.002, "batch": 256, "epochs": own} for own in epochs]
        )
    return comparison(dict(sorted(groups.items(), key=lambda item: DATA_NAMES.index(item[0].partition(",")[0]))))


@table("batch", *ABLATIONS)
def batch(*records: Record) -> str:
    groups: dict[str, list[Row]] = {}
    for size in (256, 128, 64):
        settings = [{"learning_rate": 0.002, "batch": size, "epochs": own} for own in (0.5, 1.0, 5.0)]
        groups |= _ablation(records, ["vssl/contrast"], settings, f", batch {size}")
    return comparison(dict(sorted(groups.items(), key=lambda item: DATA_NAMES.index(item[0].partition(",")[0]))))


@table("components", *ABLATIONS)
def components(*records: Record) -> str:
    """20-NN, linear with 10 % of the labels, and R-AUROC of the ambiguity, for each changed setting."""
    rows_of = [
        [
            row | {"method": re.sub(r"\.0$", "", row["method"])}
            for row in select(record.rows, epochs=epochs, **LARGE_BATCH)
        ]
        for record, epochs in zip(records, (1.0, 2.0, 10.0), strict=True)
    ]
    methods = dict.fromkeys(row["method"] for rows in rows_of for row in rows if row["method"].startswith(TWO_VIEWS))
    lines = []
    for method in [*methods, "vssl/paper", "untrained"]:
        cells: list[str] = [f"`{method.removeprefix(TWO_VIEWS).removeprefix(',') or method}`"]
        for rows in rows_of:
            own = select(rows, method=method)
            cells += [interval(_values(own, name), 1, 100) for name in ("knn/accuracy", "linear/accuracy_10")]
            cells.append(interval(_values(own, R_AUROC + "ambiguity")))
        lines.append(cells)
    heads = [f"{name}: {what}" for name in DATA_NAMES for what in ("20-NN", "linear, 10 %", "R-AUROC")]
    return markdown(["Setting", *heads], lines)


LARGE_BATCH = {"learning_rate": 0.002, "batch": 256}


@table("settings", "digits_ablations")
def settings(record: Record) -> str:
    """How the best and the worst learning rate and batch differ, by 20-NN accuracy."""
    lines = []
    names = ("vssl", "vssl/contrast:views=4", "simclr:temperature=0.05", "byol")
    for name, epochs in zip(names, (5.0, 5.0, 10.0, 10.0), strict=True):
        rows = [
            row
            for row in select(record.rows, method=name, epochs=epochs, views="inspection")
            if row["batch"] in (64, 256, 512) and row["learning_rate"] in (5e-4, 2e-3, 8e-3)
        ]
        means = [np.mean(_values(own, "knn/accuracy")) for own in grouped(rows, "learning_rate", "batch").values()]
        near = sum(mean >= max(means) - 0.02 for mean in means)
        seeds = len({row["seed"] for row in rows})
        lines.append([f"`{name}`", seeds, percent(max(means)), percent(min(means)), f"{near} of {len(means)}"])
    return markdown(["Method", "Seeds", "Best 20-NN", "Worst", "Settings within 2 points of the best"], lines)


@table("infrared_decide")
def infrared_decide(record: Record) -> str:
    """All scores of the encoder that saw the mixture, and what else is worth a comparison; the best first."""
    groups = grouped(select(record.rows, kind="decisions"), "score", "trained_on")
    shown = {
        (score, trained_on): rows
        for (score, trained_on), rows in groups.items()
        if trained_on == "mixture" or score == "novelty" or score.startswith(("VAE", "pixels"))
    }
    lines = []
    for labels, rows in sorted(shown.items(), key=lambda item: -np.mean([row["auroc"] for row in item[1]])):
        cells = [interval([row["auroc"] for row in rows])]
        for at in ("at_0.01", "at_0.05"):
            mean = percent(np.mean([row[at]["false_alarms"] for row in rows]))
            largest = percent(max(row[at]["max_false_alarms"] for row in rows))
            cells += [f"{mean}; {largest}", interval([row[at]["misses"] for row in rows], 0, 100)]
        lines.append([*labels, *cells])
    heads = ["Score", "Encoder trained on", "AUROC"]
    for rate in (1, 5):
        heads += [f"False alarms, {rate} % guaranteed: mean; largest", "Misses, %"]
    return markdown(heads, lines)


@table("infrared_corruptions", "infrared_decide")
def infrared_corruptions(record: Record) -> str:
    rows = select(record.rows, kind="corruptions")
    lines = [[kind, interval([row["rejected"][kind] for row in rows], 0, 100) + " %"] for kind in rows[0]["rejected"]]
    return markdown(["Corruption and level", "Rejected at a threshold for 1 %"], lines)


@table("cifar_one_class", "cifar_one_class", "cifar_one_class_short")
def cifar_one_class(*records: Record) -> str:
    lines = []
    for record in records:
        for (score,), rows in grouped(record.rows, "score").items():
            names = [name for name, value in rows[0].items() if isinstance(value, float) and name != "auroc"]
            classes = {name: np.mean([row[name] for row in rows]) for name in names}
            worst = min(classes, key=lambda name: classes[name])
            mean = interval([row["auroc"] for row in rows])
            steps = record.runs[rows[0]["run"]]["settings"]["steps"]
            lines.append([score, steps, mean, f"{worst} {classes[worst]:.3f}"])
    return markdown(["Score", "Steps", "Mean AUROC", "Worst class"], lines)


@table("mirror_ood")
def mirror_ood(record: Record) -> str:
    scores = ("novelty", "5-NN, whitened features")
    lines = [
        [f"`{views}`", *(interval([row[score] for row in rows], 3) for score in scores)]
        for (views,), rows in grouped(record.rows, "views").items()
    ]
    return markdown(["Views", *(f"AUROC of {score}" for score in scores)], lines)


SERIES = {
    "vus_pr": "VUS-PR",
    "vus_roc": "VUS-ROC",
    "average_precision": "Average precision",
    "f1": "F1 at the guarantee",
}


def _series(record: Record, keys: Sequence[str], groups: Mapping[tuple[str, ...], Sequence[Row]]) -> str:
    """Means over the series, for each seed; smallest and largest seed in brackets."""
    lines = []
    for labels, rows in groups.items():
        figures = [
            interval([np.mean([row[name] for row in own]) for own in grouped(rows, "seed").values()]) for name in SERIES
        ]
        alarms, blocks = (sum(row[name] for row in rows) for name in ("false_alarms", "normal_blocks"))
        lines.append([*labels, *figures, percent(alarms / blocks)])
    return markdown([*keys, *SERIES.values(), "Normal blocks with a false alarm"], lines)


def _best_first(groups: Mapping[tuple[str, ...], Sequence[Row]]) -> dict[tuple[str, ...], Sequence[Row]]:
    return dict(sorted(groups.items(), key=lambda item: -np.mean([row["vus_pr"] for row in item[1]])))


def _scores(record: Record) -> str:
    rows = [row for row in record.rows if row["objective"] in ("vssl", "-")]
    return _series(record, ("Score", "Method"), _best_first(grouped(rows, "score", "objective")))


@table("servers")
def servers(record: Record) -> str:
    return _scores(record)


@table("nab")
def nab(record: Record) -> str:
    return _scores(record)


@table("servers_methods")
def servers_methods(record: Record) -> str:
    rows = select(record.rows, score="novelty")
    groups = grouped(
        [row | {"method": "nothing learned" if row["steps"] == 1 else row["objective"]} for row in rows], "method"
    )
    return _series(record, ("Method, score `novelty`",), _best_first(groups))


EVENTS = {"auroc": "AUROC", "f1": "F1", "false_alarm": "False alarms", "miss": "Misses"}


@table("event_logs")
def event_logs(record: Record) -> str:
    rows = [row for row in select(record.rows, data="hdfs") if not (row["encoder"] and _by_steps(record, row))]
    lines = []
    for (objective, score), own in grouped(rows, "objective", "score").items():
        rates = [interval([row[name] for row in own], 2, 100) + " %" for name in ("false_alarm", "miss")]
        figures = [interval([row[name] for row in own], 4) for name in ("auroc", "f1")]
        lines.append([score, objective or "-", len(own), *figures, *rates])
    return markdown(["Score", "Method", "Seeds", *EVENTS.values()], lines)


def _by_steps(record: Record, row: Row) -> bool:
    return "--steps" in record.runs[row["run"]]["command"]


@table("event_methods")
def event_methods(record: Record) -> str:
    lines = []
    for (objective,), rows in grouped(record.rows, "objective").items():
        scores = {row["score"]: row for row in rows}
        found = [
            scores[name] for name in ("novelty", "5-NN, whitened features", "5-NN, features", "5-NN, latent means")
        ]
        lines.append([f"`{objective}`", *(f"{row['auroc']:.4f}; {percent(row['miss'], 0)}" for row in found)])
    heads = ("`novelty`", "5-NN, whitened features", "5-NN, features", "5-NN, latent means")
    return markdown(["Method", *(f"{head}: AUROC; misses" for head in heads)], lines)


TEMPLATES = {
    **{"raw": "vssl, raw lines", "raw_drain3": "drain3", "raw_drain3_masks": "drain3 with masks"},
    **{"messages": "vssl, messages", "messages_drain3": "drain3", "messages_drain3_masks": "drain3 with masks"},
}


@table("log_templates")
def log_templates(record: Record) -> str:
    rows = select(record.rows, kind="grouping_accuracy")
    lines = [
        [row["system"], row.get("events", ""), *(f"{row[name]:.3f}" if name in row else "-" for name in TEMPLATES)]
        for row in rows
    ]
    return markdown(["System", "Events", *TEMPLATES.values()], lines)
