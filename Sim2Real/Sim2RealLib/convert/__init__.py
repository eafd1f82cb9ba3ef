"""Datasets in the formats others read."""

from .conversion import FORMATS, convert_dataset

__all__ = ["FORMATS", "convert_dataset"]
