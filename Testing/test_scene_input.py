"""Scene files of Slicer's as inputs: the same frames as from files, nodes by their names, the command's `--scene`."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from DRRSimLib.tools.kinds import build_tools
from DRRSimLib.tools.mesh_tool import MeshTool
from Sim2RealApp import cli
from Sim2RealApp.export import export_dataset
from Sim2RealApp.simulators import load_recipe
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points, translation
from Sim2RealLib.label_table import read_label_map
from Sim2RealLib.landmarks import read_landmarks
from Sim2RealLib.mesh_io import read_mesh
from Sim2RealLib.recipe import to_yaml
from Sim2RealLib.scene_path import split_scene_path
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, read_mask, read_volume
from slicer_cases import GRID, MOVES, add_segment, body, make_case, parents, save, save_unpacked

RECIPE = """
simulator: drr
seed: 3
carm: {device: {name: small, width_px: 64, height_px: 48, pixel_mm: 4, source_to_detector_mm: 1200,
  source_to_isocenter_mm: 800}}
views: {count: 2}
output: {thickness: [sacrum]}
"""


@pytest.fixture
def nodes(slicer_scene) -> dict:
    return make_case(slicer_scene)


def save_as_files(nodes: dict, folder: Path) -> dict[str, str]:
    """The inputs of the recipe as files, written by Slicer but for the labels, whose numbers Slicer would not keep."""
    import slicer

    from Sim2RealLib.volume_io import write_volume

    slicer.util.saveNode(nodes["CT"], str(folder / "ct.nrrd"))
    slicer.util.saveNode(nodes["points"], str(folder / "points.mrk.json"))
    hu, labels = body()
    placed, _ = read_ct(folder / "ct.nrrd")
    write_volume(folder / "labels.nrrd", Volume(labels.array, placed.ras_from_ijk))
    write_volume(folder / "nail.nrrd", Volume((hu.array > 690).astype(np.uint8), placed.ras_from_ijk))
    return {"volume": "ct.nrrd", "labels": "labels.nrrd", "landmarks": "points.mrk.json", "nail": "nail.nrrd"}


def settings(names: dict[str, str], prefix: str = "") -> list[str]:
    implant = f"[{{volume: '{prefix}{names['nail']}', material: titanium}}]"
    inputs = {field: f"'{prefix}{name}'" for field, name in names.items() if field != "nail"} | {"implants": implant}
    return [f"input.{field}={value}" for field, value in inputs.items()]


IN_SCENE = {"volume": "CT", "labels": "organs", "landmarks": "points", "nail": "nail"}


def exported(folder: Path, out: str, changes: list[str], scene: Path | None = None) -> dict[str, bytes]:
    """The files of the frames of a dataset that the recipe makes."""
    (folder / "recipe.yaml").write_text(RECIPE)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in export_dataset(load_recipe("recipe.yaml", changes, scene), folder / out):
            pass
    finally:
        os.chdir(before)
    return {path.name: path.read_bytes() for path in (folder / out / "frames").rglob("*") if path.is_file()}


@pytest.mark.parametrize("move", MOVES)
def test_frames_from_a_scene_are_those_from_the_files(nodes, slicer_scene, move, tmp_path):
    """Byte by byte; where a transform is multiplied in, Slicer and we round its product differently."""
    above = parents(slicer_scene, MOVES[move])
    for node in nodes.values():
        node.SetAndObserveTransformNodeID(above.GetID())
    scenes = save(tmp_path / "case.mrb"), save_unpacked(tmp_path)
    for node in nodes.values():
        node.HardenTransform()  # Slicer's own way to world coordinates
    from_files = exported(tmp_path, "files", settings(save_as_files(nodes, tmp_path)))
    for number, scene in enumerate(scenes):
        from_scene = exported(tmp_path, f"scene{number}", settings(IN_SCENE, f"{scene}#"))
        assert from_scene.keys() == from_files.keys() and len(from_files) == 2 * 4
        if move == "where it is":
            assert from_scene == from_files
        for index in range(2):
            images = [Dataset.open(tmp_path / out).channel(index, "intensity") for out in ("files", f"scene{number}")]
            np.testing.assert_allclose(*images, rtol=1e-3)
    headers = [json.loads((tmp_path / out / "dataset.json").read_text()) for out in ("files", "scene0")]
    assert headers[0]["classes"] == headers[1]["classes"]
    assert [entry["name"] for entry in headers[1]["classes"]] == ["urinary_bladder", "sacrum"]
    assert [record["name"] for record in headers[1]["inputs"]] == [f"case.mrb#{name}" for name in IN_SCENE.values()]
    bundle = hashlib.sha256((tmp_path / "case.mrb").read_bytes()).hexdigest()
    assert {record["sha256"] for record in headers[1]["inputs"]} == {bundle}


# the command


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """The command in this process; its files go to tmp_path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sim2real", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def options(*changes: str) -> list[str]:
    return [f"--set={change}" for change in changes]


def test_the_command_takes_names_of_nodes_and_checks_the_result(nodes, slicer_scene, here, tmp_path):
    save(tmp_path / "case.mrb")
    before = slicer_scene.GetNumberOfNodes(), slicer_scene.GetURL()
    code, _, err = here("export", "recipe.yaml", "--out=out", "--scene=case.mrb", *options(*settings(IN_SCENE)))
    assert (code, err) == (0, "")
    assert "volume: ../case.mrb#CT\n" in (tmp_path / "out" / "recipe.yaml").read_text()
    assert here("check", "out", "--input")[0] == 0
    (tmp_path / "moved").mkdir()
    (tmp_path / "case.mrb").rename(tmp_path / "moved" / "case.mrb")
    assert "case.mrb does not exist" in here("check", "out", "--input")[2]
    now = options(*settings(IN_SCENE, "moved/case.mrb#"))
    assert here("check", "out", "--input", *now)[0] == 0
    assert (slicer_scene.GetNumberOfNodes(), slicer_scene.GetURL()) == before
    nodes["points"].SetNthControlPointPosition(0, 1.0, 2.0, 3.0)
    save(tmp_path / "moved" / "case.mrb")
    code, out, _ = here("check", "out", "--input", *now)
    assert code == 1 and "✗" in out


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["input.volume=ct.nii.gz"], "input.volume: case.mrb has no volume 'ct.nii.gz'; it has 'CT'. With --scene"),
        (["input.volume=case.mrb#CT"], "has no volume 'case.mrb#CT'"),
        (["input.volume=organs"], "has no volume 'organs'; it has 'CT'"),
        (["input.volume=CT", "input.labels=points"], "map volume 'points'; it has 'CT', 'organs', 'nail'"),
        (["input.volume=CT", "input.landmarks=CT"], "input.landmarks: case.mrb has no point list 'CT'; it has"),
        (["input.mesh=CT"], "input.mesh: case.mrb has no model 'CT'; it has 'cube'"),
        (["input.tools=[{kind: mesh, file: CT, material: steel}]"], "input.tools: case.mrb has no model 'CT'"),
        (["input.implants=[{volume: wire, material: steel}]"], "no volume or segmentation 'wire'"),
        (["input.volume=2"], "input.volume: 2 is no name. Put it in double quotes"),
        ([], "the recipe takes nothing from it. Name a node: --set input.volume=NAME"),
    ],
)  # fmt: skip
def test_names_that_the_scene_lacks_are_refused_before_any_work(nodes, changes, complaint, here, tmp_path):
    save(tmp_path / "case.mrb")
    code, out, err = here("export", "recipe.yaml", "--out=out", "--scene=case.mrb", *options(*changes))
    assert (code, out) == (1, "")
    assert complaint in err and err.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_a_scene_is_exported_without_an_application_and_without_slicer_it_is_said_what_to_install(nodes, tmp_path):
    save(tmp_path / "case.mrb")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    command = "from Sim2RealApp.cli import main; main()"
    arguments = ["export", "recipe.yaml", "--out=out", "--scene=case.mrb", "--limit=1", *options(*settings(IN_SCENE))]
    run = subprocess.run(
        [sys.executable, "-c", command, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (run.returncode, run.stderr) == (0, "")
    shutil.rmtree(tmp_path / "out")
    without = f"import sys; sys.modules['slicer'] = None\n{command}"
    run = subprocess.run(
        [sys.executable, "-c", without, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert run.returncode == 1 and 'pip install "surgical-sim2real[slicer]"' in run.stderr
    assert not (tmp_path / "out").exists()


# which node is meant


def test_every_kind_of_input_is_read_through_its_transforms(nodes, slicer_scene, tmp_path):
    from Sim2RealLib.mrml.markups import landmarks_of
    from Sim2RealLib.mrml.models import mesh_of

    move = MOVES["under a transform"]
    above = parents(slicer_scene, move, translation([0.0, 0.0, 40.0]))
    for node in nodes.values():
        node.SetAndObserveTransformNodeID(above.GetID())
    save(tmp_path / "case.mrb")
    world = move @ translation([0.0, 0.0, 40.0])
    ct, record = read_ct(f"{tmp_path}/case.mrb#CT")
    np.testing.assert_allclose(ct.ras_from_ijk, world @ GRID, atol=1e-4)
    np.testing.assert_array_equal(ct.array, body()[0].array)
    assert (record["name"], record["shape_ijk"], record["raised_to_lowest_hu"]) == ("case.mrb#CT", [40, 24, 16], 0)
    landmarks, _ = read_landmarks(f"{tmp_path}/case.mrb#points")
    for name, position in landmarks_of(nodes["points"]).items():
        np.testing.assert_allclose(landmarks[name], position, atol=1e-4)
    mesh, record = read_mesh(f"{tmp_path}/case.mrb#cube")
    np.testing.assert_allclose(mesh.vertices_ras, mesh_of(nodes["cube"]).vertices_ras, atol=1e-4)
    np.testing.assert_array_equal(mesh.triangles, mesh_of(nodes["cube"]).triangles)
    assert (record["role"], record["vertices"]) == ("mesh", 8)
    (tool,), (record,) = build_tools([MeshTool(file=f"{tmp_path}/case.mrb#cube", material="steel")])
    np.testing.assert_array_equal(tool.mesh.vertices_ras, mesh.vertices_ras)
    assert (record["role"], record["file"]) == ("tool", "case.mrb#cube")
    mask, _ = read_mask(f"{tmp_path}/case.mrb#nail", "implant")
    bright = np.argwhere(body()[0].array > 690)[:, ::-1]
    assert mask.nearest(transform_points(world @ GRID, bright)).all() and mask.array.sum() == len(bright)
    labels, _ = read_label_map(f"{tmp_path}/case.mrb#organs", ct, "totalsegmentator_v2")
    np.testing.assert_array_equal(labels.labels.array, body()[1].array)


def test_a_left_handed_volume_and_overlapping_segments_come_back_as_they_are(slicer_scene, tmp_path):
    from Sim2RealLib.mrml.segmentations import labels_of
    from Sim2RealLib.mrml.volumes import make_volume

    hu, _ = body()
    mirrored = GRID @ np.diag([1.0, 1.0, -1.0, 1.0])
    make_volume(slicer_scene, Volume(hu.array, mirrored, "CT"), "CT")
    segments = slicer_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "overlap")
    for name, first in (("a", 2), ("b", 6), ("c", 9)):
        part = np.zeros(hu.array.shape, np.uint8)
        part[first : first + 6, 4:12, 8:30] = 1
        add_segment(segments, name, part, mirrored)
    save(tmp_path / "case.mrb")
    volume, _ = read_ct(tmp_path / "case.mrb#CT")
    centers = transform_points(mirrored, np.argwhere(np.ones_like(hu.array))[:, ::-1])
    np.testing.assert_array_equal(volume.nearest(centers), hu.array.ravel())  # Slicer turned the grid round
    labels, record = read_label_map(tmp_path / "case.mrb#overlap", volume, "totalsegmentator_v2")
    expected, _ = labels_of(segments, volume)
    np.testing.assert_array_equal(labels.labels.array, expected.labels.array)
    assert record["overlapping_voxels"] == (2 + 3) * 8 * 22
    assert [entry.name for entry in labels.classes] == ["a", "b", "c"]


def test_names_may_have_any_characters_and_must_be_one_nodes(nodes, slicer_scene, tmp_path):
    nodes["CT"].SetName("2: THORAX W/O #1 ö")
    save(tmp_path / "a#b.mrb")
    volume, record = read_volume(tmp_path / "a#b.mrb#2: THORAX W/O #1 ö")
    assert volume.array.max() == 700 and record["name"] == "a#b.mrb#2: THORAX W/O #1 ö"
    with pytest.raises(Sim2RealError, match=r"say which volume is meant, as in a#b.mrb#NAME; it has '2: THORAX W/O"):
        read_volume(tmp_path / "a#b.mrb")
    nodes["nail"].SetName("organs")
    save(tmp_path / "a#b.mrb")
    with pytest.raises(Sim2RealError, match="2 nodes are called 'organs'"):
        read_mask(tmp_path / "a#b.mrb#organs")
    nodes["points"].UnsetNthControlPointPosition(1)
    save(tmp_path / "a#b.mrb")
    with pytest.raises(Sim2RealError, match=r"a#b.mrb#points: landmark 'bottom' was never placed"):
        read_landmarks(tmp_path / "a#b.mrb#points")


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("case.mrb#CT", ("case.mrb", "CT")),
        ("Case.MRML#a/b#c", ("Case.MRML", "a/b#c")),
        ("case.mrb", ("case.mrb", "")),
        ("case.mrb#", ("case.mrb", "")),
        ("ct#2.nii.gz", None),
        ("case.mrbx#CT", None),
        ("real.mrb#CT.nrrd", None),  # is there
        ("folder.mrb#1/ct.nrrd", None),  # is there
        ("folder.mrb#1/inner.mrb#CT", ("folder.mrb#1/inner.mrb", "CT")),
    ],
)
def test_a_hash_separates_only_a_scene_from_a_node(path, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mrb#1").mkdir()
    for name in ("real.mrb#CT.nrrd", "folder.mrb#1/ct.nrrd", "folder.mrb#1/inner.mrb"):
        (tmp_path / name).touch()
    assert split_scene_path(path) == (parts and (Path(parts[0]), parts[1]))


def test_a_recipe_keeps_the_node_and_the_way_to_its_scene(tmp_path, monkeypatch):
    for folder in ("cases", "runs/today", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs" / "recipe.yaml").write_text(RECIPE + "input: {volume: '../cases/one.mrb#a/../b'}")
    recipe = load_recipe(tmp_path / "runs" / "recipe.yaml")
    assert str(recipe.input.volume) == f"{tmp_path}/cases/one.mrb#a/../b"
    assert "volume: ../../cases/one.mrb#a/../b\n" in to_yaml(recipe, tmp_path / "runs" / "today")
    monkeypatch.chdir(tmp_path / "elsewhere")  # as a worker on another machine
    travelled = json.loads(json.dumps(recipe.model_dump(mode="json")))
    assert type(recipe).model_validate(travelled) == recipe


def test_scenes_of_slicer_4_name_their_references_otherwise(nodes, slicer_scene, tmp_path):
    nodes["CT"].SetAndObserveTransformNodeID(parents(slicer_scene, MOVES["under a transform"]).GetID())
    scene = save_unpacked(tmp_path)
    text = scene.read_text()
    for role in ("storage", "transform", "display"):
        text = re.sub(rf'references="([^"]*?){role}:(\w+);', rf'{role}NodeRef="\2" references="\1', text)
    scene.write_text(text)
    assert "transformNodeRef" in text and "transform:" not in text
    volume, _ = read_ct(f"{scene}#CT")
    np.testing.assert_allclose(volume.ras_from_ijk, MOVES["under a transform"] @ GRID, atol=1e-4)
