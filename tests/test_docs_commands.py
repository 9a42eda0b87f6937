"""The commands that the pages show exist: each is parsed as a user would type it, and those of the first pages run."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vssl import api
from vssl.cli import commands as command_table
from vssl.cli import main
from vssl.cli.members import FOLDERS
from vssl.cli.options import groups_of, of_config
from vssl.config import member, members
from vssl.modalities.events.demo import jobs

HOME = Path(__file__).parents[1]
PAGES = [
    HOME / "README.md",
    HOME / "CONTRIBUTING.md",
    *sorted((HOME / "docs").rglob("*.md")),
    HOME / "examples/README.md",
]
README, TUTORIAL = HOME / "README.md", HOME / "docs" / "tutorial" / "first-result.md"
OBJECTIVE_OF_A_GUIDE = "--objective align"
"""The objective that docs/how-to/add-an-objective.md writes; tests/contracts/test_new_objective.py trains with it."""

COMMAND = re.compile(r"(?:[A-Z_]+=\S+ +)*(?:torchrun .*-m vssl|\S*python -m (?=vssl\.)|\S*vssl(?= ))")
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9_.-]*")
SHELL = {"&&", "||", "|", ";", ">", ">>", "&"}


class Shown(NamedTuple):
    """A command as a page shows it: `arguments` begin with the verb, or with the module after `python -m`."""

    page: Path
    line: int
    text: str
    arguments: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(HOME)}:{self.line}"


class Parsed(Exception):
    """The arguments were accepted: raised in place of the work."""


def block_lines(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of indented and of fenced blocks, but for those in a language; a line that continues is one line."""
    fence: str | None = None
    begun, start = "", 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
        elif begun or fence in ("", "sh", "bash", "console") or (fence is None and line.startswith("    ")):
            begun, start = begun + " " + line.strip(), start or number
            if begun.endswith("\\"):
                begun = begun[:-1]
                continue
            yield start, begun.strip()
            begun, start = "", 0


def shown(page: Path) -> list[Shown]:
    """The commands of vssl in the blocks of a page, in their order."""
    commands = []
    for number, text in block_lines(page):
        if (match := COMMAND.match(text.removeprefix("$ "))) is None:
            continue
        words = shlex.split(text.removeprefix("$ ")[match.end() :], comments=True)
        end = next((place for place, word in enumerate(words) if word in SHELL), len(words))
        commands.append(Shown(page, number, text, tuple(word for word in words[:end] if word != "...")))
    return commands


COMMANDS = [
    command for page in PAGES if page.exists() for command in shown(page) if OBJECTIVE_OF_A_GUIDE not in command.text
]


def stop(*_: Any, **__: Any) -> NoReturn:
    raise Parsed


def without_work(verb: Callable[..., Any]) -> Callable[..., NoReturn]:
    """A function with the signature of the verb, which only says that it was called."""
    return functools.wraps(verb)(lambda *_, **__: stop())


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verb, the runtime and the service end where their work would begin."""
    for name in command_table.commands():
        module = command_table if name == "demo" else api
        monkeypatch.setattr(module, name, without_work(vars(module)[name]))
    monkeypatch.setattr("vssl.runtime.__main__.load", stop)
    monkeypatch.setattr("vssl.serving.__main__.serve", stop)


def entry(arguments: Sequence[str]) -> tuple[Callable[[list[str]], object], list[str]]:
    """The function that the command line calls, and what it is given."""
    first, *rest = arguments
    if first == "vssl.runtime":
        from vssl.runtime.__main__ import main as decide

        return decide, rest
    if first == "vssl.serving":
        from vssl.serving.__main__ import main as serve

        return serve, rest
    return main, list(arguments)


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) > 50
    assert {command.page for command in COMMANDS} >= {README, TUTORIAL}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.where)
def test_a_command_of_the_pages_has_options_that_exist_with_values_that_fit(
    command: Shown, no_work: None, capsys: pytest.CaptureFixture[str]
) -> None:
    function, arguments = entry(command.arguments)
    try:
        function(arguments)
    except Parsed:
        return
    except SystemExit as end:
        if end.code == 0:  # --help and --version
            return
    pytest.fail(f"{command.where} shows: {command.text}\n{capsys.readouterr().err}", pytrace=False)


@functools.cache
def flags_of_commands() -> dict[str, set[str]]:
    """The options of each command, with those of all members that it may be given."""
    flags = {}
    for name, command in command_table.commands().items():
        options = [*command.options, *(option for group in groups_of(command.function).values() for option in group)]
        own = {option.flag for option in options} | {"--help"}
        own |= {f"--no-{option.flag[2:]}" for option in options if option.type is bool}
        for role in {option.name for option in options} & set(FOLDERS):
            for kind in members(FOLDERS[role]):
                prefix = f"{kind}." if role == "objective" else ""
                own |= {f"--{prefix}{option.flag[2:]}" for option in of_config(member(FOLDERS[role], kind))}
        flags[name] = own
    return flags


WRITTEN_BY_HAND = [page for page in PAGES if page.name not in ("command-line.md", "python.md")]


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=lambda page: page.name)
def test_an_option_that_a_sentence_names_exists(page: Path) -> None:
    by_command = flags_of_commands()
    anywhere = set().union(*by_command.values(), {"--version", "--check", "--threads"})
    by_command |= dict.fromkeys(("VERB", "..."), anywhere)
    wrong = []
    for code in INLINE.findall(page.read_text(encoding="utf-8")):
        words = code.split()
        if words[0] == "vssl" and len(words) > 1:
            own = {"--version", "--help"} if words[1].startswith("-") else by_command.get(words[1])
        else:
            own = anywhere if words[0].startswith("-") else set(FLAG.findall(code))
        wrong += [code] if own is None or not own.issuperset(FLAG.findall(code)) else []
    assert wrong == []


def test_a_target_of_make_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (HOME / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        codes = [*INLINE.findall(page.read_text(encoding="utf-8")), *(text for _, text in block_lines(page))]
        named = {found[1] for code in codes if (found := re.match(r"make ([a-z]+)", code))}
        assert named <= targets, page


# The commands of the first pages, on small made-up data


@pytest.fixture
def folder_of_a_user(tmp_path: Path, draw_pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands name: photos, a month of a series, a log."""
    for seed, (name, count) in enumerate({"photos": 64, "more-photos": 48, "new-photos": 8}.items()):
        draw_pictures(tmp_path / name, count, seed=seed)
    rng = np.random.default_rng(0)
    times = np.datetime64("2026-01-01T00:00:00", "s") + 10 * np.arange(6000) * np.timedelta64(1, "s")
    level = np.sin(np.arange(6000) / 40)
    channels = {name: level + rng.normal(0, 0.1, 6000) for name in ("pressure", "temperature")}
    pq.write_table(pa.table({"time": times, **channels}), tmp_path / "january.parquet")
    lines = sorted(line for job in jobs(0, 80) for line in job.lines)
    (tmp_path / "app.log").write_text("".join(f"{time:%Y-%m-%d %H:%M:%S} {text}\n" for time, text in lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quick(arguments: Sequence[str]) -> list[str]:
    """The command with a budget of three steps, a guarantee for few samples, and leave to replace an earlier run."""
    words = list(arguments)
    if "--minutes" in words:
        del words[words.index("--minutes") : words.index("--minutes") + 2]
    if words[0] == "train":
        words += ["--steps", "3", "--batch", "16", "--device", "cpu", "--overwrite"]
        words += [] if "--modality" in words else ["--encoder", "convnet/tiny"]
    if words[0] == "calibrate":
        words += ["--false-alarm", "0.2"]
    return words


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, TUTORIAL], ids=lambda page: page.name)
def test_the_commands_of_the_first_pages_run_one_after_the_other(
    page: Path, folder_of_a_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served = []
    monkeypatch.setattr("vssl.serving.start.serve", lambda folder, *_: served.append(folder))
    for command in shown(page):
        try:
            main(quick(command.arguments))
        except SystemExit as end:
            pytest.fail(f"{command.where}: {command.text}: {end.code}\n{capsys.readouterr().err}", pytrace=False)
    assert Path("run/run.json").is_file()
    assert served == ([Path("run/export")] if page == README else [])


@pytest.mark.slow
def test_the_python_of_the_first_page_runs(folder_of_a_user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert "minutes=10" in code
    exec(compile(code.replace("minutes=10", "steps=3, batch=16, device='cpu'"), str(README), "exec"), {})
    assert capsys.readouterr().out.startswith("(64, ")
