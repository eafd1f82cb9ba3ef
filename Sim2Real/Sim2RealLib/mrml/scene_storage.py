"""Where the files of a scene are: packed in a .mrb, which is a zip archive, or in the folder of a .mrml.

Both may come from strangers. Of an archive every member is looked at before any is unpacked; beside a .mrml only files
in its folder and below are opened. Nothing is fetched from an address.
"""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import Sim2RealError
from ..itk_io import detached_data

MAX_SCENE_BYTES = 64 << 20
"""Of a .mrml; one with a thousand nodes has about 2 MB."""

MAX_BUNDLE_BYTES = 32 << 30
"""Of all members of a .mrb unpacked: some thirty large CTs."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class Bundle:
    """A .mrb. Sim2RealError for one that is damaged, encrypted or unsafe to unpack."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self._members = _safe_members(path.name, archive)
        scenes = [name for name in self._members if name.lower().endswith(".mrml")]
        if len(scenes) != 1:
            raise Sim2RealError(f"{path.name} holds {len(scenes)} scenes (.mrml); a bundle saved by Slicer has one.")
        self._scene = PurePosixPath(scenes[0])

    def scene_text(self) -> bytes:
        """The content of its .mrml."""
        if self._members[str(self._scene)].file_size > MAX_SCENE_BYTES:
            raise Sim2RealError(f"{self.path.name}: its scene is larger than {MAX_SCENE_BYTES >> 20} MiB.")
        with _archive_errors(self.path):
            return self._archive.read(str(self._scene))

    def place(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Unpack the files that the scene calls so into a folder, under names of ours; their paths."""
        members = [self._members.get(str(self._scene.parent / name)) for name in names]
        for name, member in zip(names, members, strict=True):
            if member is None:
                raise Sim2RealError(f"{self.path.name}: the file {name} is not in it. Save the scene again.")
        needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
        if needed > free:
            raise Sim2RealError(
                f"{self.path.name}: unpacking takes {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in {folder}."
            )
        paths = []
        for number, (name, member) in enumerate(zip(names, members, strict=True)):
            paths.append(folder / f"{number}{suffix_of(name)}")
            with _archive_errors(self.path), self._archive.open(member) as source, paths[-1].open("wb") as target:
                shutil.copyfileobj(source, target)
            _require_whole(self.path.name, name, paths[-1])
        return paths

    def sources(self, paths: Sequence[Path], of_scene: bool) -> list[Path]:
        """The files whose checksum stands for what was read."""
        return [self.path]


class SceneFolder:
    """A .mrml with the files beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def scene_text(self) -> bytes:
        """The content of the .mrml."""
        try:
            with self.path.open("rb") as stream:
                text = stream.read(MAX_SCENE_BYTES + 1)
        except OSError as error:
            raise Sim2RealError(f"{self.path} cannot be read: {error.strerror}.") from error
        if len(text) > MAX_SCENE_BYTES:
            raise Sim2RealError(f"{self.path.name} is larger than {MAX_SCENE_BYTES >> 20} MiB; that is no scene.")
        return text

    def place(self, names: Sequence[str], folder: Path) -> list[Path]:
        """The paths of the files that the scene calls so; `folder` is not needed."""
        return [self._path(name) for name in names]

    def sources(self, paths: Sequence[Path], of_scene: bool) -> list[Path]:
        """Those placed, and the .mrml itself if something `of_scene` was read too: saving changes it every time."""
        return [*paths, self.path] if of_scene else list(paths)

    def _path(self, name: str) -> Path:
        own = self.path.resolve().parent
        path = (own / name).resolve()
        if not path.is_relative_to(own):
            raise Sim2RealError(
                f"{self.path.name} refers to {name}, outside its folder; only files inside it are read. "
                "Save the scene with its data as a bundle (.mrb)."
            )
        if not path.is_file():
            raise Sim2RealError(f"{self.path.name}: the file {name} is missing. Save the scene again.")
        _require_whole(self.path.name, name, path)
        return path


@contextmanager
def open_storage(path: Path) -> Iterator[Bundle | SceneFolder]:
    """The files of a scene. Sim2RealError if it is missing or cannot be read."""
    if not path.is_file():
        raise Sim2RealError(f"{path} does not exist.")
    if path.suffix.lower() == ".mrml":
        yield SceneFolder(path)
        return
    with _archive_errors(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield Bundle(path, archive)


def suffix_of(name: str) -> str:
    """What tells the format of a file, such as ``.seg.nrrd`` or ``.nii.gz``."""
    return re.search(r"((\.seg|\.mrk|\.nii)?\.[A-Za-z0-9]*)?$", name)[0].lower()


def _require_whole(scene: str, name: str, path: Path) -> None:
    """Sim2RealError if the file is but a header, which could have its voxels anywhere."""
    if suffix_of(name).endswith((".nrrd", ".nhdr", ".mha", ".mhd")) and detached_data(path) is not None:
        raise Sim2RealError(f"{scene}: {name} holds no voxels itself. Save the scene again, as .nrrd.")


def _safe_members(bundle: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by name. Sim2RealError for what no Slicer writes and unpacking must not meet."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        if re.search(r"^/|[\\\0]|^[A-Za-z]:|(^|/)\.\.(/|$)", name):
            raise Sim2RealError(f"{bundle} is not safe to unpack: the path {name!r:.80} leads outside it.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise Sim2RealError(f"{bundle} is not safe to unpack: {name!r:.80} is a link.")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Sim2RealError(f"{bundle} is encrypted, or packed as Slicer does not. Save the scene again.")
        if name in members:
            raise Sim2RealError(f"{bundle} is not safe to unpack: {name!r:.80} is in it twice.")
        members[name] = info
    if (total := sum(info.file_size for info in members.values())) > MAX_BUNDLE_BYTES:
        raise Sim2RealError(
            f"{bundle} would be {total / 1e9:.0f} GB unpacked, more than the {MAX_BUNDLE_BYTES / 1e9:.0f} GB allowed."
        )
    return members


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise Sim2RealError(f"{path.name} is damaged or no scene bundle ({error}). Save or copy it again.") from error
    except OSError as error:
        raise Sim2RealError(f"{path} cannot be unpacked: {error.strerror}.") from error
