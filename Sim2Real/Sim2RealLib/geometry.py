"""Rigid transforms and grid affines.

The world is Slicer's RAS in millimetres. A transform is named ``a_from_b``: a 4×4 float64 matrix that acts on column
vectors, ``p_a = a_from_b @ p_b``. Point arrays hold one point a row, so that the functions here take (N, 3).
"""

import numpy as np

from .errors import Sim2RealError

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""LPS (DICOM, ITK) to RAS (Slicer, NIfTI); its own inverse."""

MAX_SHEAR = 1e-3
"""Largest cosine between two grid axes that still counts as orthogonal; headers round direction cosines to 1e-4."""


def transform_points(b_from_a: np.ndarray, points_a: np.ndarray) -> np.ndarray:
    """Map points of shape (..., 3) from frame a to frame b."""
    return np.asarray(points_a, dtype=np.float64) @ b_from_a[:3, :3].T + b_from_a[:3, 3]


def translation(offset: np.ndarray) -> np.ndarray:
    """The 4×4 transform that adds `offset`, shape (3,), in mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def rotation(axis: np.ndarray, angle_deg: float) -> np.ndarray:
    """The 4×4 right-handed rotation by `angle_deg` about a unit `axis` through the origin (Rodrigues' formula)."""
    x, y, z = np.asarray(axis, dtype=np.float64)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.deg2rad(angle_deg)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return matrix


def frame_along(z: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """A rigid 4×4 whose z axis points along `z`, of any length but 0, from `origin`; x is across the world's axis that
    is farthest from it."""
    z = np.asarray(z, dtype=np.float64) / np.linalg.norm(z)
    x = np.cross(np.eye(3)[np.argmin(np.abs(z))], z)
    x /= np.linalg.norm(x)
    frame = np.eye(4)
    frame[:3] = np.stack([x, np.cross(z, x), z, origin], axis=1)
    return frame


def invert_rigid(b_from_a: np.ndarray) -> np.ndarray:
    """The inverse of a rotation with translation, exact up to the rounding of one product."""
    inverse = np.eye(4)
    inverse[:3, :3] = b_from_a[:3, :3].T
    inverse[:3, 3] = -inverse[:3, :3] @ b_from_a[:3, 3]
    return inverse


def require_grid_affine(ras_from_ijk: np.ndarray, name: str) -> np.ndarray:
    """Return `ras_from_ijk` as float64 if it describes a rectangular voxel grid.

    Rotated, anisotropic and left-handed grids pass; a singular or sheared one (gantry tilt) raises Sim2RealError,
    because path lengths and spacings are not defined per axis on it.
    """
    affine = np.asarray(ras_from_ijk, dtype=np.float64)
    if affine.shape != (4, 4) or not np.all(np.isfinite(affine)) or not np.array_equal(affine[3], [0, 0, 0, 1]):
        raise Sim2RealError(f"{name}: the voxel-to-world transform is not a finite affine 4×4 matrix.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if np.any(spacing < 1e-6) or abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-6:
        raise Sim2RealError(
            f"{name}: the voxel-to-world transform is singular (spacing {spacing.round(6).tolist()} mm)."
        )
    cosines = (affine[:3, :3] / spacing).T @ (affine[:3, :3] / spacing) - np.eye(3)
    if np.abs(cosines).max() > MAX_SHEAR:
        angle = np.rad2deg(np.arccos(np.abs(cosines).max()))
        raise Sim2RealError(
            f"{name}: the voxel grid is sheared (two axes meet at {angle:.1f}°, as with a tilted gantry). "
            "Resample it to a rectangular grid first, in Slicer with 'Resample Scalar/Vector/DWI Volume'."
        )
    return affine
