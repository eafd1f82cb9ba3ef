"""Bones moved as rigid bodies, with the landmarks on them.

Where the bone was is soft tissue afterwards; where it is now it replaces soft tissue, but no other bone. Every label
says what the voxel's HU show.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt, map_coordinates
from scipy.spatial import cKDTree

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.volume import Volume

from .resampling import interpolated_hu

SOFT_TISSUE_HU = 50
"""Muscle; what fills the place that a bone has left."""

LANDMARK_REACH_MM = 8.0
"""A landmark belongs to the bone that is nearest to it, if it is this near."""

HEAD_SHELL = 0.12
"""A surface voxel counts to the femoral head if its distance from the sphere is less than this share of the radius."""

HEAD_FITS = 20


@dataclass(frozen=True, eq=False)
class Body:
    """What moves: HU and labels on one grid, the ids that are bones, and landmarks (3,) by name."""

    hu: Volume
    labels: Volume
    bone_ids: frozenset[int]
    landmarks: Mapping[str, np.ndarray]


def moved_bone(body: Body, bone_id: int, new_from_old: np.ndarray) -> Body:
    """The body with one bone moved by a rigid 4×4 in RAS; with it go the landmarks of which it is the nearest bone."""
    hu, labels = body.hu.array.copy(), body.labels.array.copy()
    was = labels == bone_id
    carried = _landmarks_of(body, bone_id)
    hu[was], labels[was] = SOFT_TISSUE_HU, 0
    old_from_new = body.hu.ijk_from_ras @ np.linalg.inv(new_from_old) @ body.hu.ras_from_ijk
    box = _box_of(np.linalg.inv(old_from_new), was)
    k, j, i = np.meshgrid(*(np.arange(side.start, side.stop) for side in box), indexing="ij")
    source = transform_points(old_from_new, np.stack([i, j, k], axis=-1).reshape(-1, 3))[:, ::-1].T
    free = ~np.isin(labels[box], list(body.bone_ids - {bone_id}))
    is_bone = map_coordinates(was.view(np.uint8), source, order=0).reshape(free.shape).astype(bool) & free
    hu[box][is_bone] = interpolated_hu(body.hu.array, source).reshape(free.shape)[is_bone]
    labels[box][is_bone] = bone_id
    landmarks = {
        name: transform_points(new_from_old, position) if name in carried else position
        for name, position in body.landmarks.items()
    }
    return Body(
        Volume(hu, body.hu.ras_from_ijk, body.hu.name),
        Volume(labels, body.labels.ras_from_ijk, body.labels.name),
        body.bone_ids,
        landmarks,
    )


def about(pivot_ras: np.ndarray, axis: np.ndarray, angle_deg: float, offset_mm: np.ndarray) -> np.ndarray:
    """Rotation about a unit axis through a point, then translation: rigid 4×4 in RAS."""
    return translation(pivot_ras + offset_mm) @ rotation(axis, angle_deg) @ translation(-pivot_ras)


def femoral_head(labels: Volume, femur_id: int) -> tuple[np.ndarray, float]:
    """Centre (3,) in RAS and radius in mm of a femur's head: a sphere through its surface.

    The head holds the largest ball that fits into the bone. From there the sphere is fitted to the surface near it by
    least squares (x² + y² + z² = 2 c · x + r² − c²), again and again, without the neck, which lies inside the sphere.
    Sim2RealError if the bone has no round head in the volume.
    """
    mask = np.pad(labels.array == femur_id, 1)
    if not mask.any():
        raise Sim2RealError(f"{labels.name}: there is no label {femur_id}, of which the head was to be found.")
    distance_mm = distance_transform_edt(mask, sampling=labels.spacing_mm[::-1])
    deepest = np.array(np.unravel_index(np.argmax(distance_mm), mask.shape))
    surface = np.argwhere(mask & ~binary_erosion(mask)) - 1
    points = transform_points(labels.ras_from_ijk, surface[:, ::-1])
    center, radius = transform_points(labels.ras_from_ijk, deepest[::-1] - 1), float(distance_mm.max())
    for _ in range(HEAD_FITS):
        distance = np.linalg.norm(points - center, axis=1)
        near = points[np.abs(distance - radius) < HEAD_SHELL * radius]
        if len(near) < 30:
            raise Sim2RealError(f"{labels.name}: label {femur_id} has no round head to turn about.")
        origin = near.mean(axis=0)
        centred = near - origin
        system = np.column_stack([2 * centred, np.ones(len(near))])
        solution = np.linalg.lstsq(system, (centred**2).sum(axis=1), rcond=None)[0]
        center, radius = origin + solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
    # Surface voxels are inside: their centres lie some half a voxel within the surface.
    return center, radius + 0.5 * float(labels.spacing_mm.mean())


def centroid(labels: Volume, label_id: int) -> np.ndarray:
    """The middle of a label's voxels in RAS, (3,); Sim2RealError if there is none."""
    voxels = np.argwhere(labels.array == label_id)
    if not len(voxels):
        raise Sim2RealError(f"{labels.name}: there is no label {label_id}, which was to be moved.")
    return transform_points(labels.ras_from_ijk, voxels.mean(axis=0)[::-1])


def _landmarks_of(body: Body, bone_id: int) -> set[str]:
    """The landmarks of which this bone is the nearest one, and near."""
    if not body.landmarks:
        return set()
    names, positions = list(body.landmarks), np.array(list(body.landmarks.values()))
    nearest = {}
    for candidate in body.bone_ids:
        mask = body.labels.array == candidate
        surface = np.argwhere(mask & ~binary_erosion(mask))
        if len(surface):
            tree = cKDTree(transform_points(body.labels.ras_from_ijk, surface[:, ::-1]))
            nearest[candidate] = tree.query(positions)[0]
    others = [distance for candidate, distance in nearest.items() if candidate != bone_id]
    own = nearest[bone_id]
    is_own = (own <= np.min(others, axis=0, initial=np.inf)) & (own <= LANDMARK_REACH_MM)
    return {name for name, carried in zip(names, is_own, strict=True) if carried}


def _box_of(new_from_old_ijk: np.ndarray, mask: np.ndarray) -> tuple[slice, slice, slice]:
    """The part of the grid that the moved voxels can be in, (K, J, I)."""
    sides = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    low, high = (np.array([side[end] for side in sides]) for end in (0, -1))
    corners = np.array([[k, j, i] for k in (low[0], high[0]) for j in (low[1], high[1]) for i in (low[2], high[2])])
    moved = transform_points(new_from_old_ijk, corners[:, ::-1])[:, ::-1]
    first = np.clip(np.floor(moved.min(axis=0)).astype(int) - 1, 0, mask.shape)
    end = np.clip(np.ceil(moved.max(axis=0)).astype(int) + 2, 0, mask.shape)
    return tuple(slice(*side) for side in zip(first, end, strict=True))
