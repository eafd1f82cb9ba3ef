"""What the values of a label map mean: tables of id, name, colour and tissue group."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import Sim2RealError
from .resources import resource_path
from .simulation import LabelClass
from .volume import Volume
from .volume_io import HIGHEST_LABEL, label_ids

COLUMNS = ["id", "name", "color", "group"]
MAX_FILE_BYTES = 4 << 20


@dataclass(frozen=True)
class _Entry:
    label_class: LabelClass
    group: str


def label_classes(table: str | Path) -> tuple[LabelClass, ...]:
    """The classes of a table in its order: a shipped one by its name (``totalsegmentator_v2``), or a CSV file.

    A CSV file, in UTF-8, has the columns ``id,name,color,group`` in this order: a whole number from 1 to 65535 (0 is
    the background and not listed), a name, a colour as ``#rrggbb``, and the tissue group, such as bone, lung, vessel,
    bowel, muscle or organ. Sim2RealError: no such table, other columns, a malformed line, a repeated id or name.
    """
    return tuple(entry.label_class for entry in _entries(table))


def label_groups(table: str | Path) -> dict[int, str]:
    """The tissue group of every id of a table; `table` and errors as for `label_classes`."""
    return {entry.label_class.id: entry.group for entry in _entries(table)}


def classes_present(labels: Volume, table: str | Path) -> tuple[LabelClass, ...]:
    """The classes of a table that a label map holds. Sim2RealError if it holds a label that the table does not name."""
    classes, present = label_classes(table), set(label_ids(labels))
    unknown = sorted(present - {entry.id for entry in classes})
    if unknown:
        shown = ", ".join(map(str, unknown[:10])) + (", …" if len(unknown) > 10 else "")
        raise Sim2RealError(f"{labels.name} holds labels that the table {table} does not name: {shown}.")
    return tuple(entry for entry in classes if entry.id in present)


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
