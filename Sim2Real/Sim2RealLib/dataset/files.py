"""Writing files so that a reader, and a run after a power cut, sees each one whole or not at all."""

import errno
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import Sim2RealError
from .layout import temporary_name

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_together(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write all files under temporary names, then rename them in the order given: the last one commits the others.

    OSError leaves no temporary file behind and, while a name is still missing, none of the final ones.
    """
    staged = [(path, temporary_name(path, secrets.token_hex(4)), data) for path, data in files]
    try:
        for _, temporary, data in staged:
            with open(temporary, "xb") as stream:
                stream.write(data)
        for path, temporary, _ in staged:
            os.replace(temporary, path)
    except BaseException:
        for _, temporary, _ in staged:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise


def storage_error(error: OSError, folder: Path, done: int = 0, total: int = 0) -> Sim2RealError:
    """What to tell the user when `folder` could not be written, `done` of `total` frames being complete."""
    if error.errno in _FULL:
        cause, remedy = f"no space is left for it ({error.strerror})", "Make room"
    else:
        cause, remedy = f"it cannot be written ({error.strerror or error})", "Make it writable"
    if done == 0:
        return Sim2RealError(f"{folder}: {cause}. {remedy} or choose another folder.")
    return Sim2RealError(
        f"{folder}: {cause}. {done} of {total} frames are complete; {remedy.lower()} and run the same command again, "
        "it goes on from there."
    )
