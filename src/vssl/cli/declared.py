"""A member's configuration as its source declares it: help on its options needs no import of it, and so no torch.

A `Config` is a dataclass. Its docstring, fields and defaults are read from the file, and those of its bases and the
names in its types from the files that it imports them from.
"""

import ast
import builtins
import dataclasses
import importlib
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import vssl
from vssl.config import check, from_dict, member, sources


def declared(kind: str, choice: str) -> Any:
    """The configuration that `vssl.config.member` gives for a choice such as "convnet/small", without its methods.

    Only the member itself knows its `NamedVariants`: for these it is imported.

    Raises:
        ConfigError: There is no such member or variant.
    """
    name, _, variant = choice.partition("/")
    check(kind, name)
    config = _defined(sources(kind)[name], "Config", f"vssl.{kind}.{name}")
    if not variant:
        return config()
    with_variant = "variant" in typing.get_type_hints(config)
    return from_dict(config, {"variant": variant}, name) if with_variant else member(kind, choice)


def _defined(file: Path, name: str, module: str = "") -> Any:
    """The dataclass or the type that a file defines, or imports, by this name."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef() if node.name == name:
                return _dataclass(node, file, module)
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                return _type(value, file)
            case ast.ImportFrom(module=str(source)) if name in [alias.name for alias in node.names]:
                inside = source.startswith("vssl.")
                return _defined(_file(source), name) if inside else getattr(importlib.import_module(source), name)
    raise LookupError(f"{file} defines no {name}.")


def _file(module: str) -> Path:
    # `find_spec` would import the package that the module is in.
    path = Path(vssl.__file__).parents[1] / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _dataclass(node: ast.ClassDef, file: Path, module: str) -> type:
    fields = [
        (one.target.id, _type(one.annotation, file), ast.literal_eval(one.value))
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None
    ]
    bases: list[type] = [_type(base, file) for base in node.bases]
    text = {"__doc__": ast.get_docstring(node), "__module__": module}
    return dataclasses.make_dataclass(
        node.name, fields, bases=tuple(filter(dataclasses.is_dataclass, bases)), namespace=text, frozen=True
    )


def _type(node: ast.expr, file: Path) -> Any:
    names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} - set(vars(builtins))
    hint = SimpleNamespace(__annotations__={"type": ast.unparse(node)})
    return typing.get_type_hints(hint, {name: _defined(file, name) for name in names})["type"]
