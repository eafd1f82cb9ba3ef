"""The labels of tools: a class and an amodal mask for each, and where tip and axis are in the image."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from Sim2RealLib.simulation import LabelClass

from ..acquisition.carm import XrayView
from ..tools.intervals import pixel_hits
from ..tools.tool import Tool
from .frame_labels import point_record

FIRST_TOOL_CLASS = 100_001
"""Beyond every label that a map can hold."""

COLORS = ((255, 196, 0), (0, 200, 255), (255, 90, 160), (120, 230, 60), (190, 120, 255), (255, 130, 40))


def tool_classes(tools: Sequence[Tool]) -> tuple[LabelClass, ...]:
    return tuple(
        LabelClass(FIRST_TOOL_CLASS + number, tool.name, COLORS[number % len(COLORS)])
        for number, tool in enumerate(tools)
    )


def tool_masks(tools: tuple[Tool, ...], view: XrayView) -> dict[int, np.ndarray]:
    """By class id: where rays pass through each tool, whatever lies in front, bool (H, W) in column order."""
    if not tools:
        return {}
    hits, masks = pixel_hits(tools, view), {}
    for number, touched in enumerate(hits.touched):
        mask = np.zeros((view.camera.height_px, view.camera.width_px), bool)
        mask.reshape(-1)[hits.rays[touched]] = True
        masks[FIRST_TOOL_CLASS + number] = np.asfortranarray(mask)
    return masks


def tool_records(tools: Sequence[Tool], view: XrayView) -> dict[str, dict[str, Any]]:
    """By name: the class id, tip and other end of the axis as `frame_labels.point_record`, and direction, the
    unit vector towards the tip in the source frame; the last three null for a tool without an axis."""
    records = {}
    for number, tool in enumerate(tools):
        record: dict[str, Any] = {"class_id": FIRST_TOOL_CLASS + number, "tip": None, "end": None, "direction": None}
        if tool.axis_ras is not None:
            tip, end = (point_record(view, position) for position in tool.axis_ras)
            direction = view.camera_from_ras[:3, :3] @ tool.direction_ras
            record |= {"tip": tip, "end": end, "direction": direction.tolist()}
        records[tool.name] = record
    return records


def tools_in_world(tools: Sequence[Tool]) -> dict[str, dict[str, Any]]:
    """By name, for dataset.json: material, mode, and tip_ras and end_ras of the axis in mm, or null."""
    return {
        tool.name: {
            "material": tool.material.name,
            "density_g_cm3": tool.material.density_g_cm3,
            "mode": tool.mode.value,
            "tip_ras": None if tool.axis_ras is None else tool.axis_ras[0].tolist(),
            "end_ras": None if tool.axis_ras is None else tool.axis_ras[1].tolist(),
        }
        for tool in tools
    }
