"""Objectives: views in, a loss out. One file per method; its file name is its name on the command line.

A newcomer adds a module with a frozen `Config` and `build(config, encoder, modality)`; the contract tests find it.
"""
