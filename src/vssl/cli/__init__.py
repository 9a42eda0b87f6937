"""The command line: its commands are the functions of `vssl.api`. Only this folder knows the CLI library.

A newcomer adds a verb in `vssl.api`; if its result should be printed in its own way, a function in `results` too.
"""

from vssl.cli.command_line import main

__all__ = ["main"]
