"""What a recipe enters, read or generated: a CT with an open lumen, its midline and labels, and their provenance."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.label_table import read_label_map
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mesh_io import read_mesh
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct

from .centerline import Centerline
from .colon import ColonShape, ScannedColon, generate_colon, label_classes, scan_colon
from .colon.labels import label_surface
from .colon.lesions import lesion_shares
from .colon.surface import colon_mesh, lumen_box
from .colonography import ColonLumen, PatientPosition, segment_lumen, trace_centerline
from .colonography.findings import doubts, findings
from .colonography.grid import cropped
from .colonography.mesh_scan import scan_mesh
from .recipe import GeneratedColon, Input

LOG = logging.getLogger("sim2real")

WALL_MESH_MM = 2.0
"""Spacing of the grid that a generated colon's wall is meshed on."""

COARSE_EDGE_MM, COARSE_SHARE = 4.0, 0.05
"""Coverage is told by vertices: a given mesh is too coarse for that if more than this share of its area lies in
triangles with a longer edge. A grid of WALL_MESH_MM has edges up to 3.5 mm."""

MARGIN_MM = 10.0
"""Of tissue that is kept around the lumen: light comes back from some millimetres at most."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A colon to be entered.

    ct: int16 HU, gas in the whole lumen, cropped to it. label_at: labels (N,), uint8, of RAS points (N, 3) on its
        surface, 0 where nothing is labelled.
    clearance: distance (N,) in mm of RAS points (N, 3) to the wall, 0 or less outside the lumen.
    wall_mesh: makes the closed surface of the lumen. polyps: what is known of each; inputs: a provenance record for
        every file or generator. lesions: where tumour is, as `scalar_grid` takes it.
    """

    ct: Volume
    label_at: Callable[[np.ndarray], np.ndarray]
    classes: tuple[LabelClass, ...]
    centerline: Centerline
    clearance: Callable[[np.ndarray], np.ndarray]
    wall_mesh: Callable[[], TriangleMesh]
    polyps: tuple[Mapping[str, Any], ...]
    inputs: tuple[Mapping[str, Any], ...]
    lesions: np.ndarray | None = None


def load_anatomy(section: Input) -> Anatomy:
    """Read or generate what the recipe's `input` names. Sim2RealError for anything wrong with a file or its colon."""
    if section.anatomy is not None:
        return generated_colon(section.anatomy)[1]
    return _from_ct(section, *read_ct(section.volume)) if section.mesh is None else _from_mesh(section)


def _from_ct(section: Input, ct: Volume, record: Mapping[str, Any]) -> Anatomy:
    lumen = segment_lumen(
        ct,
        position=section.patient_position,
        fluid_above_hu=section.fluid_above_hu,
        bridges=section.bridges,
        bridge_up_to_mm=section.bridge_up_to_mm,
        exclude_ras=section.exclude_ras,
    )
    centerline = trace_centerline(lumen, section.ends_ras)
    found = findings(lumen, centerline)
    found["doubts"] = list(doubts(found))
    for doubt in found["doubts"]:
        LOG.warning("%s: %s", ct.name, doubt)
    origin = {key: value for key in ("source", "license") if (value := getattr(section, key)) is not None}
    colon_record = record | origin | {"colon": found}
    if section.labels is None:
        return anatomy_of(lumen, centerline, inputs=(colon_record,))
    found, label_record = read_label_map(section.labels, lumen.ct, section.label_table)
    if found.labels.array.dtype != np.uint8:
        raise Sim2RealError(f"{section.labels}: labels of endoscopy frames are numbers up to 255.")
    return anatomy_of(lumen, centerline, found.labels, found.classes, (colon_record, label_record))


def anatomy_of(
    lumen: ColonLumen,
    centerline: Centerline,
    labels: Volume | None = None,
    classes: tuple[LabelClass, ...] = (),
    inputs: tuple[Mapping[str, Any], ...] = (),
) -> Anatomy:
    """The colon of a CT at hand. labels: uint8, on any grid; classes: what its values mean."""
    label_at = _nothing_labelled if labels is None else labels.nearest
    return Anatomy(
        lumen.ct, label_at, classes, centerline, lumen.clearance.at, lambda: lumen.mesh, polyps=(), inputs=inputs
    )


def _from_mesh(section: Input) -> Anatomy:
    mesh, record = read_mesh(section.mesh, section.mesh_space)
    ct = scan_mesh(mesh, section.mesh_spacing_mm, section.mesh.name)
    try:
        anatomy = _from_ct(section.model_copy(update={"fluid_above_hu": None}), ct, record)
    except Sim2RealError as error:
        raise Sim2RealError(f"{ct.name}, seen as a CT: {error}") from error

    def wall_mesh() -> TriangleMesh:
        if (coarse := _coarse_share(mesh)) <= COARSE_SHARE:
            return mesh
        LOG.warning(
            "%s: %.0f %% of its area has triangles with edges above %g mm. Coverage is counted on the surface of its "
            "CT instead; refine the mesh to have it on its own vertices.",
            *(section.mesh.name, 100 * coarse, COARSE_EDGE_MM),
        )
        return anatomy.wall_mesh()

    return replace(anatomy, wall_mesh=wall_mesh)


def _coarse_share(mesh: TriangleMesh) -> float:
    corners = mesh.vertices_ras.astype(np.float64)[mesh.triangles]
    sides = np.roll(corners, -1, axis=1) - corners
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    coarse = np.linalg.norm(sides, axis=2).max(axis=1) > COARSE_EDGE_MM
    return float(areas[coarse].sum() / areas.sum())


def generated_colon(section: GeneratedColon) -> tuple[ScannedColon, Anatomy]:
    """A generated colon's whole CT with its labels, and what of it is entered: wall, midline and labels by formula."""
    colon = generate_colon(ColonShape(*(getattr(section, field.name) for field in fields(ColonShape))))
    scanned = scan_colon(colon, section.scan)
    lower, upper = lumen_box(colon)
    ct = _around(scanned.ct, lower - MARGIN_MM, upper + MARGIN_MM)
    if section.scan.fluid_depth > 0.0:
        ct = _cleansed(scanned.ct, section.scan.position, colon.centerline)
    record = {"role": "anatomy", "name": "generated colon", "license": "Apache-2.0", **to_jsonable_python(section)}
    polyps = tuple(to_jsonable_python({**asdict(p), "position_ras": p.position_ras.tolist()}) for p in colon.polyps)

    def clearance(points_ras: np.ndarray) -> np.ndarray:
        return -colon.lumen_distance(points_ras).astype(np.float64)

    def wall_mesh() -> TriangleMesh:
        return colon_mesh(colon, WALL_MESH_MM)

    anatomy = Anatomy(
        ct,
        partial(label_surface, colon, scanned.labels),
        label_classes(colon),
        colon.centerline,
        clearance,
        wall_mesh,
        polyps,
        (record,),
        lesion_shares(colon, ct),
    )
    return scanned, anatomy


def _cleansed(ct: Volume, position: str, midline: Centerline) -> Volume:
    """The scan with gas where fluid was, as of a patient's. Sim2RealError if fluid parts the lumen."""
    lumen = segment_lumen(ct, position=PatientPosition(position))
    apart = lumen.clearance.at(midline.points_ras) <= 0.0
    if apart.any():
        raise Sim2RealError(
            f"input.anatomy.scan.fluid_depth: fluid fills {apart.sum():.0f} mm of this colon, of "
            f"{midline.arc_length_mm[-1]:.0f} mm, up to the roof of its lumen. Ask for less of it."
        )
    return lumen.ct


def _nothing_labelled(points_ras: np.ndarray) -> np.ndarray:
    return np.zeros(len(points_ras), np.uint8)


def _around(volume: Volume, lower_ras: np.ndarray, upper_ras: np.ndarray) -> Volume:
    """The part of a volume on axes along R, A, S that holds a box."""
    kji = transform_points(volume.ijk_from_ras, np.stack([lower_ras, upper_ras]))[:, ::-1]
    return cropped(volume, np.floor(kji.min(axis=0)).astype(int), np.ceil(kji.max(axis=0)).astype(int) + 1)
