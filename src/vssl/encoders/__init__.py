"""Encoders, networks from a view to features, with the heads, teachers and decoders that objectives add.

One file per family. A newcomer adds a module with a frozen `Config` and `build(config, shape)`.
"""
