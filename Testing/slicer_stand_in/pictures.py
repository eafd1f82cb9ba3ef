"""Pictures for the documentation and for a look at what a test sees: a panel, the views, the whole window."""

from pathlib import Path

from . import is_genuine

NOTE = "made with the test harness, not in 3D Slicer"
NOTE_HEIGHT_PX = 18


def widget_picture(widget: object, path: Path) -> Path:
    """Write what a widget shows; of one with a layout, such as a panel, all that is in it and no empty space below."""
    import qt
    import slicer

    slicer.app.processEvents()
    height, layout = widget.height, widget.layout()
    if layout is not None:
        whole = layout.totalHeightForWidth(widget.width) if layout.hasHeightForWidth() else widget.sizeHint.height()
        height = min(height, whole)
    return _save(widget.grab(qt.QRect(0, 0, widget.width, height)), path)


def layout_picture(path: Path, size: tuple[int, int] = (1000, 800)) -> Path:
    """Write the views of the current layout, arranged as in Slicer's window."""
    import slicer

    return _picture(slicer.app.layoutManager().viewport(), path, size)


def application_picture(path: Path, size: tuple[int, int] = (1500, 900)) -> Path:
    """Write the main window: the panel of the selected module at the left, the views of the layout at the right."""
    import slicer

    return _picture(slicer.util.mainWindow(), path, size)


def _picture(widget: object, path: Path, size: tuple[int, int]) -> Path:
    """The widget at `size` (width, height) in pixels, with a line below that says where it was made."""
    import slicer

    if is_genuine():
        slicer.app.processEvents()
        return _save(widget.grab(), path)
    window = slicer.util.mainWindow()
    before = window.width, window.height
    for entry in slicer.app.layoutManager().shown_widgets():
        entry.view()
    for _ in range(2):  # the window settles in steps: its docks, then the views
        window.resize(*(now + wanted - own for now, wanted, own in zip(*_sizes(window, size, widget), strict=True)))
        slicer.app.processEvents()
    picture = _noted(widget.grab())
    window.resize(*before)
    slicer.app.processEvents()
    return _save(picture, path)


def _sizes(window: object, size: tuple[int, int], widget: object) -> tuple[tuple[int, int], ...]:
    return (window.width, window.height), size, (widget.width, widget.height)


def _noted(picture: object) -> object:
    import qt

    noted = qt.QPixmap(picture.width(), picture.height() + NOTE_HEIGHT_PX)
    noted.fill(qt.QColor("white"))
    painter = qt.QPainter(noted)
    painter.drawPixmap(0, 0, picture)
    painter.setPen(qt.QColor("gray"))
    font = painter.font()
    font.setPixelSize(11)
    painter.setFont(font)
    below = qt.QRect(0, picture.height(), picture.width() - 6, NOTE_HEIGHT_PX)
    painter.drawText(below, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter), NOTE)
    painter.end()
    return noted


def _save(picture: object, path: Path) -> Path:
    assert picture.save(str(path)), f"{path} cannot be written"
    return path
