"""What bone is made of: its cortex from top to bottom, and where its trabeculae are denser than elsewhere."""

from collections.abc import Callable

import numpy as np

Shell = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""From S (N,), mm, to the thickness of the cortex, mm, its HU and the HU inside it, each (N,)."""

Condensation = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From R, A and S, mm, of shapes that broadcast together, to the HU added inside the cortex."""

SUBCHONDRAL_HU = 520.0
SUBCHONDRAL_MM = 3.0
HEAD_FACE_HU = 160.0
BAND_HU = 230.0
BAND_MM = 9.0
"""Half width of the band of compressive trabeculae where it fades to 1/e."""


def even_shell(cortex_mm: float, cortical_hu: float, trabecular_hu: float) -> Shell:
    return lambda s: tuple(np.full(s.shape, v) for v in (cortex_mm, cortical_hu, trabecular_hu))


def femoral_shell(center_s: float, scale: float, density: float) -> Shell:
    """Thin shell and dense trabeculae at the head, thick cortex and fatty marrow in the shaft."""
    below = np.array([-10.0, 25.0, 60.0, 110.0]) * scale
    thickness = np.array([1.1, 1.8, 4.0, 6.5]) * scale
    cortical = np.array([800.0, 1000.0, 1250.0, 1350.0]) * density
    marrow = np.array([250.0, 170.0, 60.0, -30.0]) * density

    def shell(s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(np.interp(center_s - s, below, v) for v in (thickness, cortical, marrow))

    return shell


def under_socket(center: np.ndarray, radius: float) -> Condensation:
    """The dense bone (sourcil) around a ball joint's socket, most where it carries weight.

    It begins 0.3 radii above the centre and is full from 0.8: a curved eyebrow over the head.
    """

    def added(r: np.ndarray, a: np.ndarray, s: np.ndarray) -> np.ndarray:
        over_head = np.clip((s - np.float32(center[2])) / np.float32(0.5 * radius) - 0.6, 0.0, 1.0)
        return SUBCHONDRAL_HU * over_head * _shell_of_ball(center, radius, r, a, s)

    return added


def compressive_trabeculae(center: np.ndarray, radius: float, calcar: np.ndarray) -> Condensation:
    """Dense bone under the face of a femoral head, and the primary compressive group from there to the calcar.

    The group as in Singh, Nagrath and Maini (1970): a band from the weight-bearing face to the medial cortex
    of the neck.
    """
    top = center + radius * (center - calcar) / np.linalg.norm(center - calcar)
    axis = (calcar - top) / np.linalg.norm(calcar - top)
    length = np.linalg.norm(calcar - top)

    def added(r: np.ndarray, a: np.ndarray, s: np.ndarray) -> np.ndarray:
        offset = [c - np.float32(o) for c, o in zip((r, a, s), top, strict=True)]
        along = sum(np.float32(u) * o for u, o in zip(axis, offset, strict=True))
        across = sum(o * o for o in offset) - along * along
        inside = np.clip(along / 6.0, 0.0, 1.0) * np.clip((length - along) / 6.0, 0.0, 1.0)
        band = BAND_HU * inside * np.exp(across * np.float32(-1.0 / BAND_MM**2))
        return band + HEAD_FACE_HU * _shell_of_ball(center, radius - SUBCHONDRAL_MM, r, a, s)

    return added


def _shell_of_ball(center: np.ndarray, radius: float, r: np.ndarray, a: np.ndarray, s: np.ndarray) -> np.ndarray:
    """1 on a sphere above its centre, fading with the distance from it and towards its lower half."""
    r, a, s = (c - np.float32(o) for c, o in zip((r, a, s), center, strict=True))
    distance = np.sqrt(s * s + a * a + r * r)
    return np.exp(-(((distance - radius) / SUBCHONDRAL_MM) ** 2)) * np.clip(s / radius + 0.3, 0.0, 1.0)
