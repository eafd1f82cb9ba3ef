"""Files from the web, kept only if they are what their checksum says."""

import hashlib
import tempfile
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from .errors import Sim2RealError
from .job import Done

PART_BYTES = 1 << 16
SILENCE_S = 20.0
"""After which a server that sends nothing is given up."""


def download(url: str, path: Path, sha256: str) -> Iterator[Done]:
    """Steps that download a file where it is not there yet; of one that is stopped or fails nothing is left.

    Sim2RealError: no connection, nothing at the address, no place for the file, another checksum.
    """
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return
    server, found = urlsplit(url).netloc or "this computer", hashlib.sha256()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            partial = Path(folder) / path.name
            with urllib.request.urlopen(url, timeout=SILENCE_S) as answer, partial.open("wb") as file:
                total = int(answer.headers.get("Content-Length", 0))
                while part := answer.read(PART_BYTES):
                    file.write(part)
                    found.update(part)
                    yield Done(0, 0, f"{path.name}, {_in_words(file.tell(), total)}")
            if found.hexdigest() == sha256:
                partial.replace(path)
                return
    except (OSError, HTTPException) as error:  # urllib's own errors are of the first kind
        raise Sim2RealError(
            f"{path.name} could not be downloaded from {server}: {getattr(error, 'reason', None) or error}. "
            "Check the connection to the internet, and try again."
        ) from error
    raise Sim2RealError(
        f"What {server} sent as {path.name} is another file than expected, by its checksum, and was not kept. "
        "Try again; if it stays so, the address holds something else by now."
    )


def _in_words(done: int, total: int) -> str:
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
