"""How far a point is from the wall of the lumen."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.itk_io import itk_image
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

from .cleansing import SURFACE_HU, WALL_HU
from .grid import on_ras_grid

CLEARANCE_SPACING_MM = 1.5
EXACT_BEYOND_MM = 3.0


@dataclass(frozen=True, eq=False)
class ClearanceField:
    """Signed distance to the wall, float32 mm on an isotropic grid along R, A, S: positive in the lumen."""

    distance: Volume

    def at(self, points_ras: np.ndarray) -> np.ndarray:
        """The clearance of points (..., 3): (...) float64, mm, trilinear.

        Beyond the grid, which holds the whole lumen, it is the lowest that the nearest point of the grid allows.
        """
        ijk = transform_points(self.distance.ijk_from_ras, points_ras)
        held = np.clip(ijk, 0.0, np.array(self.distance.shape_ijk) - 1.0)
        beyond = np.linalg.norm((ijk - held) * self.distance.spacing_mm, axis=-1)
        coordinates = held[..., ::-1].reshape(-1, 3).T
        inside = map_coordinates(self.distance.array, coordinates, output=np.float64, order=1)
        return inside.reshape(beyond.shape) - beyond

    def gradient(self, points_ras: np.ndarray) -> np.ndarray:
        """The direction in which the clearance grows fastest, by central differences over a voxel: (..., 3), RAS."""
        step = 0.5 * CLEARANCE_SPACING_MM
        points = np.asarray(points_ras, dtype=np.float64)
        return np.stack([self.at(points + axis) - self.at(points - axis) for axis in step * np.eye(3)], axis=-1) / (
            2.0 * step
        )


def clearance_field(lumen: Volume, wall: TriangleMesh, exact_to_mm: float = np.inf) -> ClearanceField:
    """The distance to the wall of a lumen, on a grid of CLEARANCE_SPACING_MM.

    lumen, wall: of `only_lumen` and `wall_mesh`. Up to `exact_to_mm` inside and EXACT_BEYOND_MM outside it is the
    distance to the nearest vertex of the mesh. Elsewhere it is that to the nearest voxel of the lumen's border (Maurer,
    Qi and Raghavan, IEEE Trans. Pattern Anal. Mach. Intell. 25(2), 2003, as SimpleITK has it), true to about a voxel.
    """
    hu = on_ras_grid(lumen, CLEARANCE_SPACING_MM, WALL_HU)
    inside = hu.array < SURFACE_HU
    image = itk_image(Volume(inside.view(np.uint8), hu.ras_from_ijk))
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    )
    near = np.argwhere((distance >= -EXACT_BEYOND_MM) & (distance <= exact_to_mm))
    points = transform_points(hu.ras_from_ijk, near[:, ::-1])
    tree = cKDTree(wall.vertices_ras.astype(np.float64), compact_nodes=False, balanced_tree=False)
    exact, _ = tree.query(points, workers=-1)
    places = tuple(near.T)
    distance[places] = np.where(inside[places], exact, -exact)
    return ClearanceField(Volume(distance, hu.ras_from_ijk, lumen.name))
