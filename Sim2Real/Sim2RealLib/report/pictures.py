"""Images for the page, small enough to be sent around; the lossless ones are in the dataset."""

import base64
import io

import numpy as np
from PIL import Image

MAX_SIDE_PX = 1024
JPEG_QUALITY = 88


def jpeg_uri(image: np.ndarray) -> str:
    """An image, (H, W) or (H, W, 3) uint8, as a data URI, reduced to `MAX_SIDE_PX` if it is larger."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
