"""Started by torchrun: training runs one after the other, from a JSON list of (data, folder, settings)."""

import gc
import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from vssl.training import loop
from vssl.training.settings import Settings

if __name__ == "__main__":
    torch.set_num_threads(1)
    loop.LOG_STEPS = 1
    runs = json.loads(Path(sys.argv[1]).read_text())
    if len(runs) > 1:
        dist.init_process_group("gloo")
    for source, out, settings in runs:
        loop.train(source, out, Settings.from_dict(settings))
    if len(runs) > 1:
        gc.collect()  # as in distributed.processes
        dist.destroy_process_group()
