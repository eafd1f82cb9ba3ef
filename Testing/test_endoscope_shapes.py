"""The endoscope as it is drawn: closed surfaces, and a field of view that is that of the lens."""

import numpy as np
import pytest

from DepthSimLib.endoscope.lights import TipLight
from DepthSimLib.endoscope.presets import ENDOSCOPES, Endoscope
from DepthSimLib.endoscope.shapes import (
    CAPSULE_LENGTH_MM,
    CAPSULE_RADIUS_MM,
    TIP_LENGTH_MM,
    TIP_RADIUS_MM,
    beams_mesh,
    capsule_mesh,
    field_of_view_mesh,
    lens_mesh,
    lights_mesh,
    shaft_mesh,
    tip_mesh,
)
from Sim2RealLib.cameras import EquidistantCamera, PinholeCamera
from Sim2RealLib.mesh import TriangleMesh


def enclosed_mm3(mesh: TriangleMesh) -> float:
    """By the divergence theorem; positive where normals lead outwards."""
    corners = mesh.vertices_ras.astype(np.float64)[mesh.triangles]
    return float(np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))) / 6.0


def area_mm2(mesh: TriangleMesh) -> float:
    corners = mesh.vertices_ras.astype(np.float64)[mesh.triangles]
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


@pytest.mark.parametrize("body", [tip_mesh(), shaft_mesh(), capsule_mesh()], ids=["tip", "shaft", "capsule"])
def test_bodies_are_closed_and_lie_behind_the_lens(body):
    assert body.is_watertight()
    assert enclosed_mm3(body) > 0.0
    assert body.vertices_ras[:, 2].max() <= 0.0


def test_bodies_have_their_sizes():
    """Polygons of 48 sides enclose 0.3 % less than circles, the bevel and the dome's rings another per cent."""
    assert enclosed_mm3(tip_mesh()) == pytest.approx(np.pi * TIP_RADIUS_MM**2 * TIP_LENGTH_MM, rel=0.02)
    radius, length = CAPSULE_RADIUS_MM, CAPSULE_LENGTH_MM
    capsule = np.pi * radius**2 * (length - 2 * radius) + 4 / 3 * np.pi * radius**3
    assert enclosed_mm3(capsule_mesh()) == pytest.approx(capsule, rel=0.02)


def test_the_field_of_view_of_a_pinhole_is_its_pyramid():
    """A sphere's sector has the volume L³/3 Ω; Ω of a rectangle is 4 asin of the product of the sines of half its
    angles. The dome's facets cut off about a per cent, and the rectangle's corners lie between rays."""
    endoscope = Endoscope(PinholeCamera(100.0, 100.0, 100.0, 75.0, 200, 150), ENDOSCOPES["simcol3d"].lights)
    half = np.arctan([1.0, 0.75])
    solid_angle = 4.0 * np.arcsin(np.prod(np.sin(half)))
    mesh = field_of_view_mesh(endoscope, 20.0)
    assert mesh.is_watertight()
    assert enclosed_mm3(mesh) == pytest.approx(20.0**3 / 3.0 * solid_angle, rel=0.03)


def test_the_field_of_view_of_a_fisheye_reaches_beyond_a_right_angle():
    """120° to every side: Ω = 2π (1 − cos 120°)."""
    endoscope = Endoscope(EquidistantCamera(100.0, 100.0, 250.0, 250.0, 500, 500), ENDOSCOPES["simcol3d"].lights)
    edge = 240.0 / 100.0
    circle = Endoscope(endoscope.camera, endoscope.lights, ENDOSCOPES["pillcam_colon2"].mask.scaled(240.0 / 128.0))
    circle = Endoscope(circle.camera, circle.lights, type(circle.mask)(250.0, 250.0, 240.0))
    mesh = field_of_view_mesh(circle, 10.0)
    assert mesh.is_watertight()
    assert enclosed_mm3(mesh) == pytest.approx(1000.0 / 3.0 * 2.0 * np.pi * (1.0 - np.cos(edge)), rel=0.03)
    assert mesh.vertices_ras[:, 2].min() == pytest.approx(10.0 * np.cos(edge), abs=0.01)


@pytest.mark.parametrize("device", ENDOSCOPES)
def test_the_field_of_view_of_every_device_is_what_its_picture_shows(device):
    """Just within the dome's edge a direction has a pixel that shows it, just beyond it has none."""
    endoscope = ENDOSCOPES[device]
    mesh = field_of_view_mesh(endoscope, 1.0)
    edge = mesh.vertices_ras[-48:].astype(np.float64)
    middle = mesh.vertices_ras[1].astype(np.float64)

    def shown(rays: np.ndarray) -> np.ndarray:
        places = endoscope.camera.project(rays)
        inside = endoscope.camera.contains(places)
        return inside if endoscope.mask is None else inside & endoscope.mask.contains(places)

    assert shown(edge + 0.02 * (middle - edge)).all()
    assert not shown(edge - 0.02 * (middle - edge)).any()


def test_lights_are_disks_and_beams_as_wide_as_half_their_intensity():
    lights = (TipLight((1.0, 0.0, 0.0), radius_mm=0.5), TipLight((-1.0, 0.0, 0.0), (0.0, 1.0, 1.0), radius_mm=1.0))
    assert area_mm2(lights_mesh(lights)) == pytest.approx(np.pi * (0.25 + 1.0), rel=0.01)
    assert area_mm2(lens_mesh()) > 0.0
    light = TipLight((0.0, 0.0, 0.0), spread=2.0)
    beam = beams_mesh([light], 10.0)
    assert beam.is_watertight()
    rim = beam.vertices_ras[-1].astype(np.float64) / 10.0
    assert np.exp(-light.spread * (1.0 - rim[2])) == pytest.approx(0.5, rel=1e-5)


def test_a_light_without_spread_shines_into_the_half_space_before_it():
    beam = beams_mesh([TipLight((0.0, 0.0, 0.0), spread=0.0)], 10.0)
    assert enclosed_mm3(beam) == pytest.approx(2.0 / 3.0 * np.pi * 1000.0, rel=0.02)
