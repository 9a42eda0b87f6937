"""Mathematics as pure functions: Gaussians, the sphere, moving averages, ranks, whitening, distributed batches.

Nothing here depends on images, networks or runs.
A newcomer adds a function with its source, and tests it in float64 against an independent oracle.
"""
