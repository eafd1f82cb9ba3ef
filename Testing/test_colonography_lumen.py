"""The lumen of CT colonographies made by formula: what is taken for colon, what is not, fluid, collapses."""

from dataclasses import replace

import numpy as np
import pytest

from colonography_scenes import BONE, COLON, FLUID, GRIDS, WALL, Tube, colon, grid, positions, scan, tube
from DepthSimLib.colonography import ColonLumen, PatientPosition, segment_lumen, trace_centerline
from DepthSimLib.colonography.chain import Link, join
from DepthSimLib.colonography.findings import doubts, findings
from DepthSimLib.colonography.fluid import find_fluid
from DepthSimLib.colonography.passages import Piece
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

LEVEL_MM = -4.0
VOXEL_MM = 2.4
"""The longest edge of a voxel in the scenes: a mask is right to within it."""
STRAY_VOXELS = 5
"""Of some 50,000: where gas, fluid and wall meet, single voxels stay ambiguous."""


@pytest.fixture(scope="module")
def fluid_scan() -> Volume:
    return scan([colon()], grid(GRIDS["oblique"]), fluid_below_mm=LEVEL_MM)


@pytest.fixture(scope="module")
def fluid_lumen(fluid_scan: Volume) -> ColonLumen:
    return segment_lumen(fluid_scan)


@pytest.fixture(scope="module")
def collapsed_scan() -> Volume:
    """Closed from 130 to 150 and from 300 to 330 mm."""
    return scan([two_collapses()], grid(GRIDS["straight"]))


@pytest.fixture(scope="module")
def collapsed_lumen(collapsed_scan: Volume) -> ColonLumen:
    return segment_lumen(collapsed_scan)


def two_collapses() -> Tube:
    return colon().collapsed(130.0, 150.0).collapsed(300.0, 330.0)


def assert_is_lumen_of(lumen: ColonLumen, truth: Tube) -> None:
    depth = truth.depth(positions(lumen.mask))
    inside = lumen.mask.array != 0
    wrong = (inside & (depth < -VOXEL_MM)) | (~inside & (depth > VOXEL_MM))
    assert np.count_nonzero(wrong) <= STRAY_VOXELS
    overlap = 2.0 * np.count_nonzero(inside & (depth > 0)) / (np.count_nonzero(inside) + np.count_nonzero(depth > 0))
    assert overlap > 0.99  # half a voxel too wide or narrow all round gives 0.95


def test_lungs_room_and_small_bowel_are_no_colon() -> None:
    lumen = segment_lumen(scan([colon()], grid(GRIDS["coronal"])))
    assert_is_lumen_of(lumen, colon())
    assert len(lumen.segments) == 1 and not lumen.collapses and not lumen.bridged
    assert len(lumen.left_out) == 2 and all(gas.calibre_mm < 18.0 for gas in lumen.left_out)  # two loops 16 mm wide
    assert np.all(np.linalg.norm(lumen.segments[0].ends_ras - COLON[[0, -1]], axis=1) < 25.0)  # in the round ends


def test_a_colon_in_plain_tissue_needs_no_lungs_and_no_room() -> None:
    ct = scan([colon()], grid(GRIDS["straight"]), small_bowel=False, lungs_and_room=False)
    lumen = segment_lumen(ct)
    assert_is_lumen_of(lumen, colon())
    assert not lumen.left_out


def test_a_hollow_table_is_no_colon() -> None:
    across = np.array([[-45.0, -72.0, s] for s in (-140.0, -60.0, 60.0, 140.0)])
    ct = scan([colon(), tube(across, 14.0)], grid(GRIDS["straight"], (112, 95, 112)), lungs_and_room=False)
    assert_is_lumen_of(segment_lumen(ct), colon())


def test_fluid_below_the_gas_is_lumen(fluid_lumen: ColonLumen) -> None:
    assert_is_lumen_of(fluid_lumen, colon())
    assert len(fluid_lumen.segments) == 1


@pytest.mark.parametrize(
    "position, up_ras, level_mm", [("prone", (0, -1, 0), -8.0), ("left_side_down", (1, 0, 0), -20.0)]
)
def test_fluid_gathers_where_the_patient_lies_on(position: str, up_ras: tuple, level_mm: float) -> None:
    ct = scan([colon()], grid(GRIDS["straight"]), fluid_up_ras=up_ras, fluid_below_mm=level_mm)
    assert_is_lumen_of(segment_lumen(ct, position=PatientPosition(position)), colon())
    if position == "prone":
        with pytest.raises(Sim2RealError, match="hangs above the gas"):
            segment_lumen(ct, position=PatientPosition.SUPINE)


def test_the_cleansed_ct_is_air_with_a_graded_wall(fluid_lumen: ColonLumen) -> None:
    """HU by true depth: air inside, nothing bright in the wall, half-way at it; the same above the level and below."""
    points = positions(fluid_lumen.ct)
    depth, hu, height = colon().depth(points), fluid_lumen.ct.array, points[..., 1]
    below, level = height < LEVEL_MM - 3.0, np.abs(height - LEVEL_MM) < 3.0
    assert np.percentile(hu[below & (depth > VOXEL_MM)], 99) < -850
    assert np.percentile(hu[level & (depth > VOXEL_MM)], 99) < -750  # three materials meet on the wall
    assert hu[(below | level) & (depth > -3.0)].max() < WALL + 60  # four times the noise
    assert np.median(hu[below & (np.abs(depth) < 0.2)]) == pytest.approx(-480, abs=60)  # 60 HU: a tenth of a voxel
    edge = below & (np.abs(depth) < 0.5)
    slope = np.polyfit(depth[edge], hu[edge], 1)[0] * -fluid_lumen.ct.spacing_mm.mean()
    assert (1000 + WALL) / 1.6 < slope < (1000 + WALL) / 0.9  # HU a voxel: a step about 1 to 1.5 voxels wide


def test_only_the_surroundings_of_fluid_are_changed(fluid_scan: Volume, fluid_lumen: ColonLumen) -> None:
    points = positions(fluid_lumen.ct)
    ijk = np.rint(transform_points(fluid_scan.ijk_from_ras, points)).astype(int)
    before = fluid_scan.array[ijk[..., 2], ijk[..., 1], ijk[..., 0]]
    far = points[..., 1] > LEVEL_MM + 10.0
    assert np.array_equal(fluid_lumen.ct.array[far], before[far])


def test_bone_under_a_wall_of_3_mm_is_no_fluid() -> None:
    k, j, i = np.mgrid[:40, :60, :40] - 20.0
    volume = Volume(np.full(k.shape, WALL), np.eye(4))
    volume.array[j > 1.5] = -1000.0
    volume.array[np.sqrt(k**2 + (j + 13.5) ** 2 + i**2) < 12.0] = BONE
    assert find_fluid(volume, volume.array < -480, PatientPosition.SUPINE, 200.0) is None
    volume.array[(np.abs(j) < 2.0) & (k**2 + i**2 < 100.0)] = FLUID
    assert find_fluid(volume, volume.array < -480, PatientPosition.SUPINE, 200.0) is not None


def test_fluid_in_another_loop_under_a_thin_wall_is_left() -> None:
    """Two flat chambers, a wall of 4 mm between gas above and fluid below: no sheet, so not of the same lumen."""
    volume = Volume(np.full((30, 60, 30), WALL), np.eye(4))
    volume.array[5:25, 34:50, 5:25] = -1000.0
    volume.array[5:25, 10:30, 5:25] = FLUID
    assert find_fluid(volume, volume.array < -480, PatientPosition.SUPINE, 200.0) is None
    volume.array[5:25, 30:33, 5:25] = FLUID  # one voxel of soft-tissue value is left: a sheet
    pools = find_fluid(volume, volume.array < -480, PatientPosition.SUPINE, 200.0)
    assert np.array_equal(pools.pool > 0, volume.array == FLUID) and pools.hu[1] == FLUID
    assert np.array_equal(np.flatnonzero(pools.sheet.any(axis=(0, 2))), [33]) and pools.sheet.sum() == 400


def test_collapsed_stretches_are_told_and_not_bridged(collapsed_lumen: ColonLumen) -> None:
    lumen = collapsed_lumen
    truth = colon()
    assert len(lumen.segments) == 3 and len(lumen.collapses) == 2 and not lumen.bridged
    assert_is_lumen_of(lumen, two_collapses())
    for stretch, (start, end) in zip(lumen.collapses, [(130, 150), (300, 330)], strict=True):
        chord = np.linalg.norm(truth.points[end] - truth.points[start])
        assert stretch.gap_mm == pytest.approx(chord, abs=4.0)  # blunt ends 16 mm wide on a bend, a grid of 1.5 mm
        for point, arc in ((stretch.from_ras, start), (stretch.to_ras, end)):
            assert np.linalg.norm(point - truth.points[arc]) < 16.0  # anywhere on the last 12 mm of that end
    with pytest.raises(Sim2RealError, match=r"collapsed in 2 place.*bridge_up_to_mm"):
        trace_centerline(lumen)


def test_one_open_part_of_a_collapsed_colon_can_be_traced(collapsed_lumen: ColonLumen) -> None:
    truth = colon()
    line = trace_centerline(collapsed_lumen, [truth.points[170], truth.points[280]])
    assert line.arc_length_mm[-1] == pytest.approx(110.0, abs=6.0)
    with pytest.raises(Sim2RealError, match="collapsed in 2 place"):
        trace_centerline(collapsed_lumen, [truth.points[100], truth.points[280]])


def test_bridges_join_what_the_user_says(collapsed_scan: Volume) -> None:
    truth = colon()
    pairs = [(truth.points[128], truth.points[152]), (truth.points[296], truth.points[334])]
    lumen = segment_lumen(collapsed_scan, bridges=pairs)
    assert not lumen.collapses and len(lumen.bridged) == 2
    line = trace_centerline(lumen)
    assert line.arc_length_mm[-1] == pytest.approx(truth.arc[-1] + 2 * 10.0, rel=0.03)  # round ends, 10 mm wide there
    assert np.all(lumen.clearance.at(np.linspace(*pairs[0], 20)) > 2.0)  # a tube of 4 mm, half a voxel less
    told = " ".join(doubts(findings(lumen, line)))
    assert told.count("mm without lumen were bridged, from RAS") == 2
    one = segment_lumen(collapsed_scan, bridge_up_to_mm=lumen.bridged[0].gap_mm + 1.0)
    assert len(one.bridged) == 1 and len(one.collapses) == 1


def test_bridges_that_join_nothing_are_refused(collapsed_scan: Volume) -> None:
    truth = colon()
    with pytest.raises(Sim2RealError, match="no bowel gas is within 10 mm"):
        segment_lumen(collapsed_scan, bridges=[(truth.points[128], [0.0, 60.0, 0.0])])
    with pytest.raises(Sim2RealError, match="to itself"):
        segment_lumen(collapsed_scan, bridges=[(truth.points[20], truth.points[120])])
    with pytest.raises(Sim2RealError, match="two points"):
        segment_lumen(collapsed_scan, bridges=[([0, 0, 0], [1, 1])])


def test_the_user_can_exclude_gas(collapsed_scan: Volume) -> None:
    truth = colon()
    lumen = segment_lumen(collapsed_scan, exclude_ras=[truth.points[400]])
    assert len(lumen.segments) == 2
    assert truth.depth(lumen.segments[-1].ends_ras[1]) > 0 and lumen.clearance.at(truth.points[400]) < 0
    with pytest.raises(Sim2RealError, match="not in bowel gas"):
        segment_lumen(collapsed_scan, exclude_ras=[[0.0, 60.0, 0.0]])


def test_without_a_colon_there_is_an_error() -> None:
    empty = grid(GRIDS["straight"])
    solid = replace(empty, array=np.full(empty.array.shape, 40, np.int16))
    with pytest.raises(Sim2RealError, match="no gas inside the body"):
        segment_lumen(solid)
    nothing = replace(colon(), radius=np.zeros_like(colon().radius))
    with pytest.raises(Sim2RealError, match="No gas-filled colon"):
        segment_lumen(scan([nothing], empty))


def test_a_narrow_piece_between_two_ends_is_part_of_the_chain() -> None:
    """A colon along S: pieces of 30 mm calibre at 0–200 and 295–500, a sliver between, a loop of small bowel aside."""
    pieces = [
        _piece((0, 0, 295), (0, 0, 500), 30.0),
        _piece((0, 5, 220), (0, 5, 280), 12.0),
        _piece((0, 0, 200), (0, 0, 0), 30.0),
        _piece((80, 0, 240), (80, 0, 300), 12.0),
    ]
    entries, links = join(pieces, [])
    assert entries == [(2, 1), (1, 0), (0, 0)]
    assert [link.ends for link in links] == [((2, 0), (1, 0)), ((1, 1), (0, 0))]
    entries, _ = join(pieces, [Link(((2, 0), (3, 0)), np.zeros((2, 3)))])  # the user knows better
    assert entries == [(2, 1), (3, 0), (0, 0)]


def test_the_rectum_end_is_linked_to_nothing() -> None:
    """A rectum whose anus lies 50 mm from the caecum, and whose other end 80 mm from the rest of the colon."""
    rectum = _piece((0, -50, -100), (0, -40, 0), 30.0)
    rest = _piece((0, -40, 80), (50, -50, -100), 30.0)
    entries, links = join([rest, rectum], [])
    assert entries == [(1, 0), (0, 0)] and len(links) == 1


def _piece(first: tuple, last: tuple, calibre_mm: float) -> Piece:
    ends = np.array([first, last], dtype=float)
    length = float(np.linalg.norm(ends[1] - ends[0]))
    radius = 0.5 * calibre_mm - 1.3
    return Piece(1, ends, (ends[:1], ends[1:]), length, np.pi * radius**2 * length / 1000.0, ends.mean(axis=0))
