"""What is learned: views in, a loss out. One file a method; its name is its registry entry.

A newcomer adds a module with a frozen `Config` and `build(config, encoder) -> Objective`; the contract tests find it.
"""
