"""The extension as Slicer packages it: what its CMake lists install, what the extension index asks of it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("Sim2Real", "DRRSim", "DepthSim", "Translate")
MAX_REPOSITORY_BYTES = 100 * 10**6
"""Of the extension index: a checkout of an extension takes at most 100 MB."""
LIGHT = {"slicer", "Sim2RealLib"}
"""What a module file may import when Slicer starts, beside Python's own library."""


def metadata() -> dict[str, str]:
    """The EXTENSION_ variables as the extension index reads them."""
    text = (ROOT / "CMakeLists.txt").read_text("utf-8")
    return dict(re.findall(r'^set\(EXTENSION_([A-Z]+) "([^"]*)"\)$', text, re.MULTILINE))


def tracked(folder: str = ".") -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> tuple[Path, list[tuple[str, str]]]:
    """Configure and install against the mock of Slicer's build tree: the flat module folder and the listed files."""
    cmake = shutil.which("cmake", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert cmake, "cmake is not installed; the test extra has it"
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("install")
    mock = ROOT / "Testing" / "mock_slicer"
    options = [f"-DSlicer_DIR={mock}", "-DBUILD_TESTING=ON", f"-DCMAKE_INSTALL_PREFIX={prefix}"]
    for command in (
        [cmake, "-S", str(ROOT), "-B", str(build), *options],
        [cmake, "--install", str(build), "--component", "RuntimeLibraries"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    listed = [tuple(line.split(";")) for line in (build / "modules.txt").read_text().splitlines()]
    return prefix / "lib" / "Slicer-5.13" / "qt-scripted-modules", listed


@pytest.mark.parametrize("module", MODULES)
def test_every_file_of_a_module_is_listed_once(installed, module):
    _, entries = installed
    listed = [file for name, file in entries if name == module]
    own = {path.relative_to(ROOT / module).as_posix() for path in tracked(module)} - {"CMakeLists.txt"}
    assert sorted(listed) == sorted(own)


def test_modules_with_a_panel_have_their_self_test_run(installed):
    _, entries = installed
    assert {file for name, file in entries if name == "unittest"} == {"DRRSim.py", "DepthSim.py", "Translate.py"}


FIND_EVERYTHING = """
import json, pkgutil, importlib
import Sim2RealLib, DRRSimLib.simulator, DepthSimLib.simulator
from Sim2RealApp.demo import demo_recipes
from Sim2RealLib.label_table import label_groups
from Sim2RealLib.resources import resource_path
import Sim2RealLib.report.page
demo_recipes(), label_groups("totalsegmentator_v2")
print(json.dumps([Sim2RealLib.__file__, str(resource_path("requirements.txt")), str(resource_path("Models.json"))]))
"""


def test_the_installed_modules_find_what_they_need(installed, tmp_path):
    folder, _ = installed
    environment = os.environ | {"PYTHONPATH": str(folder)}
    found = subprocess.run(
        [sys.executable, "-c", FIND_EVERYTHING],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert all(Path(path).is_relative_to(folder) for path in json.loads(found.stdout))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_heavy_is_imported_when_slicer_starts(module):
    """Neither by name in the module's file nor through what it imports (slicer itself is there already)."""
    tree = ast.parse((ROOT / module / f"{module}.py").read_text("utf-8"))
    named = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            named |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named.add(node.module.partition(".")[0])
    assert named - set(sys.stdlib_module_names) <= LIGHT
    assert len((ROOT / module / f"{module}.py").read_text("utf-8").splitlines()) <= 300


LOAD = """
import sys
import slicer_stand_in
slicer_stand_in.install()
before = set(sys.modules)
from pathlib import Path
import slicer
from slicer_stand_in.scripted_module import load_scripted_module
for name in {modules!r}:
    load_scripted_module(Path({root!r}) / name / f"{{name}}.py")
slicer.app.startupCompleted()
print(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


def test_loading_the_modules_costs_slicer_nothing(tmp_path):
    """In a process of its own: what loading all four modules brings in, beyond what the application has."""
    folders = [ROOT / "Testing", *(ROOT / module for module in MODULES)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    code = LOAD.format(modules=MODULES, root=str(ROOT))
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    brought = set(ast.literal_eval(run.stdout.strip().splitlines()[-1])) - set(sys.stdlib_module_names)
    assert brought <= {*MODULES, "Sim2RealLib", "SampleData"}


def test_the_description_is_what_the_index_checks():
    found = metadata()
    assert found.keys() == {
        "HOMEPAGE",
        "CONTRIBUTORS",
        "DESCRIPTION",
        "ICONURL",
        "SCREENSHOTURLS",
        "DEPENDS",
        "RECOMMENDS",
        "KEYWORDS",
    }
    project = re.search(r"^project\((\w+)", (ROOT / "CMakeLists.txt").read_text("utf-8"), re.MULTILINE)[1]
    assert project == "SurgicalSim2Real"
    assert not project.lower().startswith("slicer")
    assert 100 < len(found["DESCRIPTION"]) < 600
    for url in (found["ICONURL"], *found["SCREENSHOTURLS"].split()):
        match = re.fullmatch(r"https://raw\.githubusercontent\.com/[\w-]+/SlicerSurgicalSim2Real/main/(\S+)", url)
        assert match, url
        with Image.open(ROOT / match[1]) as picture:
            picture.verify()
    with Image.open(ROOT / "Resources" / "SurgicalSim2Real.png") as icon:
        assert icon.size == (128, 128)


def test_the_entry_for_the_index_follows_its_schema():
    """Schema 1.0.2: three required fields, a closed list of others; the category is one of the index's."""
    text = (ROOT / "SurgicalSim2Real.json").read_bytes()
    assert b"\r" not in text
    entry = json.loads(text)
    assert entry.keys() >= {"$schema", "category", "scm_url"}
    optional = {"scm_revision", "build_dependencies", "dicom_support_rule", "tier", "enabled", "build_subdirectory"}
    assert entry.keys() <= {"$schema", "category", "scm_url"} | optional
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["category"] == "Simulation"
    assert entry["scm_url"] == metadata()["HOMEPAGE"].removesuffix("#readme") + ".git"
    assert entry["tier"] in (1, 3, 5)


@pytest.mark.parametrize("module", MODULES[1:])
def test_a_module_has_an_icon_and_a_category(module):
    with Image.open(ROOT / module / "Resources" / "Icons" / f"{module}.png") as icon:
        assert icon.size == (128, 128)
    assert 'translate("qSlicerAbstractCoreModule", "Simulation")' in (ROOT / module / f"{module}.py").read_text("utf-8")


def test_the_repository_is_small_and_free():
    assert sum(path.stat().st_size for path in tracked()) < MAX_REPOSITORY_BYTES
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert not [path for path in tracked() if path.suffix in {".cxx", ".h", ".exe", ".dll", ".so"}]


def test_slicer_is_asked_for_what_the_library_needs():
    """Each requirement is one of the project's own, and Slicer's own packages are not among them."""
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {Requirement(each).name.lower(): Requirement(each).specifier for each in project["dependencies"]}
    lines = (ROOT / "Resources" / "requirements.txt").read_text("utf-8").splitlines()
    asked = [Requirement(line.split("#")[0]) for line in lines if line and not line.startswith("#")]
    assert all(wanted[each.name.lower()] == each.specifier for each in asked)
    bundled = {"numpy", "scipy", "simpleitk", "pydicom", "pillow"}
    of_clusters_and_benchmarks = {"distributed", "platformdirs"}
    assert wanted.keys() - {each.name.lower() for each in asked} == bundled | of_clusters_and_benchmarks
