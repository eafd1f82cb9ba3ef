"""Parametric tools: closed, oriented, and of the volume that their dimensions say."""

import numpy as np
import pytest
from scipy.integrate import quad

from DRRSimLib.tools.cannulated_screw import CREST, FLANK, CannulatedScrew
from DRRSimLib.tools.hip_implant import TAPER_MM, HipImplant
from DRRSimLib.tools.kirschner_wire import KirschnerWire
from DRRSimLib.tools.plate import Plate
from DRRSimLib.tools.section import Pose
from DRRSimLib.tools.surfaces import SIDES, volume_mm3
from DRRSimLib.tools.tool import require_oriented
from Sim2RealLib.mesh import TriangleMesh

POSE = Pose(tip_ras=(0, 0, 0), direction_ras=(0, 0, 1))
POLYGON = SIDES / (2 * np.pi) * np.sin(2 * np.pi / SIDES)
"""Area of a circle's polygon over that of the circle."""


def wire(**sections) -> KirschnerWire:
    return KirschnerWire(kind="kirschner_wire", pose=POSE, **sections)


def screw(**sections) -> CannulatedScrew:
    return CannulatedScrew(kind="cannulated_screw", pose=POSE, **sections)


def plate(**sections) -> Plate:
    return Plate(kind="plate", pose=POSE, **sections)


def hip(**sections) -> HipImplant:
    return HipImplant(kind="hip_implant", pose=POSE, **sections)


@pytest.mark.parametrize("section", [wire(), screw(), plate(), plate(bend_radius_mm=None), hip()])
def test_every_part_is_closed_and_faces_outwards(section):
    for part in section.parts():
        assert part.mesh.is_watertight()
        require_oriented("part", part.mesh)
        assert volume_mm3(part.mesh) > 0


def test_a_wire_is_a_cylinder_and_a_pyramid_cut_by_it():
    section = wire(diameter_mm=2.0, length_mm=100.0, tip_angle_deg=15.0)
    slope = np.tan(np.deg2rad(15))

    def area(depth: float) -> float:
        """Of the circle of radius 1 within three lines at this distance from its centre: π less three segments, or
        below half the radius the triangle."""
        distance = depth * slope
        if distance <= 0.5:
            return 3 * np.sqrt(3) * distance**2
        return np.pi - 3 * (np.arccos(distance) - distance * np.sqrt(1 - distance**2))

    tip = sum(quad(area, *ends)[0] for ends in ((0, 0.5 / slope), (0.5 / slope, 1 / slope)))
    expected = tip + np.pi * (100 - 1 / slope)
    assert volume_mm3(section.parts()[0].mesh) == pytest.approx(expected, rel=2e-3)


def test_a_screw_is_its_core_thread_shaft_and_head_without_the_bore():
    section = screw(thread_length_mm=27.5)  # ten turns
    core, crest, head, shaft, bore = 2.25, 3.5, 4.0, 2.25, 1.05
    height = crest - core
    # Mean of (core + height · h)² over a turn: h rises and falls over FLANK each, is 1 over CREST
    thread = core**2 + 2 * core * height * (FLANK + CREST) + height**2 * (2 * FLANK / 3 + CREST)
    cut = np.sqrt(head**2 - shaft**2)
    ball = np.pi * (head**2 * cut - cut**3 / 3)
    expected = np.pi * (thread * 27.5 + shaft**2 * (80 - 27.5 - cut) - bore**2 * 80) + ball
    # Chords between the rings of head and thread take a little off
    assert volume_mm3(section.parts()[0].mesh) == pytest.approx(expected * POLYGON, rel=2e-3)


def test_a_thread_is_a_right_handed_helix():
    """Along the crest, height along the axis grows with the angle about it, a pitch a turn."""
    section = screw()
    vertices = section.parts()[0].mesh.vertices_ras
    crest = vertices[np.isclose(np.hypot(vertices[:, 0], vertices[:, 1]), 3.5)]
    crest = crest[crest[:, 2] > -31]
    angle = np.arctan2(crest[:, 1], crest[:, 0]) / (2 * np.pi)
    assert len(crest) > 500
    phase = (crest[:, 2] / 2.75 - angle) % 1.0
    assert np.abs(phase - np.median(phase)).max() < 0.1


@pytest.mark.parametrize("bend", [None, 60.0])
def test_a_plate_is_its_bar_without_the_holes(bend):
    """Bending keeps the volume: what is pressed inside the middle plane is stretched outside (Pappus)."""
    expected = 2.8 * (10.0 * 12.0 - np.pi * 1.8**2) * 5
    assert volume_mm3(plate(holes=5, bend_radius_mm=bend).parts()[0].mesh) == pytest.approx(expected, rel=1e-3)


def test_a_bent_plate_keeps_its_length_and_turns_towards_its_normal():
    tip, end = plate(holes=10, bend_radius_mm=100.0).parts()[0].axis
    assert tip == pytest.approx(np.zeros(3))
    assert end == pytest.approx([100 * (1 - np.cos(1.2)), 0, -100 * np.sin(1.2)])


def test_a_hip_implants_parts_have_their_volumes_and_fit_into_each_other():
    section = hip()
    stem, head, liner, cup = section.parts()
    ball = 4 / 3 * np.pi
    assert volume_mm3(head.mesh) == pytest.approx(ball * 16**3, rel=3e-3)
    assert volume_mm3(liner.mesh) == pytest.approx(ball / 2 * (22**3 - 16**3), rel=3e-3)
    assert volume_mm3(cup.mesh) == pytest.approx(ball / 2 * (26**3 - 22**3), rel=3e-3)
    center = section.head_center_mm
    for part, inner, outer in ((head, 16, 16), (liner, 16, 22), (cup, 22, 26)):
        distance = np.linalg.norm(part.mesh.vertices_ras - center, axis=1)
        assert distance[:-2].min() == pytest.approx(inner) and distance[:-2].max() == pytest.approx(outer)
    # A half ball, an elliptic frustum, and the neck, which overlaps with the stem: volumes count it twice
    tip, long = 4.5, 140.0 - 4.5
    a0, a1, b0, b1 = tip, 14.0, tip, 7.0
    frustum = np.pi * long / 6 * (2 * a0 * b0 + a0 * b1 + a1 * b0 + 2 * a1 * b1)
    neck = np.linalg.norm(center - [0, 0, -133.0]) + 0.3 * 16
    thin, thick = np.array(TAPER_MM) / 2
    cone = np.pi * neck / 3 * (thin**2 + thin * thick + thick**2)
    assert volume_mm3(stem.mesh) == pytest.approx(ball / 2 * tip**3 + frustum + cone, rel=3e-3)


def test_a_hip_implants_angles_are_those_asked_for():
    section = hip(neck_shaft_angle_deg=135, offset_mm=40, cup_inclination_deg=40, cup_anteversion_deg=20)
    center = section.head_center_mm
    assert center == pytest.approx([40, 0, -180])  # 45° up from 140 mm
    cup = section.parts()[3].mesh
    dome = cup.vertices_ras[-1] - center
    assert np.linalg.norm(dome) == pytest.approx(26)
    # Murray 1993, radiographic: the angle to the coronal plane, and in it to the body's long axis
    opening = -dome / 26
    assert np.rad2deg(np.arcsin(opening[1])) == pytest.approx(20)
    assert np.rad2deg(np.arctan2(-opening[0], opening[2])) == pytest.approx(40)


def test_poses_put_the_tip_where_they_say():
    pose = Pose(tip_ras=(10, -20, 30), direction_ras=(0, 3, 4), roll_deg=25).matrix()
    assert pose @ [0, 0, 0, 1] == pytest.approx([10, -20, 30, 1])
    assert pose @ [0, 0, 5, 1] == pytest.approx([10, -17, 34, 1])
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3)) and np.linalg.det(pose[:3, :3]) > 0
    turned = np.linalg.inv(Pose(tip_ras=(10, -20, 30), direction_ras=(0, 3, 4)).matrix()) @ pose
    assert turned[:2, 0] == pytest.approx([np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))])


def test_triangles_that_disagree_are_refused():
    mesh = wire().parts()[0].mesh
    turned = mesh.triangles.copy()
    turned[5] = turned[5, ::-1]
    with pytest.raises(Exception, match="do not agree on which side is out"):
        require_oriented("wire", TriangleMesh(mesh.vertices_ras, turned))
