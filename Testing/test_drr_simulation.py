"""A recipe's frames as a whole: what they carry, on generated and on real anatomy."""

import numpy as np
import pytest

from DRRSimLib.anatomy import load_anatomy
from DRRSimLib.recipe import DrrRecipe, Input
from DRRSimLib.simulation import open_simulation
from Sim2RealLib.dataset.masks import decode_mask
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import translation
from Sim2RealLib.landmarks import write_landmarks
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


def simulation(**sections):
    content = {"simulator": "drr", "carm": {"device": DEVICE}, "views": {"count": 4}} | sections
    return open_simulation(validate(DrrRecipe, content, "test"), open_backend("llvm"))


@pytest.fixture(scope="module")
def pelvis():
    return simulation(
        input={"anatomy": {"seed": 3, "spacing_mm": 3.0}},
        views={"count": 4, "collimation_mm": [260.0, 200.0], "jitter": {"isocenter_mm": 20.0}},
        output={
            "channels": ["intensity", "fraction", "attenuation", "display"],
            "thickness": ["hip_left", "sacrum"],
            "material_thickness": ["cortical_bone"],
            "heatmaps": {"sigma_px": 4.0, "downsampling": 2},
        },
    )


@pytest.fixture(scope="module")
def frame(pelvis):
    return pelvis.frame(1)


def test_a_frame_has_the_channels_that_the_header_announces(pelvis, frame):
    assert frame.channels.keys() == pelvis.header.channels.keys()
    for name, image in frame.channels.items():
        assert str(image.dtype) == pelvis.header.channels[name].dtype
        assert image.shape == ((23, 80, 100) if name == "heatmaps" else (160, 200))


def test_landmarks_lie_where_the_stored_camera_puts_them(pelvis, frame):
    """K [R | t] X by plain matrices, as a user would."""
    camera = frame.record["camera"]
    for name, position in pelvis.header.extra["landmarks_ras"].items():
        point = np.array(camera["matrix"]) @ (np.array(camera["camera_from_world"]) @ [*position, 1])[:3]
        assert frame.record["landmarks"][name]["position_px"] == pytest.approx(point[:2] / point[2])


def test_landmarks_on_bone_lie_in_the_mask_of_their_bone(pelvis, frame):
    """Landmarks are on the surface, at a silhouette perhaps: the nearest mask pixel is at most a voxel away."""
    for name, label in (("anterior_superior_iliac_spine_left", "hip_left"), ("ischial_spine_right", "hip_right")):
        class_id = next(entry.id for entry in pelvis.header.classes if entry.name == label)
        rows, columns = np.nonzero(decode_mask(frame.record["masks"][str(class_id)]))
        x, y = frame.record["landmarks"][name]["position_px"]
        assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).min() < 3.0


def test_flags_of_landmarks_are_consistent(frame):
    left, top, right, bottom = frame.record["carm"]["open_field_px"]
    seen = set()
    for record in frame.record["landmarks"].values():
        x, y = record["position_px"]
        assert record["in_field"] == (0 <= x < 200 and 0 <= y < 160)
        assert record["collimated"] == (record["in_field"] and not (left <= x <= right and top <= y <= bottom))
        assert record["visible"] == (record["in_field"] and not record["collimated"])
        assert (record["tissue_mm"] is None) != record["in_field"]
        assert record["tissue_mm"] is None or 50 < record["tissue_mm"] < 600
        seen.add((record["in_field"], record["collimated"]))
    assert {(True, False), (True, True)} <= seen


def test_behind_the_blades_there_is_no_signal(frame):
    left, top, right, bottom = (round(edge) for edge in frame.record["carm"]["open_field_px"])
    outside = np.ones((160, 200), bool)
    outside[top:bottom, left:right] = False
    assert not frame.channels["intensity"][outside].any()
    assert np.all(frame.channels["attenuation"][outside] == -100)
    assert np.all(frame.channels["intensity"][~outside] > 0)


def test_the_fraction_of_the_open_beam_and_its_logarithm(pelvis, frame):
    open_beam = pelvis.header.extra["open_beam_kev"]
    images = frame.channels
    assert images["fraction"] == pytest.approx(images["intensity"] / open_beam, rel=1e-6)
    lit = images["intensity"] > 0
    assert images["attenuation"][lit] == pytest.approx(-np.log(images["fraction"][lit]), abs=1e-5)


def test_heatmaps_peak_at_visible_landmarks(frame):
    for page, record in zip(frame.channels["heatmaps"], frame.record["landmarks"].values(), strict=True):
        if not record["visible"]:
            assert not page.any()
            continue
        row, column = np.unravel_index(page.argmax(), page.shape)
        assert [2 * column + 1, 2 * row + 1] == pytest.approx(record["position_px"], abs=1.0)
        assert page.max() == pytest.approx(1.0, abs=0.07)
        # The integral of a Gaussian of peak 1 is 2πσ², here in pixels of 2 × 2; σ = 4 px
        assert (
            page.sum() == pytest.approx(2 * np.pi * 16 / 4, rel=0.02) or min(row, column) < 8 or row > 71 or column > 91
        )


def test_frames_differ_and_depend_on_their_index_alone(pelvis, frame):
    other = pelvis.frame(2)
    assert other.record["carm"] != frame.record["carm"]
    again = pelvis.frame(1)
    assert again.record == frame.record
    assert all(np.array_equal(again.channels[name], image) for name, image in frame.channels.items())


def test_any_pose_can_be_exposed_and_is_what_the_frame_shows(pelvis, frame):
    pose, *_ = pelvis.view(1)
    assert np.array_equal(pelvis.expose(pose, frame=1), frame.channels["intensity"])


@pytest.mark.parametrize(
    ("physics", "message"),
    [
        ({"spectrum": {"preset": "60kV_Al3.5", "filtration_mm_cu": 3.0}}, "filtration_mm_cu .* give kvp, not preset"),
        ({"noise": {"photons_per_pixel": None, "electronic_kev": 5.0}}, "give photons_per_pixel too"),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(physics, message):
    with pytest.raises(Sim2RealError, match=message):
        simulation(physics=physics)


def test_noise_can_be_switched_off():
    clean = simulation(
        input={"anatomy": {"seed": 3, "spacing_mm": 4.0}}, physics={"noise": {"photons_per_pixel": None}}
    )
    noisy = simulation(input={"anatomy": {"seed": 3, "spacing_mm": 4.0}})
    ratio = noisy.frame(0).channels["intensity"] / clean.frame(0).channels["intensity"]
    assert 0.001 < (ratio - 1).std() < 0.1 and abs(ratio.mean() - 1) < 0.002


def test_a_conventional_drr_is_the_exponential_of_its_water_path():
    """One energy, one material: −ln(I / E) = μ/ρ(60 keV) · A, with NIST's 0.2058 cm²/g for water."""
    one = simulation(
        input={"anatomy": {"seed": 3, "spacing_mm": 4.0}},
        physics={
            "spectrum": {"monoenergetic_kev": 60.0},
            "materials": {"rule": "conventional"},
            "noise": {"photons_per_pixel": None},
        },
        output={"channels": ["attenuation"], "material_thickness": ["water"]},
    )
    assert one.scene.materials == ("water",) and one.exposure.spectrum.open_beam_kev == 60.0
    frame = one.frame(0)
    thickness_cm = frame.channels["material_water"] / 10
    density = frame.channels["attenuation"][thickness_cm > 5] / 0.2058 / thickness_cm[thickness_cm > 5]
    assert 0.9 < np.median(density) < 1.15  # a body's mean density


def test_an_implant_from_a_mask_absorbs_like_metal(tmp_path):
    """A titanium sphere of 2 cm radius in water HU: behind its middle −ln T rises by (μ_Ti − μ_water) · 4 cm."""
    size, spacing = 48, 4.0
    affine = translation([-(size - 1) * spacing / 2] * 3) @ np.diag([spacing] * 3 + [1.0])
    hu = np.full((size,) * 3, -1000, np.int16)
    hu[8:-8, 8:-8, 8:-8] = 0
    fine_affine = translation([-30.0, -30.0, -30.0])
    k, j, i = np.mgrid[:61, :61, :61]
    sphere = (np.hypot(np.hypot(k - 30, j - 30), i - 30) < 20).astype(np.uint8)
    write_volume(tmp_path / "ct.nii.gz", Volume(hu, affine))
    write_volume(tmp_path / "sphere.nrrd", Volume(sphere, fine_affine))
    sections = {
        "carm": {"device": DEVICE, "isocenter_ras": [0, 0, 0]},
        "views": {"count": 1, "primary_range_deg": [0, 0], "secondary_range_deg": [0, 0]},
        "physics": {"spectrum": {"monoenergetic_kev": 80.0}, "noise": {"photons_per_pixel": None}},
        "output": {"channels": ["attenuation"]},
    }
    volume = {"volume": str(tmp_path / "ct.nii.gz")}
    implant = {"implants": [{"volume": str(tmp_path / "sphere.nrrd"), "material": "titanium"}]}
    before = simulation(input=volume, **sections).frame(0).channels["attenuation"]
    after = simulation(input=volume | implant, **sections).frame(0).channels["attenuation"]
    rise = (after - before)[80, 100]
    expected = (0.4052 * 4.506 - 0.1836) * 4.0  # NIST μ/ρ at 80 keV; density of titanium
    assert rise == pytest.approx(expected, rel=0.03)  # the sphere's voxels are 1 mm, the water's 4 mm
    assert (after - before)[5, 5] == 0


def test_inputs_leave_their_provenance(tmp_path):
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    hu = np.full((30, 30, 30), -1000, np.int16)
    hu[5:25, 5:25, 5:25] = 40
    hu[0, 0, 0] = -2000
    labels = np.zeros(hu.shape, np.uint8)
    labels[10:20, 10:20, 10:20] = 25
    write_volume(tmp_path / "ct.nii.gz", Volume(hu, affine))
    write_volume(tmp_path / "labels.nii.gz", Volume(labels, affine))
    write_landmarks(tmp_path / "points.mrk.json", {"tip": np.array([30.0, 40.0, 50.0])})
    built = simulation(
        input={
            "volume": str(tmp_path / "ct.nii.gz"),
            "labels": str(tmp_path / "labels.nii.gz"),
            "landmarks": str(tmp_path / "points.mrk.json"),
            "license": "CC0",
        }
    )
    ct, label_map, points = built.header.inputs
    assert ct["raised_to_lowest_hu"] == 1 and ct["license"] == "CC0" and len(ct["sha256"]) == 64
    assert label_map["role"] == "labels" and points["role"] == "landmarks"
    assert [entry.name for entry in built.header.classes] == ["sacrum"]
    assert built.isocenter_ras == pytest.approx([30, 40, 50])
    assert built.frame(0).record["landmarks"]["tip"]["visible"]


def test_interpolated_hu_are_rounded_and_absurd_ones_refused(tmp_path):
    hu = np.random.default_rng(0).uniform(-1000, 1000, (6, 7, 8)).astype(np.float32)
    write_volume(tmp_path / "ct.nrrd", Volume(hu, np.eye(4)))
    loaded = load_anatomy(Input(volume=tmp_path / "ct.nrrd")).hu.array
    assert loaded.dtype == np.int16 and np.abs(loaded - hu).max() <= 0.5
    hu[0, 0, 0] = 40000
    write_volume(tmp_path / "ct.nrrd", Volume(hu, np.eye(4)))
    with pytest.raises(Sim2RealError, match="40000 HU are more than a CT can show"):
        load_anatomy(Input(volume=tmp_path / "ct.nrrd"))


def test_names_that_the_input_lacks_are_refused():
    for output, message in (
        ({"thickness": ["liver"]}, "output.thickness: liver is not in this input"),
        ({"material_thickness": ["gold"]}, "output.material_thickness.0: 'gold', must be"),
        ({"material_thickness": ["lead"]}, "output.material_thickness: lead is not in this input"),
    ):
        with pytest.raises(Sim2RealError, match=message):
            simulation(input={"anatomy": {"spacing_mm": 4.0}}, output=output)


def test_poses_out_of_range_stop_the_frame_or_are_clamped_and_said(caplog):
    device = DEVICE | {"primary_range_deg": [-10.0, 10.0]}
    views = {"count": 2, "primary_range_deg": [30, 30], "secondary_range_deg": [0, 0]}
    sections = {"input": {"anatomy": {"spacing_mm": 4.0}}, "carm": {"device": device}}
    with pytest.raises(Sim2RealError, match=r"views.primary_range_deg .* 30° to 30°, small reaches -10° to 10°"):
        simulation(views=views, **sections)
    record = simulation(views=views | {"on_limit": "clamp"}, **sections).frame(0).record["carm"]
    assert record["primary_deg"] == 10.0 and "outside" in record["clamped"][0]
    assert "Frame 0 is clamped" in caplog.text


def test_both_planes_of_a_biplane_show_the_same_patient():
    """Two views of a landmark give its place back: the rays through its two image points meet there."""
    built = simulation(
        input={"anatomy": {"spacing_mm": 4.0}},
        carm={"device": "generic_biplane"},
        views={"count": 2, "primary_range_deg": [-20, 20], "jitter": {"isocenter_mm": 10.0, "in_plane_deg": 5.0}},
        output={"channels": ["display"]},
    )
    assert built.header.frame_count == 4
    frontal, lateral = (built.frame(index).record for index in (2, 3))
    assert [record["carm"]["device"] for record in (frontal, lateral)] == ["frontal", "lateral"]
    assert frontal["carm"]["exposure"] == lateral["carm"]["exposure"] == 1
    matrices = [
        np.array(r["camera"]["matrix"]) @ np.array(r["camera"]["camera_from_world"])[:3] for r in (frontal, lateral)
    ]
    name = "sacral_promontory"
    rows = []
    for matrix, record in zip(matrices, (frontal, lateral), strict=True):
        x, y = record["landmarks"][name]["position_px"]
        rows += [x * matrix[2] - matrix[0], y * matrix[2] - matrix[1]]
    *_, v = np.linalg.svd(np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True))
    assert v[-1][:3] / v[-1][3] == pytest.approx(built.header.extra["landmarks_ras"][name], abs=1e-3)


def test_a_beam_past_the_patient_and_an_implant_beside_him_are_warned_of(tmp_path, caplog):
    write_volume(tmp_path / "rod.nrrd", Volume(np.ones((4, 4, 20), np.uint8), translation([5000.0, 0, 0])))
    implants = [{"volume": str(tmp_path / "rod.nrrd"), "material": "steel"}]
    simulation(
        input={"anatomy": {"spacing_mm": 4.0}, "implants": implants},
        carm={"device": DEVICE, "isocenter_ras": [0, 0, 900]},
    )
    assert "The isocentre [0.0, 0.0, 900.0] lies outside" in caplog.text
    assert "The implant rod.nrrd of steel lies outside" in caplog.text


@pytest.mark.parametrize(("name", "labels"), [("pelvis", False), ("abdomen_pelvis", True)])
def test_real_ct_gives_a_plausible_image(real_data, name, labels):
    """The central ray through a supine adult's pelvis: some 20 cm of tissue, hence −ln T of 3 to 7 at 90 kV."""
    folder = real_data / name
    chosen = {"volume": str(folder / "ct.nii.gz")} | ({"labels": str(folder / "labels.nii.gz")} if labels else {})
    built = simulation(input=chosen, views={"count": 1, "primary_range_deg": [0, 0], "secondary_range_deg": [0, 0]})
    frame = built.frame(0)
    attenuation = -np.log(frame.channels["intensity"] / built.header.extra["open_beam_kev"])
    assert 3 < np.median(attenuation[70:90, 90:110]) < 7
    if labels:
        positions = {}
        for entry in built.header.classes:
            if str(entry.id) in frame.record["masks"]:
                x, _, width, _ = frame.record["masks"][str(entry.id)]["box_px"]
                positions[entry.name] = x + width / 2
        assert positions["hip_right"] < 100 < positions["hip_left"]  # the patient's right at the image's left


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"physics": {"noise": {"crosstalk": [[0] * 3] * 3}}}, "crosstalk weights must not be negative, nor all 0"),
        ({"views": {"collimation_mm": [-3, 5]}}, "the collimated field must stay open"),
        ({"views": {"collimation_mm": [20, 20], "jitter": {"collimation_mm": 60}}}, "must stay open"),
        ({"views": {"jitter": {"source_to_isocenter_mm": 650}}}, "can move the isocentre"),
        ({"views": {"detector_offset_mm": [150, 0], "jitter": {"detector_offset_mm": 50}}}, "past the central ray"),
        ({"views": {"sampler": "grid", "count": 7}}, "views: a grid over these ranges has 6 or 9 views, not 7"),
        ({"carm": {"device": "generic_biplane"}, "views": {"primary_range_deg": [-60, 80]}}, "on the lateral plane"),
        ({"physics": {"spectrum": {"kvp": 200}}}, "kvp 200: the shipped spectra cover 40 to 150"),
        ({"physics": {"materials": {"metal": "bone"}}}, "physics.materials.metal: 'bone', must be 'titanium'"),
        ({"physics": {"noise": {"photons_per_pixel": 1e39}}}, "less than or equal to"),
        ({"output": {"channels": []}}, "output.channels"),
        ({"output": {"thickness": ["sacrum", "sacrum"]}}, "each name may be there once"),
        ({"carm": {"device": "generic_byplane"}}, "carm.device: .generic_byplane., must be one of .*generic_biplane"),
        ({"carm": {"device": DEVICE | {"source_to_isocenter_mm": 1100}}}, "must lie between source and detector"),
        ({"carm": {"device": DEVICE | {"primary_range_deg": [50, -50]}}}, "a range runs from low to high"),
        ({"carm": {"device": DEVICE | {"width_px": 60000}}}, "less than or equal to 8192"),
    ],
)
def test_recipes_that_cannot_be_exposed_are_refused_before_any_work(sections, message):
    with pytest.raises(Sim2RealError, match=message):
        simulation(**sections)


def test_an_implant_may_fill_its_grid_but_not_be_empty(tmp_path):
    write_volume(tmp_path / "rod.nrrd", Volume(np.ones((4, 4, 20), np.uint8), np.eye(4)))
    write_volume(tmp_path / "none.nrrd", Volume(np.zeros((4, 4, 20), np.uint8), np.eye(4)))
    implants = [{"volume": str(tmp_path / "rod.nrrd"), "material": "steel"}]
    assert "steel" in simulation(input={"anatomy": {"spacing_mm": 4.0}, "implants": implants}).scene.materials
    implants[0]["volume"] = str(tmp_path / "none.nrrd")
    with pytest.raises(Sim2RealError, match="empty mask"):
        simulation(input={"anatomy": {"spacing_mm": 4.0}, "implants": implants})
