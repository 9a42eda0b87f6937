"""The maths of vssl as pure functions: Gaussians, moving averages, ranks.

Nothing here knows what an image, a network or a run is.
A newcomer adds a function here with its source, and tests it in float64 against an independent oracle.
"""
