"""Preparation of the data sets that the benchmarks read.

A newcomer adds a script or a function per data set; its docstring names the source and the licence.
"""
