"""Started by torchrun: one training run, from a JSON file of (data, folder, settings)."""

import json
import sys
from pathlib import Path

import torch

from vssl.train import loop
from vssl.train.settings import Settings

if __name__ == "__main__":
    torch.set_num_threads(1)
    loop.LOG_STEPS = 1
    source, out, settings = json.loads(Path(sys.argv[1]).read_text())
    loop.train(source, out, Settings.from_dict(settings))
