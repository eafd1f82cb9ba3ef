"""Labels that take no room while they have nothing to say."""

from typing import Any


def say(label: Any, text: str) -> None:
    """Show a text, or hide the label where there is none."""
    label.setText(text)
    label.setVisible(bool(text))
