"""Images to bytes and back, losslessly, and always to the same bytes.

Metric images are TIFF (float32 or integer, one page or several), display images and label maps PNG, grey or RGB. In
memory colours come first, as pages do: (3, H, W).
Deflating pays for masks and thickness maps, which are mostly zeros; on quantum noise it takes 30 times as long as plain
writing and saves nothing. A sample of the rows decides.
"""

import io
import re
import zlib

import numpy as np
import tifffile
from PIL import Image

from ..errors import Sim2RealError
from ..simulation import Channel
from .layout import CHANNEL_NAME

DTYPES = {"tif": ("float32", "uint8", "uint16", "int16", "int32"), "png": ("uint8", "uint16")}
MAX_IMAGE_BYTES = 2**31
"""Larger images are refused on reading: the size in a file's header is not to be trusted with all memory."""

_SAMPLED_ROWS = 16
_WORTH_DEFLATING = 0.25
"""Largest ratio of deflated to plain size at which deflating at level 1 costs less time than writing what it saves."""


def require_supported(name: str, channel: Channel) -> None:
    """Sim2RealError if `channel` asks for a file that this module does not write, or has no name for a file."""
    if not re.fullmatch(CHANNEL_NAME, name):
        raise Sim2RealError(
            f"Channel '{name}' cannot be part of a file name. Use letters, digits and _ in label names."
        )
    if channel.dtype not in DTYPES.get(channel.extension, ()):
        allowed = "; ".join(f"{extension}: {', '.join(dtypes)}" for extension, dtypes in DTYPES.items())
        raise Sim2RealError(f"Channel '{name}': no {channel.extension} of {channel.dtype}. Possible are {allowed}.")


def encode(array: np.ndarray, channel: Channel) -> bytes:
    """The file of an image (H, W), as TIFF also (pages, H, W), as 8-bit PNG also (3, H, W).

    ValueError for other shapes and dtypes; Sim2RealError for values that are not finite, and for more than 2 GiB.
    """
    _require_moderate(array.nbytes)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise Sim2RealError(f"{np.count_nonzero(~np.isfinite(array))} values of {channel.description} are not finite.")
    if array.dtype != channel.dtype or array.size == 0 or not _fits(array, channel):
        raise ValueError(f"{array.dtype} of shape {array.shape} is not a {channel.extension} of {channel.dtype}")
    array = np.ascontiguousarray(array)
    return _encode_tiff(array) if channel.extension == "tif" else _encode_png(array)


def _fits(array: np.ndarray, channel: Channel) -> bool:
    if channel.extension == "png" and array.ndim == 3:
        return array.shape[0] == 3 and array.dtype == np.uint8
    return array.ndim == 2 or (array.ndim == 3 and channel.extension == "tif")


def decode(data: bytes, channel: Channel, shape: tuple[int, ...]) -> np.ndarray:
    """The image in `data`; Sim2RealError if it is no image file of the channel's type or not of this `shape`."""
    try:
        array = (_decode_tiff if channel.extension == "tif" else _decode_png)(data)
    except Sim2RealError:
        raise
    except Exception as error:  # the decoders raise whatever a damaged byte leads them to
        raise Sim2RealError(f"not a readable {channel.extension} file ({type(error).__name__}: {error})") from error
    if array.dtype != channel.dtype:
        raise Sim2RealError(f"holds {array.dtype}, the dataset says {channel.dtype}")
    if array.size != int(np.prod(shape)) or array.shape[-2:] != tuple(shape[-2:]):
        raise Sim2RealError(f"holds an image of shape {array.shape}, its frame says {tuple(shape)}")
    return array.reshape(shape)


def _deflates_well(array: np.ndarray) -> bool:
    sample = array[..., ::_SAMPLED_ROWS, :].tobytes()
    return len(zlib.compress(sample, 1)) <= _WORTH_DEFLATING * len(sample)


def _encode_tiff(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    compression = {"compression": "zlib", "compressionargs": {"level": 1}} if _deflates_well(array) else {}
    tifffile.imwrite(buffer, array, photometric="minisblack", metadata=None, software=False, **compression)
    return buffer.getvalue()


def _decode_tiff(data: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        _require_moderate(sum(page.nbytes for page in file.pages))
        return np.stack([page.asarray() for page in file.pages])


def _encode_png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(np.moveaxis(array, 0, -1)) if array.ndim == 3 else array
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _decode_png(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        _require_moderate(image.width * image.height * 4)
        array = np.asarray(image)
    if array.ndim == 3:
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))
    return array.astype(np.uint16) if image.mode == "I" else array


def _require_moderate(size_bytes: int) -> None:
    if size_bytes > MAX_IMAGE_BYTES:
        raise Sim2RealError(f"claims to hold {size_bytes / 2**30:.1f} GiB, more than an image of a dataset may")
