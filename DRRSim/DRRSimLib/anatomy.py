"""What a recipe images, read and brought together: HU, labels, landmarks, implants, tools, and where they came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.label_table import LabelMap, classes_present, label_groups, read_label_map
from Sim2RealLib.landmarks import read_landmarks
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, read_mask

from .pelvis.phantom import generate_pelvis
from .physics.materials import material
from .recipe import Implant, Input, PelvisAnatomy
from .tools.kinds import build_tools
from .tools.tool import Tool


@dataclass(frozen=True, eq=False)
class Anatomy:
    """labels: on the grid of `hu`, or None. classes: those that occur in `labels`. label_groups: the kind of tissue of
    every label id that has one. implants: a mask on a grid of its own
    and a material each. inputs: a provenance record for every file or generator. tools: before implants and patient."""

    hu: Volume
    labels: Volume | None
    classes: tuple[LabelClass, ...]
    label_groups: Mapping[int, str]
    landmarks: Mapping[str, np.ndarray]
    implants: tuple[tuple[Volume, str], ...]
    inputs: tuple[Mapping[str, Any], ...]
    tools: tuple[Tool, ...] = ()


def load_anatomy(section: Input) -> Anatomy:
    """Read or generate what the recipe's `input` names. Raises Sim2RealError for anything wrong with a file."""
    implants, implant_records = read_implants(section.implants)
    tools, tool_records = build_tools(section.tools)
    groups = label_groups(section.label_table)
    if section.volume is None:
        phantom = generate_pelvis(section.anatomy.seed, section.anatomy.spacing_mm)
        hu, landmarks, records = phantom.hu, phantom.landmarks, [_generator(section.anatomy)]
        labels = LabelMap(phantom.labels, classes_present(phantom.labels, section.label_table), groups)
    else:
        hu, labels, landmarks, records = _read_patient(section)
    return Anatomy(
        whole_hu(hu),
        *((None, (), groups) if labels is None else (labels.labels, labels.classes, labels.groups)),
        landmarks,
        implants,
        (*records, *implant_records, *tool_records),
        tools,
    )


def _generator(anatomy: PelvisAnatomy) -> dict[str, Any]:
    return {"role": "anatomy", "name": "generated pelvis", "license": "Apache-2.0", **anatomy.model_dump()}


def _read_patient(section: Input) -> tuple[Volume, LabelMap | None, Mapping[str, np.ndarray], list[dict[str, Any]]]:
    hu, record = read_ct(section.volume)
    origin = {key: value for key in ("source", "license") if (value := getattr(section, key)) is not None}
    records = [record | origin]
    labels, landmarks = None, {}
    if section.labels is not None:
        labels, record = read_label_map(section.labels, hu, section.label_table)
        records.append(record)
    if section.landmarks is not None:
        landmarks, record = read_landmarks(section.landmarks)
        records.append(record)
    return hu, labels, landmarks, records


def read_implants(implants: tuple[Implant, ...]) -> tuple[tuple[tuple[Volume, str], ...], list[dict[str, Any]]]:
    """The masks with their materials, and the provenance of their files. Sim2RealError for anything wrong with them."""
    masks, records = [], []
    for implant in implants:
        material(implant.material)
        mask, record = read_mask(implant.volume, "implant")
        masks.append((mask, implant.material))
        records.append(record | {"material": implant.material})
    return tuple(masks), records


def whole_hu(hu: Volume) -> Volume:
    """`hu` in whole Hounsfield units, int16, which is what CT numbers are; interpolated ones are rounded."""
    if hu.array.dtype == np.int16:
        return hu
    if hu.array.max() > np.iinfo(np.int16).max:
        raise Sim2RealError(f"{hu.name}: {hu.array.max():g} HU are more than a CT can show. Is the volume in HU?")
    return Volume(np.rint(hu.array).astype(np.int16), hu.ras_from_ijk, hu.name)
