"""What is published about the size of the human colon, and the shape that is drawn from it.

Arrays run from the anus to the caecum: rectum, sigmoid, descending, transverse, ascending, caecum.
"""

import numpy as np

SEGMENTS = ("rectum", "sigmoid", "descending", "transverse", "ascending", "caecum")

TOTAL_LENGTH_CM = ((150.3, 18.5), (189.5, 26.3))
"""Mean and standard deviation at CT colonography: Utano 2021 (295 people), Khashab 2009 (505 people)."""

FOLD_HEIGHT_MM = {"ascending": (14.62, 5.47), "transverse": (9.49, 3.65), "descending": (6.53, 3.12)}
"""Mean and standard deviation of the height of haustral folds at CT colonography: Thompson 2016 (2079 folds)."""

GAS_VOLUME_ML = ((1441.0, 505.0), (1617.0, 567.0), (1901.0, 627.0))
"""Colonic gas at CT colonography of 146 people, prone, supine, decubitus: mean and sd (Buchach 2011)."""

DIAMETER_RANGE_MM = {
    "rectum": (30.0, 55.0),
    "sigmoid": (25.0, 45.0),
    "descending": (27.0, 48.0),
    "transverse": (35.0, 60.0),
    "ascending": (40.0, 63.0),
    "caecum": (45.0, 90.0),
}
"""Of the distended colon. The upper ends are the normal limits of CT textbooks (caecum 90, transverse 60 mm) and 95th
percentiles at CT (ascending 63, descending 48 mm); the lower ends and the other segments are assumed."""

SEGMENT_SHARE = np.array([0.095, 0.275, 0.17, 0.295, 0.12, 0.045])
"""Share of the total length (assumed: 16, 46, 29, 50, 20 and 8 cm of 169)."""

RADIUS_MM = np.array([22.0, 15.8, 17.0, 21.6, 25.0, 28.0])
"""Half the distended diameter between folds (assumed within DIAMETER_RANGE_MM)."""

FOLD_PITCH_MM = np.array([np.inf, 36.0, 33.0, 28.0, 29.0, 28.0])
"""Distance between folds of one row (assumed: 25 to 40 mm proximally, 30 to 50 mm distally)."""

FOLD_MEAN_MM = np.array([0.0, 4.7, 5.0, 6.6, 14.4, 10.0])
FOLD_SD_MM = np.array([0.0, 2.2, 3.0, 3.6, 5.2, 3.5])
"""Height of the folds drawn. Published for descending to ascending (FOLD_HEIGHT_MM), assumed for the others."""
