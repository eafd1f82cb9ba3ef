"""What the documentation says, compared with the code: fields and defaults, tables, commands, examples, links."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from DRRSimLib.acquisition.carm import BIPLANES, DEVICES, CArmDevice
from DRRSimLib.acquisition.views import Sampler
from DRRSimLib.frames.display import WINDOWS
from DRRSimLib.pelvis import generate_pelvis
from DRRSimLib.physics.materials import material, material_names
from DRRSimLib.physics.spectra import PRESETS
from DRRSimLib.physics.tissues import METALS, RULES, TissueRule
from DRRSimLib.recipe import DrrRecipe
from Sim2RealApp.cli import app
from Sim2RealApp.export import export_dataset
from Sim2RealLib.landmarks import write_landmarks
from Sim2RealLib.recipe import apply_settings, fields_of, read_recipe, sections_in, validate
from Sim2RealLib.volume_io import write_volume

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "Docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?P<note><!-- not run: .+? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
PELVIS_RECIPE = ROOT / "Resources" / "Recipes" / "pelvis_drr.yaml"


def page(name: str) -> str:
    return (ROOT / "Docs" / name).read_text(encoding="utf-8")


def blocks(path: Path, *languages: str) -> list[re.Match]:
    found = BLOCK.finditer(path.read_text(encoding="utf-8"))
    return [block for block in found if block["language"] in languages]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of all table rows."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def fields(section: type, instance: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a recipe with its default; PydanticUndefined where it must be given."""
    for name, field in fields_of(section).items():
        value = field.default if instance is None else getattr(instance, name)
        if is_section(value):
            yield from fields(type(value), value, f"{prefix}{name}.")
            continue
        required = instance is None or field.is_required()
        yield f"{prefix}{name}", field.default if required else to_jsonable_python(value)
        for section in sections_in(field.annotation):
            several = "[]" if get_origin(field.annotation) is tuple else ""
            yield from fields(section, None, f"{prefix}{name}{several}.")


def is_section(value: Any) -> bool:
    return isinstance(value, BaseModel) or is_dataclass(value)


def test_every_field_of_the_recipe_is_documented_with_its_default():
    cells = ([cell.strip("`") for cell in row] for row in rows(page("Recipes.md")) if len(row) == 4)
    documented = {name: default for name, default, *_ in cells if name.partition(".")[0] in DrrRecipe.model_fields}
    expected = dict(fields(DrrRecipe, DrrRecipe(simulator="drr")))
    assert documented.keys() == expected.keys()
    for name, default in expected.items():
        if default is PydanticUndefined:
            assert documented[name] == "required", name
        else:
            assert yaml.safe_load(documented[name]) == json.loads(json.dumps(default)), name


def test_presets_samplers_windows_and_metals_are_documented():
    recipes = list(rows(page("Recipes.md")))
    for name, device in DEVICES.items():
        assert [f"`{name}`", *device_cells(device)] in recipes
    for name, planes in BIPLANES.items():
        for plane in planes:
            assert [f"`{name}` {plane.name}", *device_cells(plane)] in recipes
    for name, window in WINDOWS.items():
        assert [f"`{name}`", f"{window.low:g}", f"{window.high:g}", f"`{window.function}`"] in recipes
    documented = [cells[0] for cells in recipes]
    assert {f"`{sampler}`" for sampler in Sampler} <= set(documented)
    for name in (*METALS, *PRESETS):
        assert f"`{name}`" in page("Recipes.md")


def device_cells(device: CArmDevice) -> list[str]:
    ranges = ("{:g} … {:g}".format(*limits) for limits in (device.primary_range_deg, device.secondary_range_deg))
    distances = (f"{mm:g}" for mm in (device.pixel_mm, device.source_to_detector_mm, device.source_to_isocenter_mm))
    return [f"{device.width_px} × {device.height_px}", *distances, *ranges]


def test_tissue_rules_and_materials_are_documented():
    documented = list(rows(page("DRRSim.md")))
    rules = RULES["tissues"]
    for group, rule in {"unlabelled": rules.unlabelled, **rules.groups}.items():
        assert [group, in_words(rule)] in documented
    densities = {cells[i]: cells[i + 1] for cells in documented if len(cells) == 8 for i in (0, 3, 6) if cells[i]}
    densities.pop("material")
    assert {name.strip("`"): float(density) for name, density in densities.items()} == {
        name: material(name).density_g_cm3 for name in material_names()
    }


def in_words(rule: TissueRule) -> str:
    limits = [f" · {str(limit).replace('-', '−')} · " for limit in rule.limits_hu]
    return "".join(part for pair in zip(rule.materials, [*limits, ""], strict=True) for part in pair)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_yaml_is_a_recipe(path):
    for block in blocks(path, "yaml"):
        validate(DrrRecipe, {"simulator": "drr"} | yaml.safe_load(block["text"]), path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_exist_with_their_options(path):
    root = typer.main.get_command(app)
    for block in blocks(path, "sh", "bash", "powershell"):
        for line in block["text"].replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["sim2real"]:
                check_command(root, words[1:])


def check_command(group, words: list[str]) -> None:
    name, command, rest = group.resolve_command(typer.Context(group), words)
    if hasattr(command, "commands"):
        return check_command(command, rest)
    parameters = command.make_context(name, list(rest)).params
    if name == "export":
        recipe = apply_settings(read_recipe(PELVIS_RECIPE), parameters["settings"] or ())
        validate(DrrRecipe, recipe, " ".join(words))
    return None


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with what the examples read: a CT with labels and landmarks, and demo/drr."""
    folder = tmp_path_factory.mktemp("docs")
    pelvis = generate_pelvis(seed=3, spacing_mm=4.0)
    write_volume(folder / "ct.nii.gz", pelvis.hu)
    write_volume(folder / "labels.nii.gz", pelvis.labels)
    write_landmarks(folder / "landmarks.mrk.json", pelvis.landmarks)
    recipe = DrrRecipe(simulator="drr", input={"anatomy": {"seed": 3, "spacing_mm": 4.0}}, views={"count": 2})
    for _ in export_dataset(recipe, folder / "demo" / "drr", "llvm"):
        pass
    return folder


@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path, "python")], ids=lambda path: path.stem)
def test_python_examples_run(path, workplace, monkeypatch):
    """The blocks of a page one after the other, as a reader would enter them."""
    monkeypatch.chdir(workplace)
    names: dict[str, Any] = {"__name__": path.stem}
    for block in blocks(path, "python"):
        code = compile(block["text"], f"{path.name}: {block['text'].splitlines()[0]}", "exec")
        if not block["note"]:
            exec(code, names)
    if "offset" in names:  # the pose that the torch example looks for
        assert names["offset"].detach().abs().max() < 0.1


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), f"{path.name}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}, link
