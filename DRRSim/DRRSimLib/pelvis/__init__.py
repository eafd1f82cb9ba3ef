"""A generated pelvis: bones as implicit surfaces, soft tissue, labels and the 23 landmarks of Bier et al. (2018)."""

from .phantom import build_pelvis, generate_pelvis
from .shape import PelvisShape, sample_shape

__all__ = ["PelvisShape", "build_pelvis", "generate_pelvis", "sample_shape"]
