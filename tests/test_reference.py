"""Each setting is written once: signatures, help and reference pages agree, and each setting has its sentence."""

import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import vssl
from vssl import api
from vssl.api.arguments import sentences
from vssl.cli.commands import Command, commands
from vssl.cli.members import FOLDERS
from vssl.cli.options import INTERNAL, Option, groups_of, of_config
from vssl.config import member, members
from vssl.decisions.config import CalibrationConfig
from vssl.training.settings import Settings

PAGES = Path(__file__).parents[1] / "docs" / "reference"


def all_options(command: Command) -> list[Option]:
    return [*command.options, *(option for group in groups_of(command.function).values() for option in group)]


@pytest.mark.parametrize("name", ["command-line.md", "python.md"])
def test_the_reference_pages_are_those_that_the_functions_give(name: str) -> None:
    made = runpy.run_path(str(PAGES / "make.py"))["page"](name)
    assert made == (PAGES / name).read_text(), "Write them again: python docs/reference/make.py"


@pytest.mark.parametrize("command", commands().values(), ids=commands())
def test_each_option_of_a_command_has_a_sentence_and_a_name_of_its_own(command: Command) -> None:
    options = all_options(command)
    assert [option.name for option in options if not option.help.endswith(".")] == []
    assert len({option.name for option in options}) == len(options)


@pytest.mark.parametrize("role", FOLDERS)
def test_each_option_of_a_member_has_a_sentence(role: str) -> None:
    options = [(name, *option) for name in members(FOLDERS[role]) for option in of_config(member(FOLDERS[role], name))]
    assert [option for option in options if not option[-1].endswith(".")] == []


@pytest.mark.parametrize("name", api.__all__)
def test_the_help_of_a_function_explains_each_parameter_and_refers_to_no_other(name: str) -> None:
    function = vars(api)[name]
    documented = sentences(function)
    assert list(documented) == list(inspect.signature(function).parameters)
    assert "As in `" not in (function.__doc__ or "")


@pytest.mark.parametrize("command", commands().values(), ids=commands())
def test_a_command_has_every_parameter_of_its_function(command: Command) -> None:
    parameters = set(inspect.signature(command.function).parameters) - set(INTERNAL)
    assert parameters <= {option.name for option in command.options} | set(groups_of(command.function))


@pytest.mark.parametrize(("function", "config"), [(vssl.train, Settings), (vssl.calibrate, CalibrationConfig)])
def test_the_defaults_of_a_function_are_those_of_the_configuration_that_it_makes(function, config) -> None:
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    shared = [field for field in vars(config)["__dataclass_fields__"].values() if field.name in defaults]
    values = {field.name: field.default for field in shared if isinstance(field.default, (int, float, str))}
    assert values
    assert values.items() <= defaults.items()


@pytest.mark.slow
def test_type_checkers_know_the_signature_of_each_verb(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text("import vssl\n" + "".join(f"reveal_type(vssl.{name})\n" for name in api.__all__))
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", tmp_path / "use.py"],
        cwd=PAGES.parents[1],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count('Revealed type is "def (') == len(api.__all__)
