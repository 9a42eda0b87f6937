"""Comparisons of methods under equal conditions; benchmarks/README.md has the commands of the measured ones.

A newcomer adds a measurement of every run to `trial`.
"""
