"""Whether what is guaranteed holds: bounds, calibration with copies among the samples, coverage of prediction sets.

A newcomer adds a Monte Carlo study or a count on labelled data for each new guarantee.
"""
