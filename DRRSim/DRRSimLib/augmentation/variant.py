"""One variant of an anatomy: what was drawn, and what it made of HU, labels and landmarks."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from ..anatomy import Anatomy
from .deformation import random_deformation
from .density import scaled_density
from .rigid_bones import Body, about, centroid, femoral_head, moved_bone
from .section import Augmentation, MovedBone

BONE_STREAM, DEFORMATION_STREAM, DENSITY_STREAM = 101, 102, 103
"""Beside the seed, so that changing one part of the augmentation leaves the others as they are."""


@dataclass(frozen=True, eq=False)
class Variant:
    """record: what was drawn, plain JSON: new_from_old of bones, density factors, landmarks_ras afterwards."""

    anatomy: Anatomy
    record: dict[str, Any]


def require_augmentable(anatomy: Anatomy, section: Augmentation) -> None:
    """Sim2RealError where the anatomy lacks what the augmentation needs."""
    if anatomy.labels is None and (section.bones or section.density):
        raise Sim2RealError("augmentation: bones and densities go by labels; give input.labels, or leave them out.")
    bones = {entry.name for entry in anatomy.classes if anatomy.label_groups.get(entry.id) == "bone"}
    unknown = [bone.label for bone in section.bones if bone.label not in bones]
    if unknown:
        raise Sim2RealError(
            f"augmentation.bones: {', '.join(unknown)} is no bone of this input, which has "
            f"{', '.join(sorted(bones)) or 'none'}."
        )


def variant_of(anatomy: Anatomy, section: Augmentation, seed: int, number: int) -> Variant:
    """Variant `number`: it depends on the anatomy, the section, the seed and the number only. First bones move, then
    everything is deformed, then densities change. Implants and tools stay where they are."""
    record: dict[str, Any] = {"variant": number}
    if section.bones:
        anatomy, record["bones"] = _with_moved_bones(
            anatomy, section, np.random.default_rng([seed, BONE_STREAM, number])
        )
    if section.deformation is not None:
        rng = np.random.default_rng([seed, DEFORMATION_STREAM, number])
        deformation = random_deformation(anatomy.hu, **section.deformation.model_dump(), rng=rng)
        positions = np.array(list(anatomy.landmarks.values())).reshape(-1, 3)
        anatomy = replace(
            anatomy,
            hu=deformation.hu(anatomy.hu),
            labels=None if anatomy.labels is None else deformation.labels(anatomy.labels),
            landmarks=dict(zip(anatomy.landmarks, deformation.moved(positions), strict=True)),
        )
    if section.density:
        rng = np.random.default_rng([seed, DENSITY_STREAM, number])
        factors = {group: 1 + float(rng.uniform(-share, share)) for group, share in sorted(section.density.items())}
        anatomy = replace(anatomy, hu=scaled_density(anatomy.hu, anatomy.labels, anatomy.label_groups, factors))
        record["density"] = factors
    record["landmarks_ras"] = {name: position.tolist() for name, position in anatomy.landmarks.items()}
    return Variant(anatomy, record)


def _with_moved_bones(
    anatomy: Anatomy, section: Augmentation, rng: np.random.Generator
) -> tuple[Anatomy, dict[str, list[list[float]]]]:
    ids = {entry.name: entry.id for entry in anatomy.classes}
    bone_ids = frozenset(label for label in ids.values() if anatomy.label_groups.get(label) == "bone")
    body, moves = Body(anatomy.hu, anatomy.labels, bone_ids, anatomy.landmarks), {}
    for bone in section.bones:
        new_from_old = _drawn_move(body, bone, ids[bone.label], rng)
        body = moved_bone(body, ids[bone.label], new_from_old)
        moves[bone.label] = new_from_old.tolist()
    return replace(anatomy, hu=body.hu, labels=body.labels, landmarks=body.landmarks), moves


def _drawn_move(body: Body, bone: MovedBone, label: int, rng: np.random.Generator) -> np.ndarray:
    pivot = femoral_head(body.labels, label)[0] if bone.about == "femoral_head" else centroid(body.labels, label)
    axis = rng.standard_normal(3)
    angle = rng.uniform(-bone.rotation_deg, bone.rotation_deg)
    offset = bone.translation_mm * rng.uniform(-1.0, 1.0, 3)
    return about(pivot, axis / np.linalg.norm(axis), float(angle), offset)
