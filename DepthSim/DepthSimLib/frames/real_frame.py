"""A frame of a real endoscopy, to look at beside a simulated one."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from Sim2RealLib.errors import Sim2RealError

FORMATS = ("PNG", "JPEG")
MOST_PX = 2**26
"""8192 × 8192: more than any endoscope's video has; a file can claim more to exhaust memory."""
MIN_SIDE_PX = 16


def read_frame(path: Path | str) -> np.ndarray:
    """The picture in a PNG or JPEG file, uint8 (H, W, 3); Sim2RealError if it is none, damaged, or of no use."""
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if min(width, height) < MIN_SIDE_PX or width * height > MOST_PX:
                    raise Sim2RealError(f"{path}: {width} × {height} pixels are no frame of an endoscopy.")
                return np.asarray(image.convert("RGB"))
    except FileNotFoundError as error:
        raise Sim2RealError(f"{path}: there is no such file.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Sim2RealError(f"{path} is no PNG or JPEG picture that can be read, or it is damaged.") from error
