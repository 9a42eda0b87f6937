"""From scores to decisions with a guarantee: `core` decides, `thresholds` computes thresholds by `bounds`.

A newcomer adds a bound to `bounds`, with its source and its test, and for a threshold a row in
`benchmarks/guarantees/bounds.py`.
"""
