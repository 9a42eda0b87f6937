"""The rules that keep vssl easy to change and safe to use: who imports whom, sizes, and what no file may touch."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "vssl"
FILES = sorted(SOURCE.rglob("*.py"))
PACKAGES = [path for path in FILES if path.name == "__init__.py"]
RUNS_CODE_WHEN_READ = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle"}
TALKS_TO_OTHERS = {"requests", "httpx", "urllib3", "aiohttp", "socket", "http", "ftplib", "smtplib"}
CLI_LIBRARIES = {"tyro", "argparse"}


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def imported(path: Path) -> set[str]:
    """The top-level names of all modules that a file imports, also inside functions."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return {module.partition(".")[0] for module in modules}


def calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}


def test_a_folder_says_in_three_lines_what_lives_there_and_what_a_newcomer_adds() -> None:
    for path in PACKAGES:
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert 2 <= len(text.splitlines()) <= 4, path
        assert "newcomer adds" in text or path.parent == SOURCE, path


def test_a_file_says_first_what_it_is_for_in_at_most_400_lines() -> None:
    assert [name(path) for path in FILES if len(path.read_text().splitlines()) > 400] == []
    assert [name(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_nine_functions_in_ten_fit_in_35_lines() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    )
    assert lengths[len(lengths) * 9 // 10] <= 35


def test_no_file_is_read_in_a_way_that_runs_code() -> None:
    assert {name(path): found for path in FILES if (found := imported(path) & RUNS_CODE_WHEN_READ)} == {}
    read = {name(path): found for path in FILES if (found := calls(path) & {"torch.load", "eval"})}
    # Downloaded weights are converted once, by the loader that accepts nothing but tensors and plain containers.
    assert read == {"encoders/weights_import.py": {"torch.load"}}
    assert loads_other_than_weights(SOURCE / "encoders" / "weights_import.py") == []
    assert [name(path) for path in FILES if "allow_pickle=True" in path.read_text()] == []


def loads_other_than_weights(path: Path) -> list[str]:
    """The calls of `torch.load` without `weights_only=True`."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    loads = [ast.unparse(node) for node in nodes if ast.unparse(node.func) == "torch.load"]
    return [load for load in loads if "weights_only=True" not in load]


def test_nothing_is_sent_anywhere() -> None:
    assert {name(path): found for path in FILES if (found := imported(path) & TALKS_TO_OTHERS)} == {}


def test_only_one_folder_knows_the_cli_library() -> None:
    # The runtime and the service start on computers without torch, and so without the command line of vssl.
    with_library = {name(path).split("/")[0] for path in FILES if imported(path) & CLI_LIBRARIES}
    assert with_library == {"cli", "runtime", "serving"}


def test_all_random_numbers_come_from_a_generator_that_somebody_passed_or_seeded() -> None:
    assert [name(path) for path in FILES if "random" in imported(path)] == []
    drawn = {call for path in FILES for call in calls(path) if re.fullmatch(r"(np|numpy)\.random\.\w+", call)}
    assert drawn == {"np.random.default_rng", "np.random.SeedSequence"}


def test_no_file_but_a_modality_imports_a_modality_by_its_name() -> None:
    kinds = {path.parent.name for path in SOURCE.glob("modalities/*/wire.py")}
    assert kinds >= {"images", "sensors", "events"}
    pattern = re.compile(rf"vssl\.modalities\.({'|'.join(kinds)})\b|vssl\.modalities import .*\b({'|'.join(kinds)})\b")
    found = {name(path): match[0] for path in FILES if (match := pattern.search(path.read_text()))}
    assert {path: kind for path, kind in found.items() if not path.startswith("modalities/")} == {}


def test_nothing_is_found_out_by_hasattr_or_by_comparing_methods() -> None:
    assert [name(path) for path in FILES if "hasattr" in calls(path)] == []
    assert {name(path): found for path in FILES if (found := compared_methods(path))} == {}


def compared_methods(path: Path) -> list[str]:
    """Comparisons of the same attribute of two things by identity, such as `type(one).method is Base.method`."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Is | ast.IsNot)
        and isinstance(node.left, ast.Attribute)
        and isinstance(node.comparators[0], ast.Attribute)
        and node.left.attr == node.comparators[0].attr
    ]


def test_every_module_has_its_layer() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = {layer.strip() for line in contract["layers"] for layer in line.split(":")}
    rooms = {f"vssl.{path.stem}" for path in SOURCE.glob("*.py")} | {
        f"vssl.{path.parent.name}" for path in SOURCE.glob("*/__init__.py")
    }
    assert rooms - layers <= {"vssl.__init__", "vssl.__main__", "vssl.api"}


def test_imports_point_down_only() -> None:
    checked = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_every_module_that_is_imported_exists_also_inside_functions() -> None:
    """A module that few commands import may be renamed unseen; files that stand for plug-ins are left out."""
    files = [*FILES, *ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("tests/**/test_*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and re.match(r"(vssl|benchmarks)\b", node.module):
                at = ROOT / ("src" if node.module.startswith("vssl") else "") / node.module.replace(".", "/")
                assert at.is_dir() or at.with_suffix(".py").is_file(), f"{path} line {node.lineno}: {node.module}"
