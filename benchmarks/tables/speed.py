"""Tables of time, memory and size."""

from __future__ import annotations

import numpy as np

from benchmarks.common.record import Record
from benchmarks.tables.registry import grouped, interval, markdown, percent, select, table


@table("speed_images")
def speed_images(record: Record) -> str:
    lines = []
    for (encoder,), rows in grouped(select(record.rows, kind="training"), "encoder").items():
        methods = grouped(rows, "method")
        rates = [f"{np.median([row['images_per_s'] for row in own]):.0f}" for own in methods.values()]
        memory = [f"{max(row['peak_rss_mb'] for row in own) / 1000:.1f}" for own in methods.values()]
        ratios = [interval(row["ratios"], 1) for row in select(record.rows, kind="training_ratio", encoder=encoder)]
        (views,) = select(record.rows, kind="views", encoder=encoder)
        lines.append([f"`{encoder}`", *rates, *ratios, percent(views["share"]), "; ".join(memory)])
    heads = ["Encoder", "vssl, images/s", "lightly", "lightly, bf16", "vssl / lightly", "vssl / lightly, bf16"]
    return markdown([*heads, "Share of views in a step", "Peak memory, GB: vssl; lightly; bf16"], lines)


@table("speed_start_up", "speed_images")
def speed_start_up(record: Record) -> str:
    lines = [
        [f"{row['files']:,}", f"{row['first']:.3g}", f"{row['second']:.3g}"]
        for row in select(record.rows, kind="start_up")
    ]
    return markdown(["Files in the folder", "Seconds to list it, first time", "Second time"], lines)


@table("speed_objectives")
def speed_objectives(record: Record) -> str:
    lines = [
        [f"`{row['method']}`", f"{row['seconds']:.3f}", "{:.2f} ({:.2f} to {:.2f})".format(*row["ratio"])]
        for row in record.rows
    ]
    return markdown(["Method", "Seconds per step (median)", "Share of a step of the first (quartiles)"], lines)


@table("speed_series")
def speed_series(record: Record) -> str:
    names = ("measured_rows_per_s", "read_rows_per_s", "windows_per_s", "embedded_windows_per_s")
    lines = [
        [f"{row['rows']:,}", row["format"], *(f"{row[name]:,}" for name in names), f"{row['memory_mib']:.0f} MiB"]
        for row in record.rows
    ]
    heads = ["Rows of 5 channels", "Format", "Rows/s, measuring", "Rows/s, reading", "Windows/s, reading"]
    return markdown([*heads, "Windows/s, encoder", "Memory"], lines)


@table("speed_events")
def speed_events(record: Record) -> str:
    names = ("mined_lines_per_s", "read_lines_per_s", "samples_per_s")
    lines = [
        [f"{row['lines']:,}", row["mode"], *(f"{row[name]:,}" for name in names), f"{row['memory_mib']:.0f} MiB"]
        for row in record.rows
    ]
    return markdown(
        ["Lines", "Samples", "Lines/s, finding templates", "Lines/s, reading", "Samples/s", "Memory"], lines
    )


@table("exports")
def exports(record: Record) -> str:
    lines = []
    for row in record.rows:
        if row["precision"] in ("float32", "int8"):
            latency, decided, hold_out = row["latency_ms"]["1 cores"], row["decided"], row["hold_out"]
            flips = f"{decided['flips']} of {decided['samples']:,}"
            differences = (f"{row['relative_difference'][name]:.0e}" for name in ("mean", "log_variance"))
            rates = (hold_out[name].partition(" (")[0] for name in ("false_alarms", "misses"))
            times = (f"{latency[f'{what}, batch 1']:.1f}" for what in ("torch, encoder", "export, decision"))
            size = (f"{row['megabytes']:.1f}", f"{row['start_s']:.2f}", f"{row['process_mb']:.0f}")
            lines.append([row["data"], row["precision"], ", ".join(differences), flips, *rates, *times, *size])
    heads = ["Run", "Precision", "Largest relative difference of mean, log-variance", "Decisions that differ"]
    heads += ["False alarms", "Misses", "ms, torch's encoder", "ms, whole decision of the export"]
    return markdown([*heads, "MB", "Seconds to the first decision", "Memory, MB"], lines)


@table("serve_load")
def serve_load(record: Record) -> str:
    lines = []
    services = list(dict.fromkeys(row["service"] for row in record.rows))
    groups = grouped(record.rows, "service", "clients").items()
    for (service, clients), rows in sorted(groups, key=lambda item: (services.index(item[0][0]), item[0][1])):
        rates, medians, slowest = ([row[name] for row in rows] for name in ("per_s", "p50_ms", "p99_ms"))
        cells = [f"{np.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})", f"{np.median(medians):.1f}"]
        lines.append([service, clients, *cells, f"{np.median(slowest):.0f} ({min(slowest):.0f} to {max(slowest):.0f})"])
    return markdown(["Service", "Clients", "Requests/s", "Median, ms", "99th percentile, ms"], lines)


@table("small_computer")
def small_computer(record: Record) -> str:
    (runtime,), (service,) = (select(record.rows, part=part) for part in ("runtime", "service"))
    pages = service["first_view_s"].values()
    memory = f"{service['process_mb']:.0f}; {service['process_mb_after_all_pages']:.0f} after all pages"
    latency = f"{service['decision_p50_ms']:.0f}; {service['decision_p99_ms']:.0f}"
    lines = [
        ["Installed packages, MB", f"{runtime['packages_mb']:.0f}", f"{service['packages_mb']:.0f}"],
        [
            "Seconds to the first decision; until it answers",
            f"{runtime['first_decision_s']:.2f}",
            f"{service['start_s']:.1f}",
        ],
        ["Memory of the process, MB", f"{runtime['process_mb']:.0f}", memory],
        ["Milliseconds per decision over HTTP: median; 99th percentile", "-", latency],
        ["Seconds for the first view of a page", "-", f"{min(pages):.2f} to {max(pages):.2f}"],
    ]
    return markdown(["Figure", "`vssl.runtime`", "Service"], lines)
