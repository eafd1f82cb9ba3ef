"""Voxels to materials: rules on hand-made voxels, the physics against the CT number itself, and a real CT."""

import numpy as np
import pytest

from DRRSimLib.physics.materials import mass_attenuation_cm2_g, material, material_names
from DRRSimLib.physics.tissues import METALS, NOMINAL_DENSITY_MATERIALS, RULES, classify, voxel_density_g_cm3
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.label_table import label_groups
from Sim2RealLib.volume_io import read_ct, read_labels

GROUPS = {1: "bone", 2: "lung", 3: "vessel", 4: "bowel", 5: "muscle", 6: "organ"}


def materials_of(hu, labels=None, **options) -> list[str]:
    """The names of the materials of a row of voxels."""
    row = np.array([[hu]], np.int16)
    index, names = classify(row, None if labels is None else np.array([[labels]], np.uint8), GROUPS, **options)
    assert index.dtype == np.uint8
    assert index.shape == row.shape
    return [names[number] for number in index.reshape(-1)]


def test_unlabelled_voxels_follow_their_hu():
    hu = [-1024, -950, -700, -100, 0, 40, 300, 1500, 3071]
    expected = ["air", "air", "lung", "adipose", "soft_tissue", "soft_tissue", "trabecular_bone", "cortical_bone"]
    assert materials_of(hu) == [*expected, "titanium"]


def test_groups_decide_what_an_hu_means():
    """40 HU in every group; no marrow becomes soft tissue, not even fatty marrow; gas in bowel stays air."""
    assert materials_of([40] * 7, [0, 1, 2, 3, 4, 5, 6]) == [
        *("soft_tissue", "bone_marrow", "lung", "blood", "soft_tissue", "muscle", "soft_tissue")
    ]
    assert materials_of([-90, 200, 1200, 3000], [1, 1, 1, 1]) == [
        *("bone_marrow", "trabecular_bone", "cortical_bone", "titanium")
    ]
    assert materials_of([-1000, -500, 300, 1500], [4, 4, 4, 4]) == [
        *("air", "soft_tissue", "iodine_contrast", "iodine_contrast")
    ]
    assert materials_of([-930, -800, 250, -80], [2, 2, 3, 5]) == ["lung", "lung", "iodine_contrast", "adipose"]


def test_the_metal_is_the_one_asked_for():
    assert materials_of([3000], metal="cobalt_chromium") == ["cobalt_chromium"]


def test_three_materials_split_at_minus_800_and_350():
    hu = [-1000, -800, -799, 350, 351, 3000]
    expected = ["air", "air", "soft_tissue", "soft_tissue", "cortical_bone", "cortical_bone"]
    assert materials_of(hu, [4] * 6, rules=RULES["three_materials"]) == expected


def test_the_conventional_rule_knows_only_water():
    assert materials_of([-1000, 0, 3000], [0, 1, 2], rules=RULES["conventional"]) == ["air", "water", "water"]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint16])
def test_integer_types_and_memory_layouts_do_not_matter(dtype):
    """Against the definition of the intervals, voxel by voxel."""
    low, high = max(np.iinfo(dtype).min, -40000), min(np.iinfo(dtype).max, 40000)
    hu = np.random.default_rng(1).integers(low, high, (4, 5, 6), endpoint=True).astype(dtype).transpose(2, 0, 1)
    index, names = classify(hu)
    rule = RULES["tissues"].unlabelled
    for value, number in zip(hu.reshape(-1).tolist(), index.reshape(-1).tolist(), strict=True):
        expected = rule.materials[sum(value > limit for limit in rule.limits_hu)]
        assert names[number] == ("titanium" if expected == "metal" else expected)


def test_every_material_of_the_rules_exists():
    for rules in RULES.values():
        for rule in [rules.unlabelled, *rules.groups.values()]:
            assert set(rule.materials) - {"metal"} <= set(material_names())
            assert len(rule.materials) == len(rule.limits_hu) + 1
            assert list(rule.limits_hu) == sorted(set(rule.limits_hu))
    assert set(METALS) <= NOMINAL_DENSITY_MATERIALS <= set(material_names())


@pytest.mark.parametrize("group", ["unlabelled", *RULES["tissues"].groups])
def test_tissues_attenuate_at_70_kev_as_the_ct_says(group):
    """HU = 1000 (μ / μ_water − 1) by definition. Six materials for all mixtures of bone and marrow leave 10 %."""
    rules = RULES["tissues"]
    rule = rules.unlabelled if group == "unlabelled" else rules.groups[group]
    hu = np.arange(-850, 2501)
    numbers = np.searchsorted(rule.limits_hu, hu)
    water = mass_attenuation_cm2_g("water", 70.0)
    for number, name in enumerate(rule.materials):
        here = hu[numbers == number]
        if name in ("air", "metal") or here.size == 0:
            continue
        relative = voxel_density_g_cm3(name, here) * mass_attenuation_cm2_g(name, 70.0) / water
        tolerance = 0.10 if name in ("trabecular_bone", "cortical_bone") else 0.06
        assert relative == pytest.approx(1.0 + here / 1000.0, rel=tolerance), name


def test_manufactured_materials_have_their_nominal_density():
    """CT numbers of metals saturate: 3071 HU would make titanium 2.8 g/cm³."""
    assert voxel_density_g_cm3("titanium", np.array([2600, 3071])).tolist() == [4.51, 4.51]
    assert voxel_density_g_cm3("pmma", np.array([0])).tolist() == [1.19]


def test_contrast_medium_of_its_own_concentration_has_its_own_density():
    """12 mg iodine per ml: at 70 keV, NIST's μ/ρ of water .1929 and of iodine 5.02 give about 300 HU."""
    shown_hu = 1000 * (1.014 * (0.988 * 0.193 + 0.0118 * 5.02) / 0.193 - 1)
    assert voxel_density_g_cm3("iodine_contrast", np.array([shown_hu])) == pytest.approx(
        material("iodine_contrast").density_g_cm3, rel=0.01
    )


def test_what_cannot_be_classified_is_refused():
    hu = np.zeros((2, 2, 2), np.int16)
    with pytest.raises(Sim2RealError, match="one grid"):
        classify(hu, np.zeros((2, 2, 3), np.uint8), GROUPS)
    with pytest.raises(Sim2RealError, match=r"Label 9 is of the group “plastic”.*bowel"):
        classify(hu, np.zeros((2, 2, 2), np.uint8), {9: "plastic"})
    with pytest.raises(Sim2RealError, match=r"“water” is no metal.*titanium"):
        classify(hu, metal="water")
    with pytest.raises(ValueError, match="whole numbers"):
        classify(hu.astype(np.float32))


def test_a_real_ct_shows_its_implant_its_gas_and_its_bones(real_data):
    """The patient has a metal implant in the left femur, gas and stool in the colon, and no contrast in the vessels."""
    ct = read_ct(real_data / "abdomen_pelvis" / "ct.nii.gz")[0]
    labels = read_labels(real_data / "abdomen_pelvis" / "labels.nii.gz", ct)[0]
    groups = label_groups("totalsegmentator_v2")
    index, names = classify(ct.array, labels.array, groups)

    def voxels(name: str) -> np.ndarray:
        return index == names.index(name)

    in_group = {
        group: np.isin(labels.array, [i for i, each in groups.items() if each == group]) for group in GROUPS.values()
    }

    metal = np.argwhere(voxels("titanium"))
    metal_ras = transform_points(ct.ras_from_ijk, metal[:, ::-1].astype(float))
    body_ras = transform_points(ct.ras_from_ijk, np.argwhere(ct.array > -300)[:, ::-1].astype(float))
    assert len(metal) > 100
    assert metal_ras[:, 0].max() < body_ras[:, 0].mean() - 50.0  # R is positive: the patient's left
    assert set(np.unique(labels.array[voxels("titanium")])) == {75}  # femur_left

    bone_names = {names[number] for number in np.unique(index[in_group["bone"]])}
    assert bone_names == {"bone_marrow", "trabecular_bone", "cortical_bone", "titanium"}
    assert voxels("air")[in_group["bowel"]].mean() > 0.05
    dense_bowel = in_group["bowel"] & (ct.array > 200)
    assert dense_bowel.any()
    assert (index[dense_bowel] == names.index("iodine_contrast")).all()
    assert voxels("blood")[in_group["vessel"]].mean() > 0.9
    assert voxels("muscle")[in_group["muscle"]].mean() > 0.7
    assert voxels("air")[(ct.array < -990) & (labels.array == 0)].all()
