"""Camera models: from a point in the camera frame to a position in the image and back.

Camera frame: OpenCV's, x right, y down, z towards the scene or detector, origin at the pinhole or the focal spot, mm.
Image coordinates are continuous with (0, 0) at the outer corner of the top-left pixel: the centre of pixel (column c,
row r) is (c + ½, r + ½). Calibrations that count from pixel centres, as OpenCV's do, have principal points ½ px less.
"""

from .camera import PIXEL_CENTER_PX as PIXEL_CENTER_PX
from .camera import Camera as Camera
from .equidistant import EquidistantCamera as EquidistantCamera
from .kannala_brandt import KannalaBrandtCamera as KannalaBrandtCamera
from .masks import AnyMask as AnyMask
from .masks import CircularMask as CircularMask
from .masks import OctagonMask as OctagonMask
from .pinhole import PinholeCamera as PinholeCamera
from .records import AnyCamera as AnyCamera
from .records import camera_from_record as camera_from_record
from .scaramuzza import ScaramuzzaCamera as ScaramuzzaCamera
