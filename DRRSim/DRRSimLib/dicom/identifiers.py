"""Unique identifiers that follow from content: the same dataset gets the same ones wherever it is converted."""

import uuid

NAMESPACE = uuid.UUID("5b7c0b3e-5a35-4d2c-9d8e-6f0e7a1c52d4")


def unique_id(*content: str) -> str:
    """The DICOM UID of some content, from a name-based UUID (PS3.5, section B.2; RFC 9562, version 5)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(content)).int}"
