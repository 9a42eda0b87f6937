"""Short series of two channels, and the modality measured on a file of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from vssl.modalities import sensors
from vssl.modalities.sensors.modality import SensorModality


def built(source: Path, **settings: object) -> SensorModality:
    config = sensors.Config(**({"window": "4", "stride": "2"} | settings))  # type: ignore[arg-type]
    return sensors.build(config, sensors.measure(source, config))


def table(rows: int = 12, start: str = "2026-01-05T08:00:00", step: int = 60) -> pa.Table:
    rng = np.random.default_rng(0)
    times = np.datetime64(start, "s") + np.arange(rows) * np.timedelta64(step, "s")
    return pa.table({"time": times, "speed": rng.normal(size=rows), "heat": rng.normal(size=rows) + 20})
