"""Benchmarks: what vssl reaches, whether its guarantees hold, and how fast it is. README.md has commands and records.

A newcomer adds a script to `quality`, `guarantees` or `speed` that writes a `common.record.Record`, and its table to
`tables`.
"""
