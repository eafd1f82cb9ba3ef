"""A CT volume with the material of every voxel, and how it is packed for the kernels.

A voxel's code holds the index of its material in the low bits and its density in the others, in steps of that
material's largest density divided by the largest step number. With up to eight materials there are 13 bits for the
density: the rounding error of a voxel is at most 0.006 % of the largest density of its material, and nothing in a
uniform object.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.volume import Volume

from ..physics.materials import material
from ..physics.tissues import voxel_density_g_cm3
from .packed_grid import PackedGrid, pack_grid

AIR = "air"
CODE_BITS = 16


@dataclass(frozen=True, eq=False)
class MaterialVolume:
    """HU and materials on one grid.

    hu: whole HU, an integer array.
    material_index: uint8, the same shape; an index into `materials`.
    materials: names known to `DRRSimLib.physics.materials`; "air" marks what is as good as nothing.
    nominal_density: all have their material's own density, as in an implant that no CT shows; otherwise it is the one
        that follows from HU.
    """

    hu: Volume
    material_index: np.ndarray
    materials: tuple[str, ...]
    nominal_density: bool = False

    def __post_init__(self) -> None:
        if self.material_index.shape != self.hu.array.shape:
            raise ValueError(f"material_index has shape {self.material_index.shape}, the HU {self.hu.array.shape}")
        if not np.issubdtype(self.hu.array.dtype, np.integer):
            raise ValueError("HU must be whole numbers in an integer array")
        if len(self.absorbing_materials) > 2 ** (CODE_BITS // 2):
            raise Sim2RealError(f"{self.hu.name}: {len(self.materials)} materials are more than a scene can hold.")

    @cached_property
    def _largest_hu(self) -> dict[str, int]:
        """The largest HU of every material that occurs."""
        largest: dict[str, int] = {}
        for hu_plane, index_plane in zip(self.hu.array, self.material_index, strict=True):
            for number, name in enumerate(self.materials):
                here = hu_plane[index_plane == number]
                if here.size:
                    largest[name] = max(largest.get(name, int(here[0])), int(here.max()))
        return largest

    @cached_property
    def absorbing_materials(self) -> tuple[str, ...]:
        """The materials that occur in the volume, without air: the order of the packed material numbers."""
        return tuple(name for name in self.materials if name in self._largest_hu and name != AIR)

    @property
    def material_bits(self) -> int:
        """How many low bits of a code hold the material number."""
        return max(len(self.absorbing_materials) - 1, 0).bit_length()

    @property
    def largest_step(self) -> int:
        return 2 ** (CODE_BITS - self.material_bits) - 1

    @cached_property
    def density_steps_g_cm3(self) -> np.ndarray:
        """Density of one step for each absorbing material, shape (M,)."""
        largest = [
            self._density_g_cm3(name, np.array([self._largest_hu[name]]))[0] for name in self.absorbing_materials
        ]
        return np.array(largest) / self.largest_step

    def codes(self, index: tuple[slice | int, ...]) -> np.ndarray:
        """The uint16 codes of the voxels that an index into the (K, J, I) array selects."""
        return self._code_table[self.material_index[index], self.hu.array[index].astype(np.int32) - self._hu_range[0]]

    def density_and_material(self, index: tuple[slice | int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Density in g/cm³, 0 for air, and position in `absorbing_materials` of the voxels that an index selects."""
        codes = self.codes(index)
        number = codes & (2**self.material_bits - 1)
        return (codes >> self.material_bits) * self.density_steps_g_cm3[number], number

    @cached_property
    def _hu_range(self) -> tuple[int, int]:
        return int(self.hu.array.min()), int(self.hu.array.max())

    @cached_property
    def _code_table(self) -> np.ndarray:
        """Codes by material index and HU − lowest HU, uint16."""
        hu = np.arange(self._hu_range[0], self._hu_range[1] + 1)
        table = np.zeros((len(self.materials), hu.size), np.uint16)
        for number, (name, step) in enumerate(zip(self.absorbing_materials, self.density_steps_g_cm3, strict=True)):
            steps = np.rint(np.minimum(self._density_g_cm3(name, hu) / step, self.largest_step)).astype(np.uint16)
            table[self.materials.index(name)] = np.where(steps > 0, (steps << self.material_bits) | number, 0)
        return table

    def _density_g_cm3(self, name: str, hu: np.ndarray) -> np.ndarray:
        if self.nominal_density:
            return np.full(hu.shape, material(name).density_g_cm3)
        return voxel_density_g_cm3(name, hu)


def pack_materials(volume: MaterialVolume, planes: range | None = None) -> PackedGrid:
    """Pack a material volume, or some of its planes across the pair axis."""
    return pack_grid(volume.hu, volume.codes, planes)
