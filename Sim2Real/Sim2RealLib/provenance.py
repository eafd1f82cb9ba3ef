"""Which files a result came from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import Sim2RealError


def input_record(role: str, path: Path, files: Sequence[Path] = ()) -> dict[str, Any]:
    """What a dataset keeps of one input: its role, its name without the folders above it, and the SHA-256 of its bytes.

    `files` are the files of an input that has several (a DICOM series, a header with its data): its hash is that of
    their hexadecimal hashes, sorted and joined, so that it does not depend on file names or order.
    """
    hashes = sorted(_sha256(file) for file in files or (path,))
    digest = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    return {"role": role, "name": path.name, "sha256": digest}


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Sim2RealError(f"{file} cannot be read: {error.strerror}.") from error
