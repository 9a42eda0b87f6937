"""Decisions over HTTP: `vssl serve` answers for an export, stores every decision, and says how it is doing.

`app` has the addresses, `batching` decides on what waits together, `store` keeps decisions, `limits` refuses what is
too much. A newcomer adds an address to `app`; what is decided, and how, is `vssl.runtime`'s.
"""
