"""The command line: the verbs of `vssl.api` with the same names and settings. Only this folder knows the CLI library.

A newcomer adds a verb in `verbs`, or beside it in a file of its own, with an example in its docstring.
"""

from vssl.cli.verbs import main

__all__ = ["main"]
