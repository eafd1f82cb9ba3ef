"""What the documentation says, compared with the code: fields and defaults, tables, commands, examples, links."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_origin

import numpy as np
import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from colonography_scenes import GRIDS, colon, grid, scan
from DepthSimLib.appearance import randomization
from DepthSimLib.appearance.looks import LOOKS, Look
from DepthSimLib.appearance.transfer_function import LUMEN
from DepthSimLib.colon import anatomy as colon_anatomy
from DepthSimLib.endoscope.lights import LIGHTS, TipLight
from DepthSimLib.endoscope.pose_plan import CenterlinePlan
from DepthSimLib.endoscope.presets import ENDOSCOPES, Endoscope
from DepthSimLib.recipe import EndoscopyRecipe
from DRRSimLib.acquisition.carm import BIPLANES, DEVICES, CArmDevice
from DRRSimLib.acquisition.views import Sampler
from DRRSimLib.detector.presets import DETECTORS
from DRRSimLib.frames.display import WINDOWS
from DRRSimLib.pelvis import generate_pelvis
from DRRSimLib.physics.materials import material, material_names
from DRRSimLib.physics.spectra import PRESETS
from DRRSimLib.physics.tissues import METALS, RULES, TissueRule
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.scatter.scatter_training import ScatterRecipe
from DRRSimLib.segmentation.section import MaterialsRecipe
from Sim2RealApp.cli import app
from Sim2RealApp.export import export_dataset
from Sim2RealApp.train import load_training_recipe
from Sim2RealLib.landmarks import write_landmarks
from Sim2RealLib.recipe import Recipe, apply_settings, read_recipe, validate
from Sim2RealLib.recipe_faults import fields_of, sections_in
from Sim2RealLib.volume_io import write_volume

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "Docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?P<note><!-- not run: .+? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
RECIPES = {"drr": DrrRecipe, "endoscopy": EndoscopyRecipe, "scatter": ScatterRecipe, "materials": MaterialsRecipe}
REFERENCES = {"Recipes.md": "drr", "EndoscopyRecipes.md": "endoscopy"}
"""The page that documents the fields of a simulator's recipe."""
ENDOSCOPY_PAGES = ("DepthSim.md", "EndoscopyRecipes.md")
RECIPE_FILES = ROOT / "Resources" / "Recipes"
C3VD_CALIBRATION = """width = 1350
height = 1080
cx = 677.74
cy = 543.06
a0 = 767.73
a2 = -5.9e-4
a3 = -2.7e-7
a4 = -2.2e-10
c = 1
d = 0
e = 0
"""
VOLUME_PROPERTY = """1
1
0.9
0.1
0.2
10
4 -600 0 -450 0.9
4 0 1 255 1
8 -500 0.5 0.3 0.2 100 0.8 0.5 0.4
"""
SMALL_COLON = {"seed": 2, "scan": {"spacing_mm": 2.0, "lungs": False, "gas_pockets": 0}}


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


ELSEWHERE = r"^endoscope\.lights\.|_material\."
"""Fields of sections that are documented at another place where they may stand."""

Name = tuple[str, str]
"""The variant of a section that a field belongs to, as in `views.mode: free`, or nothing; and the field."""


def fields(section: type, instance: Any = None, prefix: str = "", variant: str = "") -> Iterator[tuple[Name, Any]]:
    """Every field of a recipe with its default; PydanticUndefined where it must be given."""
    for name, field in fields_of(section).items():
        value = field.default if instance is None else getattr(instance, name)
        path, kinds = f"{prefix}{name}", list(dict.fromkeys(sections_in(field.annotation)))
        tag = tag_of(kinds)
        if path == variant.partition(":")[0]:
            continue
        if not is_section(value) and not (tag and value is PydanticUndefined):
            required = instance is None or field.is_required()
            yield (variant, path), field.default if required else to_jsonable_python(value)
        several = "[]" if get_origin(field.annotation) is tuple else ""
        if tag:
            yield (variant, f"{path}{several}.{tag}"), getattr(value, tag, PydanticUndefined)
        for kind in kinds:
            within = f"{path}{several}.{tag}: {fields_of(kind)[tag].default}" if tag else variant
            yield from fields(kind, value if isinstance(value, kind) else None, f"{path}{several}.", within)


def tag_of(kinds: list[type]) -> str | None:
    """The field by which sections that may stand in one place are told apart."""
    words = [{n for n, field in fields_of(kind).items() if get_origin(field.annotation) is Literal} for kind in kinds]
    return min(set.intersection(*words), default=None) if len(kinds) > 1 else None


def is_section(value: Any) -> bool:
    return isinstance(value, BaseModel) or is_dataclass(value)


def documented_fields(name: str, recipe: type[Recipe]) -> Iterator[tuple[Name, str]]:
    """The fields in the tables of a page with their defaults; headings name the variant that those below belong to."""
    for part in re.split(r"^#+ ", BLOCK.sub("", page(name)), flags=re.MULTILINE):
        variant = re.search(r"`(\S+: \S+)`", part.partition("\n")[0])
        for cells in rows(part):
            field, default = (cell.strip("`") for cell in cells[:2])
            if len(cells) == 4 and field.partition(".")[0] in recipe.model_fields:
                yield (variant[1] if variant else "", field), default


@pytest.mark.parametrize("name", REFERENCES)
def test_every_field_of_a_recipe_is_documented_once_with_its_default(name):
    """A section that may stand in several places is documented at the first; of the kinds that entries of a list can
    be, what several have with one default is documented without a kind."""
    simulator = REFERENCES[name]
    documented = list(documented_fields(name, RECIPES[simulator]))
    expected = dict(fields(RECIPES[simulator], RECIPES[simulator](simulator=simulator)))
    expected = {key: default for key, default in expected.items() if not re.search(ELSEWHERE, key[1])}
    for (variant, path), default in list(expected.items()):
        same = [key for key in expected if variant and "[]." in path and key[1] == path and expected[key] == default]
        if len(same) > 1:
            expected = {key: value for key, value in expected.items() if key not in same} | {("", path): default}
    assert sorted(key for key, _ in documented) == sorted(expected)
    for key, text in documented:
        default = expected[key]
        if default is PydanticUndefined:
            assert text == "required", key
        else:
            assert yaml.safe_load(text) == rounded(json.loads(json.dumps(default))), key


def rounded(value: Any) -> Any:
    """Numbers to four digits, as pages have them."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


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
    for name in (*METALS, *PRESETS, *DETECTORS):
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


def test_endoscopes_and_lights_are_documented():
    documented = list(rows(page("EndoscopyRecipes.md")))
    for name, endoscope in ENDOSCOPES.items():
        assert [f"`{name}`", *endoscope_cells(endoscope)] in [cells[:6] for cells in documented]
    for name, lights in LIGHTS.items():
        positions = " · ".join("({:g}, {:g}, {:g})".format(*light.position_mm) for light in lights)
        assert {(light.spread, light.radius_mm) for light in lights} == {(lights[0].spread, TipLight.radius_mm)}
        assert [f"`{name}`", minus(positions), f"{lights[0].spread:g}"] in [cells[:3] for cells in documented]


def endoscope_cells(endoscope: Endoscope) -> list[str]:
    """Model, size, field of view between the edges through the principal point, what is shown, lights."""
    camera = endoscope.camera
    x, y = camera.cx_px, camera.cy_px
    edges = camera.unproject(np.array([[0.0, y], [camera.width_px, y], [x, 0.0], [x, camera.height_px]]))
    left, right, up, down = np.rad2deg(np.arccos(edges[:, 2]))
    (lights,) = (name for name, preset in LIGHTS.items() if preset == endoscope.lights)
    size, field = f"{camera.width_px} × {camera.height_px}", f"{left + right:.0f} × {up + down:.0f}"
    return [f"`{camera.model}`", size, field, getattr(endoscope.mask, "shape", "all"), f"`{lights}`"]


def minus(text: str) -> str:
    return text.replace("-", "−")


def test_looks_and_their_variations_are_documented():
    documented = list(rows(page("EndoscopyRecipes.md")))
    plain = asdict(Look())
    for name, look in LOOKS.items():
        parts = list(zip(asdict(look).values(), plain.values(), strict=True))[:3]
        cells = [", ".join(differences(part, default)) for part, default in parts]
        assert [f"`{name}`", *cells] in [row[:4] for row in documented], (name, cells)
    ranges = {
        **{f"tissue.{name}": limits for name, limits in randomization.MUCOSA.items()},
        **{f"surface.{name}": limits for name, limits in randomization.SURFACE.items()},
        "illumination.spread_factor": randomization.SPREAD_FACTOR,
        "g": randomization.ANISOTROPY,
    }
    for name, (low, high) in ranges.items():
        assert [f"`{name}`", f"{low:.3g} … {high:.3g}"] in documented


def differences(part: Any, plain: Any) -> Iterator[str]:
    """What a section of a look has that the default has not, a field and its value each."""
    if isinstance(part, dict) and part.keys() != plain.keys():
        yield "colours over HU"
    elif isinstance(part, dict):
        for name, value in part.items():
            if value != plain[name]:
                numbers = " ".join(f"{v:.3g}" for v in value) if isinstance(value, tuple) else value
                yield f"`{name}` " + (f"{value:.3g}" if isinstance(value, float) else numbers)


def test_the_colon_and_its_surface_are_documented():
    documented = list(rows(page("DepthSim.md")))
    columns = (
        *(100 * colon_anatomy.SEGMENT_SHARE, 2 * colon_anatomy.RADIUS_MM, colon_anatomy.FOLD_PITCH_MM),
        *(colon_anatomy.FOLD_MEAN_MM, colon_anatomy.FOLD_SD_MM),
    )
    for name, *numbers in zip(colon_anatomy.SEGMENTS, *columns, strict=True):
        share, diameter, pitch, mean, spread = (f"{number:.3g}" for number in numbers)
        fold = ["–", "–"] if mean == "0" else [pitch, f"{mean} ± {spread}"]
        assert [name, share, diameter, *fold] in [cells[:5] for cells in documented], name
    (start, _), (end, opacity) = LUMEN.points
    text = minus(f"from {start:g} HU on to {opacity:g} at {end:g} HU, over {LUMEN.unit_distance_mm:g} mm")
    assert text in " ".join(page("DepthSim.md").split())


def test_repeated_sections_and_modes_are_found():
    """The comparison above sees variants, and fields of sections within sections."""
    names = dict(fields(EndoscopyRecipe, EndoscopyRecipe(simulator="endoscopy")))
    assert names["views.mode: file", "views.file"] is PydanticUndefined
    assert names["views.mode: centerline", "views.count"] == CenterlinePlan().count
    assert names["", "views.mode"] == "centerline"
    assert ("endoscope.device.camera.model: scaramuzza", "endoscope.device.camera.a4") in names
    assert ("", "rendering.looks[].tissue.points") in names


@pytest.mark.parametrize("path", sorted(RECIPE_FILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_that_come_with_the_extension_are_valid_and_documented(path):
    content = read_recipe(path)
    kind = content.get("simulator") or content["task"]
    validate(RECIPES[kind], content, path.name)
    assert any(path.name in page.read_text("utf-8") for page in PAGES)
    if "task" in content:
        documented = {name for cells in rows(page("Training.md")) for name in re.findall(r"`([\w.]+)`", cells[0])}
        assert {field for (_, field), _ in fields(RECIPES[kind], RECIPES[kind](**content))} <= documented


def simulator_of(path: Path) -> str:
    return "endoscopy" if path.name in ENDOSCOPY_PAGES else "drr"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_yaml_is_a_recipe(path):
    """Of the simulator that it names, or else its page."""
    for block in blocks(path, "yaml"):
        content = {"simulator": simulator_of(path)} | yaml.safe_load(block["text"])
        validate(RECIPES[content["simulator"]], content, path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_exist_with_their_options(path):
    root = typer.main.get_command(app)
    for block in blocks(path, "sh", "bash", "powershell"):
        for line in block["text"].replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["sim2real"]:
                check_command(root, words[1:], path)


def check_command(group, words: list[str], path: Path) -> None:
    """A recipe that is not ours stands for one of ours, of the page's simulator."""
    name, command, rest = group.resolve_command(typer.Context(group), words)
    if hasattr(command, "commands"):
        return check_command(command, rest, path)
    parameters = command.make_context(name, list(rest)).params
    if name == "export":
        ours = RECIPE_FILES / Path(parameters["recipe"]).name
        example = RECIPE_FILES / {"drr": "pelvis_drr.yaml", "endoscopy": "colon_cinematic.yaml"}[simulator_of(path)]
        recipe = apply_settings(read_recipe(ours if ours.exists() else example), parameters["settings"] or ())
        validate(RECIPES[recipe["simulator"]], recipe, " ".join(words))
    if name == "train":
        load_training_recipe(ROOT / parameters["recipe"], parameters["settings"] or ())
    return None


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with what the examples read: CTs, labels and landmarks, files about an endoscope, and demo/."""
    folder = tmp_path_factory.mktemp("docs")
    pelvis = generate_pelvis(seed=3, spacing_mm=4.0)
    write_volume(folder / "ct.nii.gz", pelvis.hu)
    write_volume(folder / "labels.nii.gz", pelvis.labels)
    write_landmarks(folder / "landmarks.mrk.json", pelvis.landmarks)
    collapsed = scan([colon().collapsed(130.0, 150.0)], grid(GRIDS["straight"]))
    write_volume(folder / "ctc.nii.gz", replace(collapsed, array=np.rint(collapsed.array).astype(np.int16)))
    (folder / "scope.ini").write_text(C3VD_CALIBRATION)
    (folder / "ct.vp").write_text(VOLUME_PROPERTY)
    drr = DrrRecipe(simulator="drr", input={"anatomy": {"seed": 3, "spacing_mm": 4.0}}, views={"count": 2})
    endoscopy = EndoscopyRecipe(
        simulator="endoscopy",
        input={"anatomy": SMALL_COLON},
        endoscope={"scale": 0.1},
        views={"count": 2},
        rendering={"samples": 1},
    )
    for name, recipe in {"drr": drr, "endoscopy": endoscopy}.items():
        for _ in export_dataset(recipe, folder / "demo" / name, "llvm"):
            pass
    return folder


WITH_PYTHON = [path for path in PAGES if blocks(path, "python") and not path.stem.endswith("Tutorial")]
"""Those of the tutorials need Slicer's scene; test_tutorials.py runs them."""


@pytest.mark.parametrize("path", WITH_PYTHON, ids=lambda path: path.stem)
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
