"""The program's own line icons, painted in any colour."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from workbench import paths


@lru_cache(maxsize=256)
def icon_pixmap(name: str, colour: str, size_px: int, pixel_ratio: float = 1.0) -> QPixmap:
    """One icon.

    Args:
        name: File name without ending in ``resources/icons``.
        colour: ``#rrggbb``.
        size_px: Side length in device-independent px.
        pixel_ratio: Device pixels for each of them.
    """
    drawing = (paths.resources_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    renderer = QSvgRenderer(QByteArray(drawing.replace("currentColor", colour).encode("utf-8")))
    pixmap = QPixmap(QSize(size_px, size_px) * pixel_ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter)
    painter.end()
    pixmap.setDevicePixelRatio(pixel_ratio)
    return pixmap


def icon(name: str, colour: str, size_px: int = 16) -> QIcon:
    """One icon for buttons, sharp on dense screens too."""
    found = QIcon()
    for pixel_ratio in (1.0, 2.0):
        found.addPixmap(icon_pixmap(name, colour, size_px, pixel_ratio))
    return found
