"""What the values of a label map mean: tables of id, name, colour and tissue group."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from .errors import Sim2RealError
from .resources import resource_path
from .scene_path import scene_reader, split_scene_path
from .simulation import LabelClass
from .volume import Volume
from .volume_io import HIGHEST_LABEL, label_ids, read_labels

COLUMNS = ["id", "name", "color", "group"]
MAX_FILE_BYTES = 4 << 20
NO_GROUP = "other"
"""Of labels for whose tissue there is no rule."""


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label map with what its values mean.

    labels: uint8 or uint16, 0 where nothing is labelled. classes: those that occur in it, at least. groups: the tissue
    group of each id that has one.
    """

    labels: Volume
    classes: tuple[LabelClass, ...]
    groups: Mapping[int, str]


@dataclass(frozen=True)
class Named:
    """A label as Slicer has it: a name, a colour, and another name that it may go by in tables, if any."""

    name: str
    color: tuple[int, int, int]
    other_name: str = ""


@dataclass(frozen=True)
class _Entry:
    label_class: LabelClass
    group: str


def read_label_map(path: str | Path, reference: Volume, table: str | Path) -> tuple[LabelMap, dict[str, Any]]:
    """A label map on the grid of `reference` as `volume_io.read_labels` reads it, its ids those of a table.

    In a scene of Slicer's, ``case.mrb#bones``, it may be a segmentation, whose segments have names
    (see `classes_by_name`).
    Sim2RealError as there, for the table as `label_classes`, and for a label that the table does not name.
    """
    if (scene := split_scene_path(path)) is not None:
        return scene_reader().read_label_map(*scene, reference, table)
    labels, record = read_labels(path, reference)
    return LabelMap(labels, classes_present(labels, table), label_groups(table)), record


def label_classes(table: str | Path) -> tuple[LabelClass, ...]:
    """The classes of a table in its order: a shipped one by its name (``totalsegmentator_v2``), or a CSV file.

    A CSV file, in UTF-8, has the columns ``id,name,color,group`` in this order: a whole number from 1 to 65535 (0 is
    the background and not listed), a name, a colour as ``#rrggbb``, and the tissue group, such as bone, lung, vessel,
    bowel, muscle or organ. Sim2RealError: no such table, other columns, a malformed line, a repeated id or name.
    """
    return tuple(entry.label_class for entry in _entries(table))


def label_groups(table: str | Path) -> dict[int, str]:
    """The tissue group of every id of a table that has one: not ``other``. `table`, errors: as for `label_classes`."""
    return {entry.label_class.id: entry.group for entry in _entries(table) if entry.group != NO_GROUP}


def table_text(classes: Sequence[LabelClass], groups: Mapping[int, str]) -> str:
    """A table of one's own as a CSV file holds it; classes without a tissue group are of the group ``other``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in classes:
        color = "#" + bytes(entry.color).hex()
        writer.writerow([entry.id, entry.name, color, groups.get(entry.id, NO_GROUP)])
    return text.getvalue()


def classes_present(labels: Volume, table: str | Path) -> tuple[LabelClass, ...]:
    """The classes of a table that a label map holds. Sim2RealError if it holds a label that the table does not name."""
    classes, present = label_classes(table), set(label_ids(labels))
    unknown = sorted(present - {entry.id for entry in classes})
    if unknown:
        shown = ", ".join(map(str, unknown[:10])) + (", …" if len(unknown) > 10 else "")
        raise Sim2RealError(f"{labels.name} holds labels that the table {table} does not name: {shown}.")
    return tuple(entry for entry in classes if entry.id in present)


def classes_by_name(
    source: str, named: Sequence[Named], table: str | Path
) -> tuple[tuple[LabelClass, ...], dict[int, str]]:
    """A class for each named label, in their order, and the tissue group of each class that has one.

    A label whose name is in the table is that class: id, name, colour and group are the table's. Case does not count,
    and space, hyphen and underscore are the same. A label whose name is not, but whose other name is, is that class.
    All others keep their names and colours, get the lowest ids that the table leaves free, and no group.

    Sim2RealError, naming the `source`: a label without a name, two of the same name or class; for the table as
    `label_classes`.
    """
    entries = _entries(table)
    known = {_plain(entry.label_class.name): entry for entry in entries}
    taken = {entry.label_class.id for entry in entries}
    free = (number for number in count(1) if number not in taken)
    classes, groups, origin = [], {}, {}
    for label in named:
        if not label.name.strip():
            raise Sim2RealError(f"{source}: a label has no name. Name it in Slicer.")
        entry = known.get(_plain(label.name)) or known.get(_plain(label.other_name))
        name = entry.label_class.name if entry else label.name
        if name in origin:
            raise Sim2RealError(
                f"{source}: '{origin[name]}' and '{label.name}' are both the class {name}. Merge them, or rename one."
            )
        origin[name] = label.name
        classes.append(entry.label_class if entry else LabelClass(next(free), label.name, label.color))
        if entry and entry.group != NO_GROUP:
            groups[entry.label_class.id] = entry.group
    return tuple(classes), groups


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


def _entries(table: str | Path) -> list[_Entry]:
    path = _table_path(table)
    entries: list[_Entry] = []
    ids, names = set(), set()
    for where, row in _rows(path):
        entry = _entry(where, row)
        if entry.label_class.id in ids or entry.label_class.name in names:
            raise Sim2RealError(f"{where}: the id {row[0]} or the name '{row[1]}' is there twice.")
        ids.add(entry.label_class.id)
        names.add(entry.label_class.name)
        entries.append(entry)
    if not entries:
        raise Sim2RealError(f"{path.name} lists no labels.")
    return entries


def _table_path(table: str | Path) -> Path:
    path = Path(table)
    if path.suffix.lower() == ".csv":
        return path
    folder = resource_path("Labels")
    shipped = sorted(file.stem for file in folder.glob("*.csv"))
    if str(table) not in shipped:
        raise Sim2RealError(
            f"There is no label table '{table}'; shipped are {', '.join(shipped)}. A table of your own is a .csv file."
        )
    return folder / f"{table}.csv"


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines below the heading, each with its place for messages."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Sim2RealError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB; that is no label table.")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            if next(reader, None) != COLUMNS:
                raise Sim2RealError(f"{path.name}: its first line must be {','.join(COLUMNS)}.")
            yield from ((f"{path.name}, line {reader.line_num}", row) for row in reader if row)
    except OSError as error:
        raise Sim2RealError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Sim2RealError(f"{path} is not a CSV file in UTF-8.") from error


def _entry(where: str, row: list[str]) -> _Entry:
    if len(row) != len(COLUMNS):
        raise Sim2RealError(f"{where}: it has {len(row)} columns, not {len(COLUMNS)} ({','.join(COLUMNS)}).")
    number, name, color, group = (field.strip() for field in row)
    if not re.fullmatch(r"[0-9]{1,5}", number) or not 1 <= int(number) <= HIGHEST_LABEL:
        raise Sim2RealError(f"{where}: the id '{number:.20}' is not a whole number from 1 to {HIGHEST_LABEL}.")
    if not name or not group:
        raise Sim2RealError(f"{where}: the name or the group is empty.")
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise Sim2RealError(f"{where}: the color '{color:.20}' is not of the form #rrggbb.")
    return _Entry(LabelClass(int(number), name, tuple(bytes.fromhex(color[1:]))), group)
