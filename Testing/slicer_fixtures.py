"""Fixtures for tests that need Slicer: the genuine one where the tests run in it, else the stand-in.

What a user does with mouse and keys is in slicer_stand_in/gestures.py, pictures are taken by
slicer_stand_in/pictures.py, and dialogs are answered by slicer_stand_in/dialogs.py.
"""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def slicer_scene() -> Iterator[object]:
    """`slicer.mrmlScene`, empty.

    The test fails on what a slot raised, on warnings and errors of Qt and VTK, and on messages and questions that it
    did not expect.
    """
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
    from slicer_stand_in import dialogs
    from slicer_stand_in.error_log import catch_uncaught, take_errors

    catch_uncaught()

    take_errors(), dialogs.take_left_over()
    yield slicer.mrmlScene
    slicer.app.processEvents()
    slicer.mrmlScene.Clear(0)
    slicer.app.startOver()
    slicer.app.processEvents()
    left_over = {"errors": take_errors(), **dialogs.take_left_over()}
    assert {what: items for what, items in left_over.items() if items} == {}


@pytest.fixture
def load_module(slicer_scene: object) -> Iterator[Callable[[str | Path], object]]:
    """`load_module("DRRSim")`, or by the path of the file, opens a module; its widget object, None if it has none."""
    import slicer

    from slicer_stand_in import is_genuine

    loaded = {}

    def load(module: str | Path) -> object:
        path = Path(module) if Path(module).suffix == ".py" else ROOT / module / f"{module}.py"
        if not is_genuine() and path.stem not in loaded:
            from slicer_stand_in.scripted_module import load_scripted_module

            loaded[path.stem] = load_scripted_module(path)
            slicer.app.startupCompleted()
        if slicer.util.getModule(path.stem).widgetRepresentation() is None:
            return None
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule(path.stem)
        slicer.app.processEvents()
        return slicer.util.getModuleWidget(path.stem)

    yield load
    if loaded and slicer.util.mainWindow() is not None:
        slicer.util.selectModule("")
    for entry in reversed(loaded.values()):
        entry.close()


@pytest.fixture
def screenshot() -> Callable[[object, Path], Path]:
    """`screenshot(widget, path)` writes what a widget shows as a picture."""
    from slicer_stand_in.pictures import widget_picture

    return widget_picture


@pytest.fixture
def drag() -> Callable[[object, tuple[int, int], tuple[int, int]], None]:
    """`drag(widget, start, end)` moves the mouse with the left button down, by Qt's events."""
    from slicer_stand_in import gestures

    return gestures.drag
