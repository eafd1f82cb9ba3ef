"""Tools in recipes: what a frame carries of them, what refuses them, and metal behind which nothing is left."""

import json

import numpy as np
import pytest

from DRRSimLib.frame_checks import frame_checks, input_checks
from DRRSimLib.physics.materials import element_attenuation_cm2_g
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.simulation import NO_SIGNAL, open_simulation
from Sim2RealApp.export import export_dataset
from Sim2RealLib.convert.coco import write_coco
from Sim2RealLib.dataset.masks import decode_mask
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import write_volume

DEVICE = {
    "name": "small",
    "width_px": 200,
    "height_px": 160,
    "pixel_mm": 2.0,
    "source_to_detector_mm": 1000.0,
    "source_to_isocenter_mm": 650.0,
}
WIRE = {
    "kind": "kirschner_wire",
    "name": "wire",
    "diameter_mm": 4.0,
    "length_mm": 120.0,
    "pose": {"tip_ras": [30.0, -10.0, 20.0], "direction_ras": [0.5, 0.3, 1.0]},
}
FRONTAL = {"count": 1, "primary_range_deg": [0, 0], "secondary_range_deg": [0, 0]}
BLOCK = {"name": "block", "kind": "mesh", "file": "block.stl", "material": "lead"}


@pytest.fixture(scope="module", autouse=True)
def water(tmp_path_factory):
    """A block of water of 200 × 160 × 240 mm around the origin, the input of every recipe here."""
    path = tmp_path_factory.mktemp("ct") / "water.nrrd"
    spacing = np.diag([8.0, 8.0, 8.0, 1.0])
    spacing[:3, 3] = -104, -84, -124
    hu = np.full((32, 22, 27), -1000, np.int16)
    hu[1:-1, 1:-1, 1:-1] = 0
    write_volume(path, Volume(hu, spacing))
    INPUT["volume"] = str(path)


INPUT = {}


def recipe(tools, **sections) -> DrrRecipe:
    content = {
        "simulator": "drr",
        "input": INPUT | {"tools": tools},
        "carm": {"device": DEVICE, "isocenter_ras": [0, 0, 0]},
        "views": {"count": 2},
    }
    return validate(DrrRecipe, content | sections, "test")


def opened(tools, **sections):
    return open_simulation(recipe(tools, **sections), open_backend("llvm"))


def write_block(path, half_size=(100.0, 50.0, 100.0), left_out=0) -> None:
    """A cuboid as ASCII STL, in RAS."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half_size
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = [corners[[f[0], *pair]] for f in faces for pair in (f[1:3], f[2:4])][left_out:]
    facets = [
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x} {y} {z}\n" for x, y, z in t)
        + " endloop\nendfacet\n"
        for t in triangles
    ]
    path.write_text("solid block SPACE=RAS\n" + "".join(facets) + "endsolid\n")


def test_a_frame_has_class_mask_tip_and_axis_of_a_tool():
    simulation = opened([WIRE])
    frame = simulation.frame(1)
    entry = frame.record["tools"]["wire"]
    (tool_class,) = [found for found in simulation.header.classes if found.name == "wire"]
    assert entry["class_id"] == tool_class.id > 65535
    _, view, _ = simulation.view(1)
    direction = np.array([0.5, 0.3, 1.0]) / np.linalg.norm([0.5, 0.3, 1.0])
    tip = np.array([30.0, -10.0, 20.0])
    assert entry["tip"]["position_px"] == pytest.approx(view.project(tip))
    assert entry["end"]["position_px"] == pytest.approx(view.project(tip - 120 * direction))
    assert entry["direction"] == pytest.approx(view.camera_from_ras[:3, :3] @ direction)
    # The mask's pixels are those whose centre lies within the wire's image: 4 mm, here 3.1 pixels, around its axis.
    mask = decode_mask(frame.record["masks"][str(tool_class.id)])
    rows, columns = np.nonzero(mask)
    a, b = np.array(entry["tip"]["position_px"]), np.array(entry["end"]["position_px"])
    along = (b - a) / np.linalg.norm(b - a)
    offset = np.stack([columns, rows], axis=1) + 0.5 - a
    across = np.abs(offset @ [-along[1], along[0]])
    assert across.max() < 1.7 and (offset @ along).min() > -0.5
    assert (offset @ along).max() < np.linalg.norm(b - a) + 2
    assert mask.sum() == pytest.approx(3.1 * np.linalg.norm(b - a), rel=0.1)


def test_without_tools_nothing_is_added_to_a_frame():
    frame = opened([]).frame(0)
    assert "tools" not in frame.record and not frame.record["masks"]


def test_every_kind_is_exported_checked_and_converted(tmp_path):
    write_block(tmp_path / "block.stl", (8.0, 5.0, 30.0))
    kinds = [
        WIRE,
        {"kind": "cannulated_screw", "pose": {"tip_ras": [-40, 0, 10], "direction_ras": [1, 0, 0]}},
        {"kind": "plate", "mode": "add", "pose": {"tip_ras": [0, 40, 60], "direction_ras": [1, 0, 0], "roll_deg": 90}},
        {"kind": "hip_implant", "pose": {"tip_ras": [-90, 0, -150], "direction_ras": [0, 0, -1]}},
        BLOCK | {"file": str(tmp_path / "block.stl"), "axis": {"tip_ras": [0, 0, 30], "end_ras": [0, 0, -30]}},
    ]
    made = recipe(kinds, views={"count": 1}, output={"channels": ["intensity", "display"]})
    for _ in export_dataset(made, tmp_path / "d", "llvm"):
        pass
    dataset = Dataset.open(tmp_path / "d")
    names = [entry.name for entry in dataset.header.classes if entry.id > 65535]
    hip = [f"hip_implant_4_{part}" for part in ("stem", "head", "liner", "cup")]
    assert names == ["wire", "cannulated_screw_2", "plate_3", *hip, "block"]
    assert {"titanium_alloy", "uhmwpe", "cobalt_chromium", "lead"} <= set(dataset.header.extra["materials"])
    frame = dataset.frame(0)
    assert list(frame_checks(dataset)(frame)) == []
    assert list(input_checks(dataset, open_simulation(made, open_backend("llvm")))(frame)) == []
    (tmp_path / "coco").mkdir()
    assert list(write_coco(dataset, tmp_path / "coco")) == [1]
    content = json.loads((tmp_path / "coco" / "annotations.json").read_text())
    category = {entry["name"]: entry["id"] for entry in content["categories"]}
    annotated = {entry["category_id"] for entry in content["annotations"]}
    assert {category[name] for name in names} <= annotated


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda tool: tool["tip"]["position_px"].__setitem__(0, 3.0), "tip of wire: projects to"),
        (lambda tool: tool["end"].update(visible=False), "end of wire: its flags do not follow"),
        (lambda tool: tool["direction"].reverse(), "tool wire: its direction is not that of its axis"),
        (lambda tool: tool.update(tip=None), "tool wire: tip, end and direction do not go together"),
        (lambda tool: tool.update(class_id=7), "tool wire: its class is not 7"),
    ],
)
def test_a_changed_tool_is_found(tmp_path, change, complaint):
    for _ in export_dataset(recipe([WIRE], views={"count": 1}), tmp_path / "d", "llvm"):
        pass
    path = tmp_path / "d/frames/000/000000.json"
    record = json.loads(path.read_text())
    change(record["tools"]["wire"])
    path.write_text(json.dumps(record))
    dataset = Dataset.open(tmp_path / "d")
    assert any(complaint in fault for fault in frame_checks(dataset)(dataset.frame(0)))


def test_an_alloy_of_the_recipes_own_attenuates_as_its_elements(tmp_path):
    """TiNb in air: −ln(I / I₀) at one energy is the sum over its elements' (μ/ρ), times density and length."""
    write_block(tmp_path / "block.stl", (60.0, 2.0, 60.0))
    air = np.full((10, 10, 10), -1000, np.int16)
    air[0, 0, 0] = -990
    write_volume(tmp_path / "air.nrrd", Volume(air, np.diag([10.0, 10.0, 10.0, 1.0])))
    alloy = {"name": "ti_nb", "density_g_cm3": 5.6, "composition": {"Ti": 0.55, "Nb": 0.45}}
    block = BLOCK | {"file": str(tmp_path / "block.stl"), "material": alloy}
    simulation = opened(
        [],
        input={"volume": str(tmp_path / "air.nrrd"), "tools": [block]},
        views=FRONTAL,
        physics={"spectrum": {"monoenergetic_kev": 60.0}, "noise": {"photons_per_pixel": None}},
        output={"channels": ["attenuation"]},
    )
    ti, nb = (float(element_attenuation_cm2_g(symbol, 60.0)) for symbol in ("Ti", "Nb"))
    attenuation = simulation.frame(0).channels["attenuation"]
    assert attenuation[80, 100] == pytest.approx((0.55 * ti + 0.45 * nb) * 5.6 * 0.4, rel=1e-4)


def test_behind_ten_centimetres_of_lead_everything_stays_finite(tmp_path):
    """No photon gets through: e^(−2500) at the mean energy. Stored values are NO_SIGNAL or noise, never NaN or inf."""
    write_block(tmp_path / "block.stl")
    for noise in ({}, {"electronic_kev": 1000.0}, {"photons_per_pixel": None}):
        simulation = opened(
            [BLOCK | {"file": str(tmp_path / "block.stl")}],
            physics={"noise": noise},
            views=FRONTAL,
            output={"channels": ["intensity", "fraction", "attenuation", "display"]},
        )
        channels = simulation.frame(0).channels
        for name, image in channels.items():
            assert np.isfinite(image).all(), name
        dark = channels["intensity"][70:90, 90:110]
        if "electronic_kev" in noise:
            assert 0 < np.abs(dark).max() < 0.1
        else:
            assert np.all(dark == 0) and np.all(channels["attenuation"][70:90, 90:110] == NO_SIGNAL)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "nail"}, "nail"),
        ({"pose": {"tip_ras": [0, 0, 0]}}, "tip_ras and direction_ras go together"),
        ({"pose": {"tip_ras": [0, 0, 0], "direction_ras": [0, 0, 0]}}, "direction_ras must not be 0, 0, 0"),
        ({"pose": {}}, "give tip_ras with direction_ras, or ras_from_tool"),
        ({"pose": {"ras_from_tool": (2 * np.eye(4)).tolist()}}, "must be a rotation"),
        ({"material": "mithril"}, "must be one of air, water"),
        ({"material": {"name": "steel", "density_g_cm3": 8, "composition": {"Fe": 1}}}, "there already"),
        ({"material": {"name": "x", "density_g_cm3": 8, "composition": {"Fe": 0.5}}}, "must add up to 1, not 0.5"),
        ({"material": {"name": "x", "density_g_cm3": 8, "composition": {"Xx": 1}}}, "no element Xx; there are Ag, Al"),
        ({"diameter_mm": -1}, "diameter_mm"),
    ],
)
def test_impossible_tools_are_refused_before_any_work(change, complaint):
    with pytest.raises(Sim2RealError, match=complaint):
        recipe([WIRE | change])


def test_open_surfaces_names_given_twice_and_two_alloys_of_one_name_are_refused(tmp_path):
    write_block(tmp_path / "block.stl", left_out=1)
    with pytest.raises(Sim2RealError, match="is not closed: 3 of its 18 edges"):
        opened([BLOCK | {"file": str(tmp_path / "block.stl")}])
    with pytest.raises(Sim2RealError, match="two tools are called wire"):
        opened([WIRE, WIRE])
    alloys = [{"name": "x", "density_g_cm3": density, "composition": {"Fe": 1}} for density in (7, 8)]
    with pytest.raises(Sim2RealError, match="two different alloys are called x"):
        opened([WIRE | {"material": alloys[0]}, WIRE | {"name": "other", "material": alloys[1]}])


def test_a_ct_with_a_hip_implant_shows_it_as_metal(real_data):
    """The patient's left hip: voxels above 2500 HU are metal, they lie on the left, and all of the image is finite."""
    folder = real_data / "abdomen_pelvis"
    simulation = opened(
        [],
        input={"volume": str(folder / "ct.nii.gz"), "labels": str(folder / "labels.nii.gz")},
        views=FRONTAL,
        carm={"device": DEVICE | {"width_px": 220, "height_px": 220}},
        physics={"materials": {"metal": "cobalt_chromium"}},
        output={"channels": ["attenuation"], "material_thickness": ["cobalt_chromium", "cortical_bone"]},
    )
    hu = simulation.anatomy.hu
    metal = np.argwhere(hu.array > 2500)
    assert len(metal) > 300
    frame = simulation.frame(0)
    thickness = frame.channels["material_cobalt_chromium"]
    rows, columns = np.nonzero(thickness > 5)
    assert len(rows) > 20 and columns.min() > 110  # the patient's left at the image's right
    assert np.isfinite(frame.channels["attenuation"]).all()
    assert (
        frame.channels["attenuation"][rows, columns].min() > frame.channels["attenuation"][rows, 219 - columns].mean()
    )
