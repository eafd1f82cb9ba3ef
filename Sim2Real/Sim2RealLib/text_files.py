"""Reading text files that strangers made."""

from pathlib import Path

from .errors import Sim2RealError


def read_text(path: Path | str, max_bytes: int, what: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Sim2RealError if it cannot be read, is larger than `max_bytes` or no text; it says that it is no `what`.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise Sim2RealError(f"{path}: the {what} cannot be read ({error.strerror}).") from error
    if len(content) > max_bytes:
        raise Sim2RealError(f"{path}: larger than {max_bytes >> 20} MiB, so no {what}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Sim2RealError(f"{path}: not a text file in UTF-8, so no {what}.") from error
