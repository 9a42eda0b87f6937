"""`vssl` and its exit statuses: finds the command that the first argument names, and reports errors of the user."""

import os
import sys
from collections.abc import Sequence

from vssl.cli.commands import commands
from vssl.cli.terminal import terminal
from vssl.errors import VsslError

DESCRIPTION = """Representations with usable uncertainty from unlabelled data. Nothing leaves this computer.

A first result:
    vssl demo

A folder of good parts, and one of new parts:
    vssl inspect GOOD NEW --out INSPECTION

Your own images:
    vssl train IMAGES --out RUN --minutes 10
    vssl embed RUN IMAGES
    vssl evaluate RUN
    vssl report RUN

Decisions with a guarantee, from known normal samples:
    vssl calibrate RUN --normal GOOD --false-alarm 0.01
    vssl decide RUN NEW

On a computer without torch, and over HTTP:
    vssl export RUN
    vssl serve RUN

The version:
    vssl --version

The options of a command:
    vssl train --help"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user end with status 2 and one message on standard error."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments == ["--version"]:
            from importlib.metadata import version

            print(f"vssl {version('vssl')}")
        elif arguments and arguments[0] in commands():
            commands()[arguments[0]].run(arguments[1:])
        else:
            _overview(arguments)
    except VsslError as error:
        from rich.text import Text

        terminal().print(Text(f"{type(error).__name__}: ", style="bold red"), Text(str(error)), sep="", soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.exit(130)


def _overview(arguments: Sequence[str]) -> None:
    """Show the list of the commands for --help, or else a usage error."""
    import tyro

    summaries = {}
    for name, command in commands().items():
        summaries[name] = lambda: None
        summaries[name].__doc__ = command.summary
    tyro.extras.subcommand_cli_from_dict(summaries, prog="vssl", description=DESCRIPTION, args=arguments)
