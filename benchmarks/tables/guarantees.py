"""Tables of bounds, copies and coverage."""

from __future__ import annotations

from benchmarks.common.record import Record
from benchmarks.tables.registry import grouped, markdown, percent, select, table


@table("bounds")
def bounds(record: Record) -> str:
    lines = []
    for (bound,), rows in grouped(record.rows, "bound").items():
        measured = [row for row in rows if "holds" in row]
        violations = [row["violation_rate"] for row in measured if "violation_rate" in row]
        worst = percent(max(violations)) if violations else "marginal"
        ratios = [row["rate_over_alpha"] for row in measured]
        holds = sum(row["holds"] for row in measured)
        lines.append(
            [bound, len(rows), len(rows) - len(measured), f"{holds} of {len(measured)}", worst, f"{max(ratios):.2f}"]
        )
    heads = ["Bound", "Rows", "Refused: too few samples", "Holds"]
    return markdown([*heads, "Worst violation rate (5 % allowed)", "Largest true rate / alpha"], lines)


@table("calibration_with_copies")
def calibration_with_copies(record: Record) -> str:
    lines = []
    for (kind, of), rows in grouped(record.rows, "kind", "copies_of").items():
        (kept,), (removed,) = (select(rows, copies_removed=value) for value in (False, True))
        data = f"{kind}, {removed['normals']:,} normal samples, {percent(removed['guaranteed'], 0)} guaranteed"
        rates = (percent(row["violation_rate"]) for row in (kept, removed))
        counted = f"{removed['samples_counted']:.0f}"
        lines.append([data, of, removed["calibrations"], *rates, percent(removed["allowed_rate"]), counted])
    heads = ["Data", "Copies of", "Calibrations", "Violations with copies counted", "Violations with copies removed"]
    return markdown([*heads, "Allowed", "Samples counted"], lines)


@table("copies")
def copies(record: Record) -> str:
    rows = select(record.rows, kind="pictures")
    changes = list(rows[0]["recall"])
    lines = []
    for row in rows:
        called = f"{round(row['false_positive_rate'] * row['different'])} of {row['different']}"
        within = round(row["false_positive_rate_within"] * row["different"])
        recall = (percent(row["recall"][change], 0) for change in changes)
        lines.append([row["data"], f"{row['training']:,}", *recall, called, within])
    heads = ["Pictures", "Training", *changes, "Different pictures called copies", "Called copies of each other"]
    return markdown(heads, lines)


@table("copies_of_sequences", "copies")
def copies_of_sequences(record: Record) -> str:
    lines = []
    for kind in ("series", "logs"):
        rows = select(record.rows, kind=kind)
        recall = [row["recall"] for row in rows]
        clean = sum(row["false_positive_rate"] == 0 for row in rows)
        worst = max(row["false_positive_rate"] for row in rows)
        many = sum(value >= 0.98 for value in recall)
        lines.append([kind, len(rows), f"{many} of {len(rows)}", percent(min(recall), 0), clean, percent(worst)])
    heads = ["Data", "Number", "98 % or more of the copies found", "Lowest recall", "Without false positives"]
    return markdown([*heads, "Largest false-positive rate"], lines)


@table("dependent_samples")
def dependent_samples(record: Record) -> str:
    lines = []
    for (correlation,), rows in grouped(record.rows, "intraclass_correlation").items():
        (single,), (blocks,) = (select(rows, blocks=value) for value in (False, True))
        data = f"{single['parts']} parts, {single['exposures']} exposures each"
        rates = (percent(row["violation_rate"]) for row in (single, blocks))
        named = percent(single["block_proposed_rate"])
        lines.append(
            [data, f"{correlation:.2f}", single["calibrations"], *rates, percent(blocks["allowed_rate"]), named]
        )
    heads = ["Data", "Intraclass correlation", "Calibrations", "Violations without blocks", "Violations with blocks"]
    return markdown([*heads, "Allowed", "--block proposed, no guarantee stated"], lines)


@table("probe_coverage")
def probe_coverage(record: Record) -> str:
    lines = []
    for (labels, coverage), rows in grouped(record.rows, "labels", "coverage").items():
        cells: list[str] = []
        for row in rows:
            cells += [percent(row["measured_coverage"]), percent(row["single_label_share"], 0)]
            cells.append(f"{row['mean_set_size']:.1f}")
        lines.append([f"{labels:,}", percent(coverage, 0), *cells])
    heads = ["Labels", "Stated coverage"]
    for encoder in ("trained", "untrained"):
        heads += [f"Measured, {encoder} encoder", "Sets with one class", "Mean set size"]
    return markdown(heads, lines)
