"""From scores to decisions with a guarantee. `bounds` has the mathematics, as pure functions.

A newcomer adds a bound there, with its source, its test, and for a threshold a row in
`benchmarks/guarantees/bounds.py`.
"""
