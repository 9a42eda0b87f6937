"""From scores to decisions with a guarantee. `bounds` has the mathematics, as pure functions.

A newcomer adds a bound there, with its source, and a row in `benchmarks/guarantees.py` that checks it.
"""
