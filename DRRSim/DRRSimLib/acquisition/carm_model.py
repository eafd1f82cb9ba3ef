"""What a C-arm looks like: surfaces of its parts in the source frame (x right, y down, z towards the detector), mm.

Sizes follow from the device: the detector's housing is as large as its field, the C reaches from the tube to the
detector around everything that lies between them. It stands as a mobile C-arm at the patient's right, so that its plane
is the axial one in an AP view and it passes below the table on its way to a lateral view.
"""

import numpy as np

from Sim2RealLib.mesh import TriangleMesh

from .carm import CArmDevice

C_SECTION_MM = (70.0, 130.0)
"""Cross-section of the C: in its plane, and across it."""
C_BEYOND_MM = 110.0
"""From the focal spot and from the detector's front to the middle of the C."""
OVERHANG_DEG = 12.0
"""How far the C goes on past the tube and the detector."""
STEPS = 72
"""Sections of the C."""

TUBE_RADIUS_MM, TUBE_LENGTH_MM = 105.0, 330.0
COLLIMATOR_MM = (75.0, 60.0, 120.0)
"""Radius at the tube, radius at its mouth, and how far that is in front of the focal spot."""

HOUSING_MARGIN_MM, HOUSING_DEPTH_MM = 25.0, 65.0
"""Of the detector: around its field, and behind its front."""
FRONT_GAP_MM = 3.0
"""From the plane of the image to the housing, so that the image is seen in front of it."""


def carm_surfaces(device: CArmDevice) -> dict[str, TriangleMesh]:
    """Closed surfaces by the name of the part: gantry (the C), tube, collimator, detector."""
    return {
        "gantry": _c(device),
        "tube": _tube(),
        "collimator": _collimator(),
        "detector": _detector(device),
    }


def beam_corners(device: CArmDevice) -> np.ndarray:
    """The detector's corners in the source frame, in the image's order left top, right top, right bottom, left bottom:
    (4, 3)."""
    half = np.array([device.width_px, device.height_px]) * device.pixel_mm / 2.0
    # x of the source frame runs to the image's left
    corners = np.array([[1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]) * half
    return np.column_stack([corners, np.full(4, device.source_to_detector_mm)])


def beam_surface(device: CArmDevice) -> TriangleMesh:
    """The sides of the pyramid from the focal spot to the detector's edges, seen from outside."""
    vertices = np.vstack([np.zeros(3), beam_corners(device)])
    sides = [[0, 1 + i, 1 + (i + 1) % 4] for i in range(4)]
    return TriangleMesh(vertices.astype(np.float32), np.array(sides, np.int32))


def _c(device: CArmDevice) -> TriangleMesh:
    """A rounded bar swept along most of a half circle, its open side towards the patient's left (−x)."""
    middle = device.source_to_detector_mm / 2.0
    radius = middle + C_BEYOND_MM
    outline = _rounded_rectangle(*C_SECTION_MM, 25.0)
    angles = np.deg2rad(np.linspace(-90.0 - OVERHANG_DEG, 90.0 + OVERHANG_DEG, STEPS))
    sections = []
    for angle in angles:
        outward = np.array([np.cos(angle), 0.0, np.sin(angle)])
        section = outline[:, :1] * outward + outline[:, 1:] * [0.0, 1.0, 0.0]
        sections.append([0.0, 0.0, middle] + radius * outward + section)
    return _loft(np.array(sections))


def _tube() -> TriangleMesh:
    """A rounded drum across the plane of the C, around the focal spot."""
    half, rim = TUBE_LENGTH_MM / 2.0, 30.0
    profile = [(-half, TUBE_RADIUS_MM - rim), (-half + rim, TUBE_RADIUS_MM)]
    profile += [(-y, radius) for y, radius in reversed(profile)]
    circle = _circle(48)
    sections = [np.column_stack([r * circle[:, 0], np.full(48, y), r * circle[:, 1]]) for y, r in profile]
    return _loft(np.array(sections))


def _collimator() -> TriangleMesh:
    at_tube, at_mouth, mouth = COLLIMATOR_MM
    circle = _circle(48)
    sections = [np.column_stack([r * circle, np.full(48, z)]) for z, r in ((0.0, at_tube), (mouth, at_mouth))]
    return _loft(np.array(sections))


def _detector(device: CArmDevice) -> TriangleMesh:
    """A flat box with rounded edges behind the plane of the image."""
    size = np.array([device.width_px, device.height_px]) * device.pixel_mm + 2.0 * HOUSING_MARGIN_MM
    front = device.source_to_detector_mm + FRONT_GAP_MM
    levels = [(0.0, 8.0), (8.0, 0.0), (HOUSING_DEPTH_MM - 25.0, 0.0), (HOUSING_DEPTH_MM, 40.0)]
    sections = []
    for depth, inset in levels:
        outline = _rounded_rectangle(*(size - 2.0 * inset).tolist(), 30.0)
        sections.append(np.column_stack([outline, np.full(len(outline), front + depth)]))
    return _loft(np.array(sections))


def _circle(count: int) -> np.ndarray:
    """Points of the unit circle: (count, 2)."""
    angles = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _rounded_rectangle(width: float, height: float, radius: float, corner_points: int = 7) -> np.ndarray:
    """The outline of a rectangle about the origin with rounded corners: (4 · corner_points, 2)."""
    radius = min(radius, width / 2.0, height / 2.0)
    points = []
    for quarter, (x, y) in enumerate(((1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))):
        center = np.array([x * (width / 2.0 - radius), y * (height / 2.0 - radius)])
        angles = np.linspace(0.0, np.pi / 2.0, corner_points) + quarter * np.pi / 2.0
        points.append(center + radius * np.column_stack([np.cos(angles), np.sin(angles)]))
    return np.vstack(points)


def _loft(sections: np.ndarray) -> TriangleMesh:
    """The closed surface over convex outlines (N, M, 3) that follow each other, with a flat lid at either end."""
    count, around = sections.shape[:2]
    vertices = np.vstack([sections.reshape(-1, 3), sections[0].mean(axis=0), sections[-1].mean(axis=0)])
    first_lid, last_lid = count * around, count * around + 1
    here = np.arange(around)
    following = (here + 1) % around
    triangles = []
    for section in range(count - 1):
        a, b = section * around + here, section * around + following
        triangles += [np.column_stack([a, b, b + around]), np.column_stack([a, b + around, a + around])]
    triangles.append(np.column_stack([following, here, np.full(around, first_lid)]))
    last = (count - 1) * around
    triangles.append(np.column_stack([last + here, last + following, np.full(around, last_lid)]))
    mesh = TriangleMesh(vertices.astype(np.float32), np.vstack(triangles).astype(np.int32))
    return mesh if _signed_volume(mesh) > 0.0 else TriangleMesh(mesh.vertices_ras, mesh.triangles[:, ::-1].copy())


def _signed_volume(mesh: TriangleMesh) -> float:
    """Positive where the triangles' normals point outwards (divergence theorem)."""
    a, b, c = mesh.vertices_ras.astype(np.float64)[mesh.triangles].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)
