"""Write the tables into the pages, or with `--check` say which pages differ from the records.

python -m benchmarks.tables
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import tyro

from benchmarks.tables import TABLES, render
from vssl.errors import ConfigError
from vssl.files import atomic

ROOT = Path(__file__).parents[2]
PAGES = ("benchmarks/results/README.md", "docs/explanation/which-objective.md")
MARKED = re.compile(r"(?P<begin><!-- table: (?P<name>\S+) -->\n).*?(?P<end><!-- end of table -->)", re.DOTALL)


def main(check: bool = False) -> None:
    """Tables of the documentation, made from benchmarks/results/*.json.

    Args:
        check: Whether to compare only, and end with status 1 if a page differs.
    """
    differing = [page for page in PAGES if written(page) != (ROOT / page).read_text(encoding="utf-8")]
    if check and differing:
        sys.exit(f"{', '.join(differing)}: not what the records say. Run python -m benchmarks.tables.")
    for page in differing:
        with atomic(ROOT / page) as file:
            file.write(written(page).encode())
        print(page)


def written(page: str) -> str:
    """A page with its tables written again.

    Raises:
        ConfigError: The page names a table that does not exist.
    """

    def fill(match: re.Match[str]) -> str:
        if match["name"] not in TABLES:
            raise ConfigError(f"{page}: there is no table {match['name']!r}; there are {', '.join(sorted(TABLES))}.")
        return f"{match['begin']}{render(match['name'])}\n{match['end']}"

    return MARKED.sub(fill, (ROOT / page).read_text(encoding="utf-8"))


if __name__ == "__main__":
    tyro.cli(main)
