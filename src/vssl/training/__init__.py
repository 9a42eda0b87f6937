"""From data to a trained run folder: the training loop, optimiser, schedule, checkpoints, logging and processes.

Start with `loop`. A newcomer adds an optimiser to `optim`, or the support of another device to `devices`.
"""
