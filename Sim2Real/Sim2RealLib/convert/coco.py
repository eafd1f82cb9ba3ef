"""COCO: ``annotations.json`` and ``images/``, the display image of each frame.

Masks become annotations with compressed run lengths, and so does what the label map of a frame shows of each class; the
landmarks of a frame one annotation of category "landmarks"
with keypoints (the COCO data format, https://cocodataset.org/#format-data). COCO counts keypoints from the centre of
the top-left pixel, so that ours lose half a pixel; its boxes are measured from the corner, as ours are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras import PIXEL_CENTER_PX
from ..dataset.layout import DISPLAY, LABELS
from ..dataset.masks import decode_mask, encode_mask
from ..dataset.reader import Dataset, StoredFrame

LANDMARK_CATEGORY = 100_000
"""Beyond every label a map can hold, and the same in all datasets, so that they can be merged."""

NOT_LABELLED, VISIBLE = 0, 2
"""COCO's visibility flags of a keypoint; 1, labelled but occluded, has no meaning in an X-ray image."""


def write_coco(dataset: Dataset, out: Path) -> Iterator[int]:
    """Sim2RealError if the dataset has no display channel or a damaged mask."""
    dataset.require_channel(DISPLAY)
    (out / "images").mkdir()
    landmarks = list(dict.fromkeys(name for index in dataset.indices for name in dataset.frame(index).parsed.landmarks))
    categories = [{"id": entry.id, "name": entry.name, "supercategory": "mask"} for entry in dataset.header.classes]
    if landmarks:
        category = {"id": LANDMARK_CATEGORY, "name": "landmarks", "supercategory": "landmarks"}
        categories.append({**category, "keypoints": landmarks, "skeleton": []})
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for done, index in enumerate(dataset.indices, start=1):
        frame = dataset.frame(index)
        images.append(_image(frame))
        (out / "images" / images[-1]["file_name"]).write_bytes(frame.read(DISPLAY))
        for annotation in (*_masks(frame), *_regions(frame), *_keypoints(frame, landmarks, LANDMARK_CATEGORY)):
            annotations.append({"id": len(annotations) + 1, "image_id": index, **annotation})
        yield done
    content = {
        "info": {"description": f"{dataset.header.simulator}, exported by surgical-sim2real", "version": "1"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    (out / "annotations.json").write_text(json.dumps(content))


def _image(frame: StoredFrame) -> dict[str, Any]:
    height, width = frame.parsed.files[DISPLAY].shape[-2:]
    image = {"id": frame.index, "file_name": f"{frame.index:06d}.png", "width": width, "height": height}
    return image if frame.parsed.camera is None else {**image, "camera": frame.parsed.camera.model_dump()}


def _masks(frame: StoredFrame) -> Iterator[dict[str, Any]]:
    for class_id, mask in frame.parsed.masks.items():
        if decode_mask(mask.model_dump()).any():
            yield _annotation(int(class_id), mask.model_dump())


def _regions(frame: StoredFrame) -> Iterator[dict[str, Any]]:
    if LABELS in frame.parsed.files:
        labels = frame.channel(LABELS)
        for class_id in np.unique(labels[labels > 0]):
            yield _annotation(int(class_id), encode_mask(labels == class_id))


def _annotation(class_id: int, mask: dict[str, Any]) -> dict[str, Any]:
    return {
        "category_id": class_id,
        "segmentation": {"size": list(mask["size"]), "counts": mask["counts"]},
        "bbox": list(mask["box_px"]),
        "area": mask["area_px"],
        "iscrowd": 0,
    }


def _keypoints(frame: StoredFrame, names: list[str], category: int) -> Iterator[dict[str, Any]]:
    visible = {name: mark.position_px for name, mark in frame.parsed.landmarks.items() if mark.visible}
    if not visible:
        return
    points = [visible.get(name) for name in names]
    keypoints = [
        number
        for point in points
        for number in ((0, 0, NOT_LABELLED) if point is None else (*(x - PIXEL_CENTER_PX for x in point), VISIBLE))
    ]
    left, top = (min(point[axis] for point in visible.values()) for axis in (0, 1))
    width, height = (max(point[axis] for point in visible.values()) - low for axis, low in ((0, left), (1, top)))
    yield {
        "category_id": category,
        "keypoints": keypoints,
        "num_keypoints": len(visible),
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
    }
