"""From data to a trained run folder: the one training loop, and what it stands on.

`loop` reads from top to bottom. A newcomer adds an optimiser in `optim` or a kind of device in `devices`.
"""
