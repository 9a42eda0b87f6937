"""Decisions over HTTP: `vssl serve` decides by an export, stores every decision and reports metrics.

`app` has the addresses, `requests` the bodies, `batching` forms batches, `store` keeps decisions, `review_export` makes
calibration data of labels. A newcomer adds an address to `app`; decisions are made in `vssl.runtime`.
"""
