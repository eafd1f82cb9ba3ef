"""Fixtures for tests that need Slicer: the genuine one where the tests run in it, else the stand-in."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def slicer_scene() -> Iterator[object]:
    """`slicer.mrmlScene`, empty; the test fails on what a slot raised and on warnings and errors of Qt and VTK."""
    for package in ("slicer", "PySide6"):
        if importlib.util.find_spec(package) is None:
            pytest.fail(f"{package} is not installed; the test extra has it")
    import slicer_stand_in

    slicer_stand_in.install()
    import slicer

    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    if slicer_stand_in.is_genuine():
        yield slicer.mrmlScene
        return
    from slicer_stand_in.error_log import take_errors

    take_errors()
    yield slicer.mrmlScene
    slicer.app.processEvents()
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    assert take_errors() == []


@pytest.fixture
def load_module(slicer_scene: object) -> Iterator[Callable[[str | Path], object]]:
    """`load_module("DRRSim")`, or by the path of the file, opens a module and gives its widget object."""
    import slicer

    from slicer_stand_in import is_genuine

    opened = []

    def load(module: str | Path) -> object:
        if is_genuine():
            slicer.util.selectModule(module)
            return slicer.util.getModuleWidget(module)
        from slicer_stand_in import scripted_module

        path = Path(module) if Path(module).suffix == ".py" else ROOT / module / f"{module}.py"
        opened.append(scripted_module.load_scripted_module(path))
        slicer.app.startupCompleted()
        widget = scripted_module.open_module(opened[-1])
        slicer.app.processEvents()
        return widget

    yield load
    for entry in reversed(opened):
        from slicer_stand_in import scripted_module

        scripted_module.close_module(entry)


@pytest.fixture
def screenshot() -> Callable[[object, Path], Path]:
    """`screenshot(widget, path)` writes what a widget shows as a picture."""

    def save(widget: object, path: Path) -> Path:
        import slicer

        slicer.app.processEvents()
        assert widget.grab().save(str(path)), f"{path} cannot be written"
        return path

    return save


@pytest.fixture
def drag() -> Callable[[object, tuple[int, int], tuple[int, int]], None]:
    """`drag(widget, start, end)` moves the mouse with the left button down, by Qt's events."""
    return drag_mouse


def drag_mouse(widget: object, start: tuple[int, int], end: tuple[int, int], steps: int = 10) -> None:
    """Drag from `start` to `end` in pixels from the upper left corner of the widget."""
    import slicer

    from slicer_stand_in import is_genuine

    if is_genuine():  # VTK counts rows from below
        first, last = ((x, widget.height - 1 - y) for x, y in (start, end))
        slicer.util.clickAndDrag(widget, button="None", start=first, end=first)
        slicer.util.clickAndDrag(widget, start=first, end=last, steps=steps)
        return
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    def point(fraction: float) -> QPoint:
        return QPoint(*(round(a + fraction * (b - a)) for a, b in zip(start, end, strict=True)))

    for before in (-0.1, 0.0):  # two, for a cursor that is there already makes no event
        QTest.mouseMove(widget, point(before))
        slicer.app.processEvents()
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point(0))
    for step in range(1, steps + 1):
        QTest.mouseMove(widget, point(step / steps))
        slicer.app.processEvents()
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point(1))
    slicer.app.processEvents()
