# SPDX-License-Identifier: Apache-2.0
"""The stub says of the compiled module what is so: every public name, every member, every parameter, both ways."""

import ast
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import northwind
from northwind import _northwind

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = pathlib.Path(northwind.__file__).parent
STUB = PACKAGE / "_northwind.pyi"
TREE = ast.parse(STUB.read_text())

# What a class of pybind11 has by being one.
OF_EVERY_CLASS = set(dir(type("Empty", (), {}))) | {"__init__", "_pybind11_conduit_v1_", "__annotations__", "__slotnames__"}


def public(name):
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def stub_classes():
    return {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}


def stub_members(node):
    """Name to definitions of what a class of the stub has, also by its bases in the stub."""
    members = {}
    for base in node.bases:
        name = base.id if isinstance(base, ast.Name) else None
        if name in stub_classes():
            members.update(stub_members(stub_classes()[name]))
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            members.setdefault(item.name, [])
            if not any(isinstance(d, ast.Name) and d.id == "overload" for d in item.decorator_list):
                members[item.name] = []
            members[item.name].append(item)
        elif isinstance(item, ast.AnnAssign):
            members[item.target.id] = [item]
    return members


def is_property(definition):
    return isinstance(definition, ast.FunctionDef) and any(
        isinstance(d, ast.Name) and d.id == "property" for d in definition.decorator_list
    )


def parameters(definition):
    arguments = definition.args
    names = [a.arg for a in arguments.posonlyargs + arguments.args if a.arg not in ("self", "cls")]
    return names, [a.arg for a in arguments.kwonlyargs]


def compiled_signatures(function):
    """Names of parameters, positional and by keyword only, of each overload, from the text that pybind11 makes."""
    found = []
    for line in (function.__doc__ or "").splitlines():
        match = re.match(r"^(?:\d+\. )?(\w+)\((.*)\) -> ", line)
        if not match or match.group(1) != function.__name__:
            continue
        text, depth, parts, part = match.group(2), 0, [], ""
        for c in text + ",":
            depth += (c in "[({<") - (c in "])}>")
            if c == "," and depth == 0:
                parts.append(part.strip())
                part = ""
            else:
                part += c
        names, keywords, only = [], [], False
        for part in filter(None, parts):
            if part == "*":
                only = True
                continue
            name = re.match(r"\*{0,2}(\w+)", part).group(1)
            if name not in ("self", "arg0") or not re.match(r"(self|arg0): ", part):
                (keywords if only else names).append(name)
        found.append((names, keywords))
    return found


def names_of_module():
    return {name for name in vars(_northwind) if public(name)} - {
        "__doc__", "__file__", "__loader__", "__name__", "__package__", "__spec__",
    }


def names_of_stub():
    names = {node.name for node in TREE.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    names |= {node.target.id for node in TREE.body if isinstance(node, ast.AnnAssign)}
    return {name for name in names if public(name)}


def test_module_and_stub_have_the_same_names():
    assert names_of_module() == names_of_stub()


@pytest.mark.parametrize("name", sorted(n for n in names_of_module() if inspect.isclass(getattr(_northwind, n))))
def test_class_and_stub_have_the_same_members(name):
    compiled = getattr(_northwind, name)
    stub = stub_members(stub_classes()[name])
    members = {m for m in vars(compiled) if public(m)} - OF_EVERY_CLASS
    wanted = {m for m in stub if public(m)} - OF_EVERY_CLASS
    # An __eq__ and a __hash__ of its own are no news to a stub.
    members -= {"__repr__", "__eq__", "__hash__"}
    wanted -= {"__repr__", "__eq__", "__hash__"}
    assert members == wanted
    for member in members - {"__match_args__"}:
        assert is_property(stub[member][0]) == isinstance(vars(compiled)[member], property), member
    for field in getattr(compiled, "__match_args__", ()):
        assert is_property(stub[field][0]), field


@pytest.mark.parametrize("name", sorted(n for n in names_of_module() if inspect.isclass(getattr(_northwind, n))))
def test_methods_and_stub_have_the_same_parameters(name):
    compiled = getattr(_northwind, name)
    for member, definitions in stub_members(stub_classes()[name]).items():
        function = vars(compiled).get(member)
        function = getattr(function, "__func__", function)
        if isinstance(function, property) or not isinstance(definitions[0], ast.FunctionDef):
            continue
        if member.startswith("__") and member != "__init__":
            continue
        if member == "__init__" and "No constructor defined" in (getattr(function, "__doc__", "") or ""):
            pytest.fail(f"the stub lets people make a {name}")
        signatures = compiled_signatures(getattr(compiled, member))
        assert signatures, member
        assert [parameters(d) for d in definitions] == signatures, member


def test_what_the_stub_does_not_let_people_make_cannot_be_made():
    for name, node in stub_classes().items():
        if public(name) and "__init__" not in stub_members(node):
            with pytest.raises(TypeError):
                getattr(_northwind, name)()


def test_functions_and_stub_have_the_same_parameters():
    for node in TREE.body:
        if isinstance(node, ast.FunctionDef):
            assert [parameters(node)] == compiled_signatures(getattr(_northwind, node.name)), node.name


def test_everything_public_is_exported():
    everything = {"JournalArrays"} | set(northwind.errors.__all__) | set(northwind.enums.__all__) | names_of_module()
    assert set(northwind.__all__) == {n for n in everything if not n.startswith("__")} | {"__version__"}
    for name in northwind.__all__:
        getattr(northwind, name)


def test_everything_is_documented():
    for name in northwind.__all__:
        if name != "__version__" and name != "MAX_AMOUNT":
            assert (getattr(northwind, name).__doc__ or "").strip(), name


def mypy(*arguments):
    environment = {"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    if "site-packages" not in PACKAGE.parts:  # there, mypy finds it by itself
        environment["MYPYPATH"] = str(PACKAGE.parent)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--cache-dir", "/dev/null", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=environment)


def test_types_are_sound():
    """mypy, strict, over the package and what stands beside this test."""
    for what in (["-p", "northwind"], [HERE / "typed_usage.py"]):
        run = mypy(*what)
        assert run.returncode == 0, run.stdout + run.stderr


def programs(directory):
    """The examples that import northwind, and the program that docs/python.md is. People who read that write no annotations."""
    page = directory / "page.py"
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "python.md").read_text(), re.M | re.S)
    page.write_text("# mypy: allow-untyped-defs, allow-untyped-calls, check-untyped-defs\n" + "".join(blocks))
    imports = re.compile(r"^(import|from) northwind\b", re.M)
    return [page] + [path for path in sorted((ROOT / "examples").rglob("*.py")) if imports.search(path.read_text())]


def test_types_are_those_of_examples_and_tutorial(tmp_path):
    pytest.importorskip("numpy")
    pytest.importorskip("matplotlib")
    found = programs(tmp_path)
    assert ROOT / "examples" / "python" / "replay_day.py" in found
    run = mypy(*found)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_wrong_type_in_an_example_is_found(tmp_path):
    pytest.importorskip("numpy")
    page, *_ = programs(tmp_path)
    wrong = page.read_text().replace("[(card, shop, 100_00)]", "[(card, shop, 100.00)]", 1)
    assert wrong != page.read_text()
    page.write_text(wrong)
    run = mypy(page)
    assert run.returncode == 1 and "float" in run.stdout, run.stdout + run.stderr
