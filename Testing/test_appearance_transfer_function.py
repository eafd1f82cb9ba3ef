"""Transfer functions: opacity and extinction, where they put the mucosal surface, and Slicer's files of them."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import ndtr

from DepthSimLib.appearance.slicer_volume_property import MAX_BYTES, read_volume_property
from DepthSimLib.appearance.transfer_function import LUMEN, ColorFunction, OpacityFunction
from DepthSimLib.rendering.medium import rays_in
from DepthSimLib.rendering.opacity_depth import opacity_depths
from DepthSimLib.rendering.scalar_grid import HIGHEST_HU, LOWEST_HU
from rendering_scenes import ARRAYS, medium_of, points
from Sim2RealLib.errors import Sim2RealError

HU = np.arange(LOWEST_HU, HIGHEST_HU + 1)


def test_a_unit_distance_takes_away_the_authored_opacity():
    function = OpacityFunction(((-500.0, 0.0), (100.0, 0.9)), unit_distance_mm=2.5)
    left = np.exp(-function.extinction_mm() * 2.5)
    np.testing.assert_allclose(1.0 - left, np.interp(HU, (-500, 100), (0.0, 0.9)), atol=1e-6)


def test_two_points_at_one_hu_are_a_step():
    function = ColorFunction(((0.0, 0.1, 0.1, 0.1), (10.0, 0.1, 0.1, 0.1), (10.0, 0.9, 0.5, 0.2)))
    red = function.rgb()[:, 0]
    assert red[HU == 9] == np.float32(0.1)
    assert red[HU == 11] == np.float32(0.9)


@pytest.mark.parametrize("points_", [(), ((0.0, 1.0),), ((0.0, -0.1),), ((5.0, 0.1), (0.0, 0.2)), ((float("nan"), 0),)])
def test_impossible_opacities_are_refused(points_):
    with pytest.raises(ValidationError):
        OpacityFunction(points_)


@pytest.mark.parametrize("blur_mm", [0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("gas_hu", [-980.0, -1000.0])
def test_a_ray_is_half_opaque_at_the_surface_however_blurred_it_is(blur_mm, gas_hu):
    along = np.arange(-5.0, 5.0, 1e-3)
    hu = gas_hu + (40.0 - gas_hu) * ndtr(along / blur_mm)
    depth = np.cumsum(np.interp(hu, HU, LUMEN.extinction_mm())) * 1e-3
    assert np.interp(np.log(2.0), depth, along) == pytest.approx(0.0, abs=0.06)


def test_gas_is_empty_and_mucosa_has_its_scattering():
    extinction = LUMEN.extinction_mm()
    assert not extinction[HU <= -600].any()
    assert extinction[HU == 40] == pytest.approx(8.0, rel=0.01)  # μ_s′ / (1 − 0.9) ≈ 0.8/mm / 0.1


def test_the_surface_of_a_scanned_edge_lies_where_the_edge_is():
    """Voxels of 1 mm, a plane at a fraction of a voxel, seen through the renderer."""
    place = 20.37
    x = np.arange(40.0)
    profile = -980.0 + 1020.0 * ndtr((x - place) / 0.6)
    medium = medium_of(np.broadcast_to(np.rint(profile), (8, 8, 40)), LUMEN.extinction_mm())
    rays = rays_in(medium, points([[1.0, 3.5, 3.5]]), points([[1.0, 0.0, 0.0]]), ARRAYS.Float(np.inf))
    assert 1.0 + opacity_depths(medium, rays).middle[0] == pytest.approx(place, abs=0.1)


VP = """1
1
0.9
0.1
0.2
10
14 -3024 0 -86.9767 0 45.3791 0.169643 139.919 0.589286 347.907 0.607143 1224.16 0.607143 3071 0.616071
4 0 1 255 1
28 -3024 0 0 0 -86.9767 0 0.25098 1 45.3791 1 0 0 139.919 1 0.894893 0.894893 347.907 1 1 0.25098 1224.16 1 1 1 \
3071 0.827451 0.658824 1
"""
"""The example of Slicer's developer guide, "Volume rendering"."""


def vp_json(**component) -> dict:
    """A file as the schema volume-property-schema-v1.0.0 describes it."""
    straight = {"midpoint": 0.5, "sharpness": 0.0}
    return {
        "@schema": "https://raw.githubusercontent.com/Slicer/Slicer/main/Modules/Loadable/VolumeRendering/Resources/"
        "Schema/volume-property-schema-v1.0.0.json#",
        "volumeProperties": [
            {
                "effectiveRange": [-500.0, 100.0],
                "interpolationType": "linear",
                "scatteringAnisotropy": 0.35,
                "components": [
                    {
                        "componentWeight": 1.0,
                        "shade": True,
                        "lighting": {"ambient": 0.1, "diffuse": 0.9, "specular": 0.2, "specularPower": 10.0},
                        "disableGradientOpacity": False,
                        "scalarOpacityUnitDistance": 2.0,
                        "scalarOpacity": {
                            "points": [{"x": 100.0, "y": 0.8, **straight}, {"x": -500.0, "y": 0.0, **straight}]
                        },
                        "gradientOpacity": {"points": [{"x": 0.0, "y": 1.0, **straight}]},
                        "rgbTransferFunction": {"points": [{"x": 0.0, "color": [0.8, 0.4, 0.3], **straight}]},
                        **component,
                    }
                ],
            }
        ],
    }


def test_a_text_file_of_slicer_is_read(tmp_path):
    path = tmp_path / "ct.vp"
    path.write_text(VP)
    read = read_volume_property(path)
    opacity, color = read.transfer_function.opacity, read.transfer_function.color
    assert opacity.points[2] == (45.3791, 0.169643)
    assert len(opacity.points) == len(color.points) == 7
    assert color.points[1] == (-86.9767, 0.0, 0.25098, 1.0)
    assert opacity.unit_distance_mm == 1.0
    assert read.ignored == ()


def test_a_json_file_of_slicer_is_read(tmp_path):
    path = tmp_path / "ct.vp.json"
    path.write_text(json.dumps(vp_json()))
    read = read_volume_property(path)
    assert read.transfer_function.opacity.points == ((-500.0, 0.0), (100.0, 0.8))
    assert read.transfer_function.opacity.unit_distance_mm == 2.0
    assert read.transfer_function.color.points == ((0.0, 0.8, 0.4, 0.3),)
    assert read.g == 0.35
    assert read.ignored == ()


def test_what_is_not_used_is_said(tmp_path):
    path = tmp_path / "ct.vp.json"
    bent = {"x": 0.0, "y": 0.2, "midpoint": 0.5, "sharpness": 0.0}
    opaque = {**bent, "y": 1.0}
    path.write_text(json.dumps(vp_json(gradientOpacity={"points": [bent]}, scalarOpacity={"points": [opaque]})))
    ignored = read_volume_property(path).ignored
    assert [sentence.split()[0] for sentence in ignored] == ["Gradient", "An"]


JSON_FAULTS = {
    "not JSON": "{",
    "NaN": json.dumps(vp_json(scalarOpacityUnitDistance=float("nan"))),
    "another schema": json.dumps({**vp_json(), "@schema": "markups-schema-v1.0.0.json#"}),
    "a list": "[]",
    "no properties": json.dumps({**vp_json(), "volumeProperties": []}),
    "two properties": json.dumps({**vp_json(), "volumeProperties": vp_json()["volumeProperties"] * 2}),
    "no opacity": json.dumps(vp_json(scalarOpacity={})),
    "no points": json.dumps(vp_json(scalarOpacity={"points": []})),
    "a word for a number": json.dumps(vp_json(scalarOpacity={"points": [{"x": "0", "y": 0.5}]})),
    "a bent segment": json.dumps(vp_json(scalarOpacity={"points": [{"x": 0, "y": 0.5, "midpoint": 0.2}]})),
    "opacity beyond 1": json.dumps(vp_json(scalarOpacity={"points": [{"x": 0, "y": 1.5}]})),
    "two colors": json.dumps(vp_json(rgbTransferFunction={"points": [{"x": 0, "color": [0.1, 0.2]}]})),
    "no unit distance": json.dumps(vp_json(scalarOpacityUnitDistance=0.0)),
    "nested without end": "[" * 100_000,
    "too large": " " * (MAX_BYTES + 1),
}
TEXT_FAULTS = {
    "empty": "",
    "too short": "\n".join(VP.splitlines()[:8]),
    "too long": VP + "1\n",
    "another count": VP.replace("14 -3024", "12 -3024"),
    "a word": VP.replace("0.169643", "__import__('os')"),
    "infinite": VP.replace("0.169643", "inf"),
    "falling": VP.replace("45.3791 0.169643", "-500 0.169643"),
}


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("vp.json", text) for text in JSON_FAULTS.values()] + [("vp", text) for text in TEXT_FAULTS.values()],
    ids=[*JSON_FAULTS, *TEXT_FAULTS],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, suffix, content):
    path = tmp_path / f"ct.{suffix}"
    path.write_text(content)
    with pytest.raises(Sim2RealError, match=r"ct\.vp[^\n]*$"):
        read_volume_property(path)


def test_a_file_that_is_no_volume_property_is_refused(tmp_path):
    for name, content in (("ct.png", b"\x89PNG"), ("ct.vp", b"\xff\xfe\x00")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Sim2RealError):
            read_volume_property(tmp_path / name)
    with pytest.raises(Sim2RealError, match="cannot be read"):
        read_volume_property(tmp_path / "missing.vp")
