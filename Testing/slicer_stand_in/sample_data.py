"""The module `SampleData`: a register of sample data that checks entries and serves local files only."""

import types
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
        loadFileType: object = None,
        loadFiles: object = None,
        loadFileProperties: object = None,
        checksums: object = None,
    ) -> None:
        """ValueError for an entry without a name, with lists of unequal length, or with a file without a checksum."""
        if not sampleName:
            raise ValueError("sample data needs a sampleName")
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

    def downloadSample(self, sample_name: str) -> object:
        """The nodes of a sample: made by its customDownloader, or read where its uris are local files."""
        source = self.sourceForSampleName(sample_name)
        if source is None:
            raise ValueError(f"no sample data named '{sample_name}'")
        if source.customDownloader is not None:
            return source.customDownloader(source)
        if not all(uri.startswith("file:") for uri in source.uris):
            raise RuntimeError(f"{sample_name}: the stand-in downloads nothing")
        nodes = [slicer.util.loadNodeFromFile(uri.removeprefix("file://")) for uri in source.uris]
        return nodes[0] if len(nodes) == 1 else nodes


def make_module() -> types.ModuleType:
    """The module that `import SampleData` gives."""
    module = types.ModuleType("SampleData", __doc__)
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    return module
