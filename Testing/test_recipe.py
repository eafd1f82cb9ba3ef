"""Recipes: where paths count from, what is refused, and that a written recipe means what the read one meant."""

from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import Field

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import (
    Recipe,
    RecipePath,
    StrictModel,
    apply_settings,
    parse_yaml,
    read_recipe,
    to_yaml,
    validate,
)
from toy_simulation import ToyRecipe


class Ball(StrictModel):
    shape: Literal["ball"]
    radius: float = Field(gt=0)


class Box(StrictModel):
    shape: Literal["box"]
    sides: tuple[float, float, float]


class Mesh(StrictModel):
    kind: Literal["file"]
    file: RecipePath


class Hole(StrictModel):
    kind: Literal["hole"]


class Plain(StrictModel):
    density: float = Field(1.0, gt=0)


class Varied(StrictModel):
    curve: tuple[float, ...]


class ShapeRecipe(Recipe):
    simulator: Literal["shapes"]
    shapes: tuple[Ball | Box, ...] = ()
    tagged: Ball | Box | None = Field(None, discriminator="shape")
    texture: RecipePath | None = None
    solid: Mesh | Hole | None = Field(None, discriminator="kind")
    material: Plain | Varied = Plain()
    corners: tuple[float, ...] = Field((0.0,), min_length=1)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def refusal(recipe: dict, model: type = ToyRecipe) -> str:
    with pytest.raises(Sim2RealError) as caught:
        validate(model, recipe, "recipe.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_paths_count_from_where_they_were_written(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    content = read_recipe(write(tmp_path / "recipes", "input: {volume: ../ct.nii.gz, more: [a, /b]}"))
    assert validate(ToyRecipe, content, "r").input.volume == tmp_path / "ct.nii.gz"
    assert validate(ToyRecipe, content, "r").input.more == (tmp_path / "recipes/a", Path("/b"))
    content = apply_settings(content, ["input.volume=ct2.nii.gz", "input.more.1=c"])
    assert validate(ToyRecipe, content, "r").input.volume == tmp_path / "elsewhere/ct2.nii.gz"
    assert validate(ToyRecipe, content, "r").input.more == (tmp_path / "recipes/a", tmp_path / "elsewhere/c")


def test_a_written_recipe_is_complete_and_means_the_same_where_it_is_written(tmp_path):
    recipe = validate(ToyRecipe, apply_settings({}, [f"input.volume={tmp_path}/data/ct.nii.gz", "views.count=3"]), "r")
    dataset = tmp_path / "out" / "dataset"
    dataset.mkdir(parents=True)
    text = to_yaml(recipe, dataset)
    assert yaml.safe_load(text)["input"]["volume"] == "../../data/ct.nii.gz"
    assert yaml.safe_load(text)["seed"] == 0
    assert validate(ToyRecipe, read_recipe(write(dataset, text)), "r") == recipe
    assert to_yaml(recipe, dataset) == text


def test_settings_are_yaml_and_leave_the_recipe_they_change_alone():
    recipe = {"views": {"count": 5}}
    changed = apply_settings(recipe, ["views.count=7", "views.width_px=100", "pause_s=1.5e-1", "input.more=[x, y]"])
    assert recipe == {"views": {"count": 5}}
    model = validate(ToyRecipe, changed, "r")
    assert (model.views.count, model.views.width_px, model.pause_s, len(model.input.more)) == (7, 100, 0.15, 2)
    assert validate(ToyRecipe, apply_settings({"fail_at": 3}, ["fail_at=null"]), "r").fail_at is None


@pytest.mark.parametrize("setting", ["views", "=3", "views..count=3", "seed=[1", "views.count.x=3", "input.more.5=x"])
def test_a_malformed_setting_is_refused_naming_it(setting):
    with pytest.raises(Sim2RealError, match="--set"):
        apply_settings({"views": {"count": 5}, "input": {"more": ["a"]}, "seed": 1}, [setting])


def test_all_wrong_fields_are_named_at_once_with_value_and_what_is_allowed():
    message = refusal({"seed": -1, "views": {"count": 0, "kind": "spiral", "widht_px": 3}, "input": {"volume": 3}})
    assert message.startswith("recipe.yaml: ")
    assert "seed: -1, must be greater than or equal to 0" in message
    assert "views.count: 0, must be greater than or equal to 1" in message
    assert "views.kind: 'spiral', must be 'circle' or 'still'" in message
    assert "views.widht_px is unknown, did you mean views.width_px?" in message
    assert "input.volume: 3, must be a path" in message


def test_errors_inside_variants_name_the_field_and_not_the_variant():
    wrong = {"simulator": "shapes", "tagged": {"shape": "ball", "radius": -1}}
    assert "tagged.radius: -1" in refusal(wrong, ShapeRecipe)
    assert "tagged.radius is missing" in refusal({"simulator": "shapes", "tagged": {"shape": "ball"}}, ShapeRecipe)
    wrong = {"simulator": "shapes", "tagged": {"shape": "ball", "radius": 1, "sidez": 1}}
    assert "tagged.sidez is unknown, possible are radius, shape" in refusal(wrong, ShapeRecipe)
    wrong = {"simulator": "shapes", "shapes": [{"shape": "ball", "radius": 1, "zzz": 1}]}
    assert refusal(wrong, ShapeRecipe) == "recipe.yaml: shapes.0.zzz is unknown, possible are radius, shape."


def test_a_field_of_another_variant_is_said_to_belong_there():
    wrong = {"simulator": "shapes", "tagged": {"shape": "ball", "radius": 1, "sides": [1, 2, 3]}}
    complaint = "tagged.sides belongs to shape 'box', not 'ball'; possible are radius, shape."
    assert refusal(wrong, ShapeRecipe) == f"recipe.yaml: {complaint}"


def test_a_field_with_the_name_of_its_variant_is_named_once():
    assert refusal({"simulator": "shapes", "solid": {"kind": "file"}}, ShapeRecipe) == (
        "recipe.yaml: solid.file is missing."
    )
    wrong = {"simulator": "shapes", "solid": {"kind": "ball"}}
    assert refusal(wrong, ShapeRecipe) == "recipe.yaml: solid.kind: 'ball', must be one of file, hole."
    wrong = {"simulator": "shapes", "solid": {"file": "a.stl"}}
    assert refusal(wrong, ShapeRecipe) == "recipe.yaml: solid.kind is missing, possible are file, hole."


@pytest.mark.parametrize(
    ("material", "complaint"),
    [
        ({"density": -1}, "material.density: -1, must be greater than 0"),
        ({"curve": 3}, "material.curve: 3, must be a list"),
        ({"curv": [1]}, "material.curve is missing; material.curv is unknown, did you mean material.curve?"),
        ({"density": 1, "curve": [1]}, "material.curve does not go with 'density'; possible are density"),
        (4, "material: 4, must be a section"),
    ],
)
def test_of_variants_without_a_tag_only_the_likest_is_spoken_of(material, complaint):
    message = refusal({"simulator": "shapes", "material": material}, ShapeRecipe)
    assert message.rstrip(".") == f"recipe.yaml: {complaint}"


def test_a_list_is_too_short_only_for_missing_entries_not_for_wrong_ones():
    wrong = {"simulator": "shapes", "corners": ["x"]}
    message = refusal(wrong, ShapeRecipe)
    assert "corners.0: 'x'" in message and "corners:" not in message
    assert refusal({"simulator": "shapes", "corners": []}, ShapeRecipe) == (
        "recipe.yaml: corners: [], must have at least 1 entry."
    )


def test_not_a_number_and_infinity_are_refused():
    assert "pause_s" in refusal({"pause_s": float("inf")})
    assert "pause_s" in refusal(parse_yaml(b"pause_s: .nan", "r"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"a: &x [1]\nb: *x", "aliases"),
        (b"a: 1\na: 2", "twice"),
        (b"? [1, 2]\n: 3", "name"),
        (b"[" * 50_000, "RecursionError"),
        (b"!!python/object/apply:os.system [ls]", "tag"),
        (b"a: b: c", "line 1"),
        (b"\x00\xff", "YAML"),
        (b"a" * (2**20 + 1), "larger"),
    ],
)
def test_hostile_yaml_is_refused(text, complaint):
    with pytest.raises(Sim2RealError, match=complaint):
        parse_yaml(text, "recipe.yaml")


def test_an_unreadable_recipe_is_a_clear_error(tmp_path):
    with pytest.raises(Sim2RealError, match="cannot be read"):
        read_recipe(tmp_path / "missing.yaml")
    with pytest.raises(Sim2RealError, match="mapping"):
        read_recipe(write(tmp_path, "- a\n- b\n"))
