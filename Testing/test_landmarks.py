"""Landmark files. `data/landmarks/slicer_*` were written by 3D Slicer's own storage nodes (slicer-core 5.13.31053) from
the three points below and, in `slicer_undefined.*`, a fourth whose position was unset. Slicer read what
`write_landmarks` writes and found the same points.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.landmarks import read_landmarks, write_landmarks

SLICER = Path(__file__).parent / "data" / "landmarks"
POINTS = {
    "GSN-R, superior": (10.5, -20.25, 30.0),
    'FH-L "head"': (-1.0, 2.0, -3.125),
    "café": (100.0, 200.0, -300.0),
}
FCSV = (
    "# Markups fiducial file version = 4.10\n# CoordinateSystem = {system}\n"
    "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    "vtkMRMLMarkupsFiducialNode_0,{x},2,3,0,0,0,1,1,1,0,F-1,,\n"
)


def assert_same_points(found: dict[str, np.ndarray], expected: dict[str, tuple[float, ...]]) -> None:
    assert list(found) == list(expected)
    for name, position in expected.items():
        np.testing.assert_array_equal(found[name], position)


@pytest.mark.parametrize("name", ["slicer_lps.mrk.json", "slicer_ras.mrk.json", "slicer_lps.fcsv", "slicer_ras.fcsv"])
def test_reads_what_slicer_wrote(name):
    landmarks, record = read_landmarks(SLICER / name)
    assert_same_points(landmarks, POINTS)
    assert record == {
        "role": "landmarks",
        "name": name,
        "sha256": hashlib.sha256((SLICER / name).read_bytes()).hexdigest(),
    }


def test_writes_a_point_list_as_slicer_does(tmp_path):
    path = tmp_path / "points.mrk.json"
    write_landmarks(path, {name: np.array(position) for name, position in POINTS.items()})
    ours, slicers = (json.loads(file.read_text())["markups"][0] for file in (path, SLICER / "slicer_lps.mrk.json"))
    for key in ("type", "coordinateSystem", "coordinateUnits"):
        assert ours[key] == slicers[key]
    for point, reference in zip(ours["controlPoints"], slicers["controlPoints"], strict=True):
        for key in ("id", "label", "position", "orientation", "positionStatus"):
            assert point[key] == reference[key]
    assert_same_points(read_landmarks(path)[0], POINTS)


@pytest.mark.parametrize(
    ("system", "expected"), [("0", (1, 2, 3)), ("RAS", (1, 2, 3)), ("1", (-1, -2, 3)), ("LPS", (-1, -2, 3))]
)
def test_reads_coordinate_systems_of_slicer_4_files(tmp_path, system, expected):
    """Slicer 5.13 reads the four files to these RAS positions (tried by hand)."""
    path = tmp_path / "old.fcsv"
    path.write_text(FCSV.format(system=system, x=1))
    assert_same_points(read_landmarks(path)[0], {"F-1": expected})


def markups(**changes) -> str:
    point = {"label": "a", "position": [1.0, 2.0, 3.0], "positionStatus": "defined"} | changes.pop("point", {})
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [point],
    } | changes
    return json.dumps({"markups": [markup]})


POINT = {"label": "a", "position": [1.0, 2.0, 3.0]}
BAD_FILES = {
    "no list of markups": ("a.mrk.json", "{}"),
    "not valid JSON": ("a.mrk.json", '{"markups": ['),
    "not valid JSON: ": ("a.mrk.json", "[" * 100_000),
    "no list of controlPoints": ("a.mrk.json", markups(controlPoints=[1])),
    "markup of type 'Curve'": ("a.mrk.json", markups(type="Curve")),
    "lengths in 'cm'": ("a.mrk.json", markups(coordinateUnits="cm")),
    "coordinate system is 'IJK'": ("a.mrk.json", markups(coordinateSystem="IJK")),
    "coordinate system is None": ("a.mrk.json", markups(coordinateSystem=None)),
    "two landmarks are named 'a'": ("a.mrk.json", markups(controlPoints=[POINT, POINT])),
    "has no name": ("a.mrk.json", markups(point={"label": " "})),
    "is longer than 200": ("a.mrk.json", markups(point={"label": "a" * 201})),
    "never placed": ("a.mrk.json", markups(point={"positionStatus": "undefined", "position": ""})),
    "landmark 'a' is not three numbers": ("a.mrk.json", markups(point={"position": [1.0, 2.0]})),
    "not three numbers within": ("a.mrk.json", markups(point={"position": [1.0, 2.0, float("nan")]})),
    "three numbers within": ("a.mrk.json", markups(point={"position": [1.0, 2.0, 10**400]})),
    "numbers within": ("a.mrk.json", markups(point={"position": [1.0, 2.0, True]})),
    "holds no landmarks": ("a.mrk.json", markups(controlPoints=[])),
    "not a text file": ("a.mrk.json", b"\xff\xfe\x00"),
    "not a Slicer 4 or 5 fiducial file": ("a.fcsv", "# Fiducial List file\nF,1,2,3,1,1\n"),
    "coordinate system is '2'": ("a.fcsv", FCSV.format(system=2, x=1)),
    "coordinate system is ''": ("a.fcsv", FCSV.format(system="", x=1)),
    "'F-1' is not three numbers": ("a.fcsv", FCSV.format(system="RAS", x="one")),
    "a line has 3 of 14 columns": ("a.fcsv", FCSV.format(system="RAS", x=1) + "1,2,3\n"),
    "lacks the columns": (
        "a.fcsv",
        "# Markups fiducial file version = 4.10\n# CoordinateSystem = 0\n# columns = x,y\n",
    ),
    "not a landmark file": ("a.txt", ""),
}


@pytest.mark.parametrize("message", BAD_FILES)
def test_refuses_a_bad_file(tmp_path, message):
    name, content = BAD_FILES[message]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Sim2RealError) as caught:
        read_landmarks(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["slicer_undefined.mrk.json", "slicer_undefined.fcsv"])
def test_refuses_a_point_that_was_never_placed_in_slicer(name):
    with pytest.raises(Sim2RealError, match="landmark 'U' was never placed"):
        read_landmarks(SLICER / name)


def test_refuses_a_missing_file_and_what_cannot_be_written(tmp_path):
    with pytest.raises(Sim2RealError, match="cannot be read"):
        read_landmarks(tmp_path / "none.mrk.json")
    with pytest.raises(Sim2RealError, match="cannot be written"):
        write_landmarks(tmp_path / "none" / "a.mrk.json", {"a": np.zeros(3)})
    with pytest.raises(Sim2RealError, match="not three numbers"):
        write_landmarks(tmp_path / "a.mrk.json", {"a": np.array([0.0, 0.0, np.nan])})
    with pytest.raises(Sim2RealError, match=r"written as \.mrk\.json"):
        write_landmarks(tmp_path / "a.fcsv", {"a": np.zeros(3)})
    assert not list(tmp_path.iterdir())
