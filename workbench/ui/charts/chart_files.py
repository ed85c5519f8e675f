"""Charts as pictures and tables: what the clipboard and files are given."""

import csv
import io
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, QSaveFile, QSize
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator

from workbench.errors import DiskFullError, StorageError
from workbench.ui.charts.chart import Cell, FigureTable

_PIXEL_RATIO = 2
"""Pictures are twice as fine as the screen, so that they print well."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")

Draw = Callable[[QPainter], None]


class ChartFormat(StrEnum):
    """What a chart can be saved as; the value is the file name's ending."""

    PNG = "png"
    SVG = "svg"
    CSV = "csv"


def picture(size: QSize, draw: Draw) -> QImage:
    """A drawing as pixels, twice as many in each direction as ``size``."""
    image = QImage(size * _PIXEL_RATIO, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(_PIXEL_RATIO)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    draw(painter)
    painter.end()
    return image


def png(size: QSize, draw: Draw) -> bytes:
    """A drawing as a PNG file."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(picture(size, draw))
    return bytes(buffer.data().data())


def svg(size: QSize, draw: Draw, title: str) -> bytes:
    """A drawing as an SVG file that stays sharp at every size."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(size)
    generator.setViewBox(QRectF(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    painter = QPainter(generator)
    draw(painter)
    painter.end()
    return bytes(buffer.data().data())


def csv_table(table: FigureTable) -> bytes:
    """Figures as CSV (RFC 4180) in UTF-8 with the mark that spreadsheets recognise it by.

    Numbers stay numbers, a missing figure is an empty cell, and text that a spreadsheet would take for a formula
    begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.header)
    writer.writerows([_csv_cell(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode("utf-8-sig")


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
    return repr(cell)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; an existing one is kept until the new one is complete.

    Raises:
        StorageError: If it cannot be written.
    """
    file = QSaveFile(str(path))
    written = file.open(QIODevice.OpenModeFlag.WriteOnly) and file.write(content) == len(content) and file.commit()
    if not written:
        # Qt reports a full disk as a resource error only; its text is kept for whoever looks closer.
        full = file.error() is QSaveFile.FileError.ResourceError
        raise (DiskFullError if full else StorageError)(
            f"“{path.name}” was not saved.",
            safe="Your results are safe, and an older file of this name is unchanged.",
            todo="Choose another folder, or free some space, and save again.",
            detail=f"{path}: {file.errorString()}",
        )
