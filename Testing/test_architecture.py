"""The shape of the code: which layer may import which, what importing costs, and what pip installs."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP, SHARED = "Sim2RealApp", "Sim2RealLib"
SIMULATORS = ("DRRSimLib", "DepthSimLib", "TranslateLib")
MAY_IMPORT = {APP: {APP, SHARED, *SIMULATORS}, SHARED: {SHARED}} | {name: {name, SHARED} for name in SIMULATORS}
"""DESIGN section 1: the command line knows all simulators, a simulator the shared library, that only itself."""

SIDES = {"mrml": 1, "logic": 2, "panels": 3, "widgets": 3, "parameters": 3}
"""Parts of a package that are of Slicer's world, from nodes up to Qt; everything else is below them."""

SLICERS = ({"slicer", "vtk", "qt", "ctk"}, {"qt", "ctk"}, {"qt", "ctk"}, set())
"""What each of these sides may not import."""

NODES_AS_FILES = "Sim2RealLib.mrml.scene_file"
"""The one module of Slicer's side that the library reaches, and only when a recipe names a scene file."""

BENCHMARKS = "Sim2RealApp.bench."
"""They may import what they measure, where it is installed, but not at once."""

HEAVY = ("torch", "drjit", "mitsuba", "monai", "matplotlib", "vtk", "distributed")
MAX_LINES = 400


def package_folders() -> dict[str, Path]:
    """Top-level packages of the repository and where they are."""
    return {path.name: path for name in MAY_IMPORT for path in ROOT.glob(f"*/{name}") if path.is_dir()}


def module_files() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    files = {}
    for name, folder in package_folders().items():
        for path in folder.rglob("*.py"):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


FILES = module_files()


def imports(module: str, everywhere: bool) -> Iterator[str]:
    """The dotted names that a module imports; without `everywhere` only those at import time, not inside functions."""
    tree = ast.parse(FILES[module].read_text("utf-8"))
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree) if everywhere else import_time_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join([*parents[: len(parents) - node.level + 1], node.module or ""]).strip(".")
            target = base if node.level else node.module
            for alias in node.names:
                yield f"{target}.{alias.name}" if f"{target}.{alias.name}" in FILES else target


def import_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from import_time_nodes(child)


def test_there_is_something_to_look_at():
    assert {APP, SHARED, "DRRSimLib"} <= package_folders().keys()
    assert "Sim2RealLib.dataset.codec" in set(imports("Sim2RealLib.dataset.writer", everywhere=True))


@pytest.mark.parametrize("module", FILES)
def test_an_import_points_down(module):
    layer = module.partition(".")[0]
    reached = {name.partition(".")[0] for name in imports(module, everywhere=True)}
    assert reached & MAY_IMPORT.keys() <= MAY_IMPORT[layer]


def side_of(module: str) -> int:
    """How far a module is on Slicer's side: 0 not at all, 3 with Qt."""
    return SIDES.get([*module.split("."), ""][1], 0)


@pytest.mark.parametrize("module", FILES)
def test_the_library_runs_without_slicer_and_nodes_without_qt(module):
    side, at_once = side_of(module), set(imports(module, everywhere=False))
    reached = at_once if module.startswith(BENCHMARKS) else set(imports(module, everywhere=True))
    assert not {name.partition(".")[0] for name in reached} & SLICERS[side]
    above = {name for name in reached if name.partition(".")[0] in MAY_IMPORT and side_of(name) > side}
    assert above <= {NODES_AS_FILES}
    assert side or NODES_AS_FILES not in at_once


def test_no_modules_import_each_other_in_a_circle():
    below = {module: {name for name in imports(module, everywhere=False) if name in FILES} for module in FILES}
    while leaves := {module for module, names in below.items() if not names & below.keys()}:
        below = {module: names for module, names in below.items() if module not in leaves}
    assert below == {}, f"in a circle, or above one: {sorted(below)}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/*Lib/**/*.py")) + sorted(ROOT.glob("*/*App/**/*.py")), ids=str)
def test_a_file_is_one_idea(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a process that has run `statement`."""
    code = (
        f"{statement}\nimport sys, json; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "parts",
    [
        "Sim2RealLib, Sim2RealLib.geometry, Sim2RealLib.cameras, Sim2RealLib.volume",
        "Sim2RealLib.recipe, Sim2RealLib.dataset.writer, Sim2RealLib.dataset.reader, Sim2RealLib.dataset.checks",
        "Sim2RealLib.simulation, Sim2RealLib.job, Sim2RealLib.models, Sim2RealLib.label_table, Sim2RealLib.engine",
    ],
)
def test_geometry_datasets_and_recipes_load_nothing_heavy(parts):
    assert not loaded_by(f"import {parts}") & set(HEAVY)


def test_the_command_line_starts_without_what_only_its_commands_need():
    assert not loaded_by("import Sim2RealApp.cli") & {*HEAVY, "SimpleITK", "numpy", "scipy", "pydantic", "yaml"}


def test_every_package_is_in_the_project_file():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packages = {module for module, path in FILES.items() if path.name == "__init__.py"}
    assert set(setuptools["packages"]) == packages | {f"{SHARED}.Resources"}
    for name, folder in package_folders().items():
        assert setuptools["package-dir"][name] == folder.relative_to(ROOT).as_posix()


def test_every_data_file_beside_the_code_is_in_the_project_file():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for name, folder in package_folders().items():
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                package = ".".join([name, *path.relative_to(folder).parent.parts])
                patterns = setuptools["package-data"].get(package, [])
                assert any(path.match(pattern) for pattern in patterns), f"{path} would not be installed"


FIND_EVERYTHING = """
import json
from Sim2RealApp.cli import app
from Sim2RealApp.demo import demo_recipes
from Sim2RealLib.label_table import label_groups
from Sim2RealLib.models import list_models
from Sim2RealLib.resources import resource_path
import Sim2RealLib
files = ["Recipes/pelvis_drr.yaml", "Labels/totalsegmentator_v2.csv", "Models.json", "Physics/attenuation.csv",
         "Physics/attenuation_apparatus.csv", "Physics/air_energy_transfer.csv", "Physics/materials.json",
         "Physics/spectra.npz"]
demo_recipes(), list_models(), label_groups("totalsegmentator_v2")
print(json.dumps({"at": Sim2RealLib.__file__, "files": [str(resource_path(name)) for name in files]}))
"""


@pytest.mark.slow
def test_an_installed_wheel_holds_all_that_the_code_reads(tmp_path):
    """Also that the wheel can be built from a copy of the tracked files alone."""
    source, target = tmp_path / "source", tmp_path / "site"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(pip, check=True, timeout=300)
    installed = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    for name, folder in package_folders().items():
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert {f"{name}/{path.relative_to(folder).as_posix()}" for path in files} <= installed
    environment = os.environ | {"PYTHONPATH": str(target)}
    found = subprocess.run(
        [sys.executable, "-c", FIND_EVERYTHING],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(found.stdout)
    assert all(Path(path).is_relative_to(target) for path in [answer["at"], *answer["files"]])
