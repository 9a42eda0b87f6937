"""The kinds of data: how each is read, which views it has, which encoder suits it, how it is sent, shown and exported.

A newcomer adds a folder: `__init__` with `Config`, `Spec`, `measure`, `describe`, `build`; `modality`; `wire`; `demo`.
"""
