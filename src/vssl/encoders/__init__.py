"""Networks: a view in, features out.

One file a family. A newcomer adds a module with a frozen `Config` and `build(config, shape) -> Encoder`.
"""
