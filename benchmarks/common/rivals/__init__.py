"""Comparison methods: what another library, or a few lines with nothing learned, reach on the same data.

A newcomer adds a module per library or kind of data.
"""
