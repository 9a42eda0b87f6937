"""What a kind of data is: how it is read, which views it has, which encoder suits it.

A newcomer adds a module with a frozen `Config`, `measure` and `build`; see `base`.
"""
