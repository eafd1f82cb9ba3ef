"""What a user does with mouse and keys in a view or a panel, by Qt's events; where a point or a handle is to be hit.

Pixels count from the upper left corner of the widget. In a genuine Slicer the mouse is that of slicer.util, and keys
are not pressed.
"""

import numpy as np

from . import is_genuine

Pixel = tuple[int, int]
RING_PER_ARROW = 1.13
"""Radius of the rotation rings by the length of the translation arrows, measured on slicer-core 5.13's handles."""

X_SERVER_MS = 30


def drag(widget: object, start: Pixel, end: Pixel, steps: int = 10) -> None:
    """Drag from `start` to `end` with the left button."""
    import slicer

    _require_visible(widget)
    if is_genuine():  # VTK counts rows from below
        first, last = ((x, widget.height - 1 - y) for x, y in (start, end))
        slicer.util.clickAndDrag(widget, button="None", start=first, end=first)
        slicer.util.clickAndDrag(widget, start=first, end=last, steps=steps)
        return
    from PySide6.QtTest import QTest

    hover(widget, start)
    QTest.mousePress(widget, *_left_button(), _point(start))
    for step in range(1, steps + 1):
        QTest.mouseMove(widget, _point(tuple(a + step / steps * (b - a) for a, b in zip(start, end, strict=True))))
        _let_the_cursor_move()
    QTest.mouseRelease(widget, *_left_button(), _point(end))
    slicer.app.processEvents()


def click(widget: object, at: Pixel) -> None:
    """Move the mouse to a pixel and press and release the left button there."""
    drag(widget, at, at, steps=1)


def hover(widget: object, at: Pixel) -> None:
    """Move the mouse to a pixel."""
    import slicer

    _require_visible(widget)
    if is_genuine():
        there = at[0], widget.height - 1 - at[1]
        slicer.util.clickAndDrag(widget, button="None", start=there, end=there)
        return
    from PySide6.QtTest import QTest

    for point in ((at[0] - 3, at[1] - 3), at):  # two, for a cursor that is there already makes no event
        QTest.mouseMove(widget, _point(point))
        _let_the_cursor_move()


def _let_the_cursor_move() -> None:
    """An X server tells of a moved cursor some time after it was moved; off screen it is told at once."""
    import slicer
    from PySide6.QtTest import QTest

    if slicer.app.platformName != "offscreen":
        QTest.qWait(X_SERVER_MS)
    slicer.app.processEvents()


def press_key(keys: str, widget: object | None = None) -> None:
    """Press a key or a combination, such as ``"Ctrl+Left"``, in a widget or the main window; shortcuts see it first."""
    import slicer

    if is_genuine():
        raise NotImplementedError("keys are pressed in the stand-in only")
    from PySide6.QtGui import QKeySequence
    from PySide6.QtTest import QTest

    target = widget or slicer.util.mainWindow()
    target.window().activateWindow()
    slicer.app.processEvents()
    QTest.keySequence(target, QKeySequence(keys))
    slicer.app.processEvents()


def pixel_of(view: object, ras: tuple[float, float, float]) -> Pixel:
    """Where a point of the world (RAS, mm) is in a 3D or a slice view.

    ValueError where it is outside the view, or more than half a slice spacing off the plane of a slice view.
    """
    _require_visible(view)
    xy = _pixel_in_slice(view, ras) if view.inherits("qMRMLSliceView") else _pixel_in_3d(view, ras)
    at = round(xy[0]), view.height - 1 - round(xy[1])
    if not (0 <= at[0] < view.width and 0 <= at[1] < view.height):
        raise ValueError(f"the point {ras} is at pixel {at}, outside the view of {view.width} × {view.height}")
    return at


def handle_pixel(view: object, transform: object, kind: str, axis: int) -> Pixel:
    """Where a drag in a 3D view takes hold of a transform's handle.

    kind: "translation" (the arrow of an axis) or "rotation" (the ring about it); axis: 0, 1 or 2, of the handles' own
    frame. The mouse is moved until the display node says that this handle is active. ValueError where none is hit, as
    for one that is hidden, edge on, or outside the view.
    """
    representation = _handles(view, transform)
    wanted = {
        "translation": representation.InteractionTranslationHandle,
        "rotation": representation.InteractionRotationHandle,
    }[kind]
    display = transform.GetDisplayNode()
    for ras in _points_of_handle(representation, wanted, axis):
        try:
            at = pixel_of(view, ras)
        except ValueError:
            continue
        hover(view, at)
        if (display.GetActiveInteractionType(), display.GetActiveInteractionIndex()) == (wanted, axis):
            return at
    raise ValueError(f"no pixel of the view takes hold of the {kind} handle of axis {axis} of {transform.GetName()}")


def _handles(view: object, transform: object) -> object:
    import slicer

    _require_visible(view)
    slicer.app.processEvents()
    view.forceRender()  # the size of handles is one on the screen
    manager = view.displayableManagerByClassName("vtkMRMLLinearTransformsDisplayableManager")
    display = transform.GetDisplayNode()
    widget = manager.GetWidget(display) if display is not None else None
    if widget is None:
        raise ValueError(f"{transform.GetName()} has no handles in this view: SetEditorVisibility of its display node")
    return widget.GetRepresentation()


def _points_of_handle(representation: object, kind: int, axis: int) -> list[np.ndarray]:
    """Points of the world on a handle: an arrow's tip, or a ring's circumference, in an order that spreads them."""
    tips, origin = np.zeros((3, 3)), np.zeros(3)
    representation.GetInteractionHandleOriginWorld(origin)
    for index, tip in enumerate(tips):
        representation.GetInteractionHandlePositionWorld(representation.InteractionTranslationHandle, index, tip)
    if kind == representation.InteractionTranslationHandle:
        return [tips[axis]]
    across, along = RING_PER_ARROW * (np.delete(tips, axis, axis=0) - origin)
    angles = np.radians([15 + 137.5 * index for index in range(36)])
    return [origin + np.cos(angle) * across + np.sin(angle) * along for angle in angles]


def _pixel_in_3d(view: object, ras: tuple[float, float, float]) -> np.ndarray:
    renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
    renderer.SetWorldPoint(*ras, 1.0)
    renderer.WorldToDisplay()
    return np.array(renderer.GetDisplayPoint()[:2])


def _pixel_in_slice(view: object, ras: tuple[float, float, float]) -> np.ndarray:
    import slicer

    node = view.mrmlSliceNode()
    ras_from_xy = slicer.util.arrayFromVTKMatrix(node.GetXYToRAS())
    x, y, z, _ = np.linalg.solve(ras_from_xy, [*ras, 1.0])
    if abs(z) > 0.5:
        raise ValueError(f"the point {ras} is {abs(z):.1f} slices off the plane of view {node.GetLayoutName()}")
    return np.array([x, y])


def _require_visible(widget: object) -> None:
    if not widget.visible:
        raise ValueError(f"{widget.className()} is not visible; is it in the current layout, its module selected?")


def _point(at: Pixel) -> object:
    from PySide6.QtCore import QPoint

    return QPoint(round(at[0]), round(at[1]))


def _left_button() -> tuple[object, object]:
    from PySide6.QtCore import Qt

    return Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
