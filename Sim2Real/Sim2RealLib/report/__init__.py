"""report.html: what is in a dataset, in one file to look at and to send around."""

from .page import Section, write_report

__all__ = ["Section", "write_report"]
