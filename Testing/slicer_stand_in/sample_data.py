"""The module `SampleData`: a register of sample data that checks entries and serves local files only."""

import hashlib
import types
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import slicer


@dataclass(frozen=True)
class SampleDataSource:
    """One entry of the register, with Slicer's names; lists hold one item a file."""

    category: str
    sampleName: str
    uris: tuple[str, ...]
    fileNames: tuple[str, ...]
    nodeNames: tuple[str | None, ...]
    checksums: tuple[str | None, ...]
    thumbnailFileName: str | None = None
    customDownloader: object = None


def _tuple(value: object) -> tuple:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class SampleDataLogic:
    """The part of Slicer's class that registers and loads."""

    sources: dict[str, list[SampleDataSource]] = {}
    titles: dict[str, str] = {}

    @classmethod
    def registerCustomSampleDataCategory(cls, category: str, title: str | None = None) -> None:
        cls.titles[category] = title or category

    @classmethod
    def registerCustomSampleDataSource(
        cls,
        category: str = "Custom",
        sampleName: str | None = None,
        uris: object = None,
        fileNames: object = None,
        nodeNames: object = None,
        customDownloader: object = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: object = None,
        loadFiles: object = None,
        loadFileProperties: object = None,
        checksums: object = None,
    ) -> None:
        """ValueError for an entry without a name, with lists of unequal length, or with a file without a checksum."""
        if not (sampleName and uris and fileNames and nodeNames):
            raise ValueError("sample data needs a sampleName, uris, fileNames and nodeNames, also where it is made")
        source = SampleDataSource(
            category,
            sampleName,
            *(_tuple(value) for value in (uris, fileNames, nodeNames, checksums)),
            thumbnailFileName,
            customDownloader,
        )
        if customDownloader is None:
            if len({len(source.uris), len(source.fileNames), len(source.checksums)}) != 1:
                raise ValueError(f"{sampleName}: uris, fileNames and checksums differ in length")
            if not all(checksum and checksum.startswith("SHA256:") for checksum in source.checksums):
                raise ValueError(f"{sampleName}: a file has no SHA256 checksum")
        if thumbnailFileName and not Path(thumbnailFileName).exists():
            raise ValueError(f"{sampleName}: the thumbnail {thumbnailFileName} does not exist")
        cls.sources.setdefault(category, []).append(source)

    @classmethod
    def sourceForSampleName(cls, sample_name: str) -> SampleDataSource | None:
        return next(
            (entry for found in cls.sources.values() for entry in found if entry.sampleName == sample_name), None
        )

    def downloadFileIntoCache(self, uri: str, name: str, checksum: str | None = None) -> str:
        """The path of a local file; RuntimeError for any other, and for one that is not what the checksum says."""
        if not uri.startswith("file:"):
            raise RuntimeError(f"{name}: the stand-in downloads nothing")
        path = Path(urllib.request.url2pathname(uri.removeprefix("file://")))
        if checksum and checksum != f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}":
            raise RuntimeError(f"{name}: the checksum is another one")
        return str(path)

    def downloadSample(self, sample_name: str) -> object:
        """The nodes of a sample: made by its customDownloader, or read where its uris are local files."""
        source = self.sourceForSampleName(sample_name)
        if source is None:
            raise ValueError(f"no sample data named '{sample_name}'")
        if source.customDownloader is not None:
            return source.customDownloader(source)
        files = zip(source.uris, source.fileNames, source.checksums, strict=True)
        nodes = [slicer.util.loadNodeFromFile(self.downloadFileIntoCache(*file)) for file in files]
        return nodes[0] if len(nodes) == 1 else nodes


def make_module() -> types.ModuleType:
    """The module that `import SampleData` gives."""
    module = types.ModuleType("SampleData", __doc__)
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    return module
