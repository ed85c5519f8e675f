"""Starts Qt and opens the window."""

import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from workbench import __version__, paths
from workbench.services.workbench import Workbench
from workbench.ui.errors import FaultReporter
from workbench.ui.icons import icon_pixmap
from workbench.ui.main_window import MainWindow
from workbench.ui.preferences import Preferences
from workbench.ui.theme import LIGHT, Theme

_ICON_SIZES_PX = (16, 32, 64, 128, 256)


def open_window(workbench: Workbench, *, preferences_file: Path | None = None) -> int:
    """Show the window until it is closed.

    Args:
        workbench: The use cases.
        preferences_file: Where the window keeps its size and settings; ``None`` takes the person's data folder.

    Returns:
        The exit code.
    """
    application = prepared_application()
    faults = FaultReporter(application)
    faults.install()
    preferences = Preferences(preferences_file or paths.data_dir() / "window.ini", application)
    theme = Theme(application, preferences.appearance, preferences.text_percent)
    window = MainWindow(workbench, theme, preferences)
    interrupt = InterruptWatcher(application)
    interrupt.interrupted.connect(window.close)
    window.show()
    code = application.exec()
    interrupt.close()
    return code


def prepared_application() -> QApplication:
    """The one Qt application of this process, with its names, icon and style."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("medical-safety-workbench")
    application.setApplicationDisplayName(application.tr("Medical Safety Workbench"))
    application.setApplicationVersion(__version__)
    application.setStyle("fusion")
    icon = QIcon()
    for size_px in _ICON_SIZES_PX:
        icon.addPixmap(icon_pixmap("workbench", LIGHT.accent, size_px))
    application.setWindowIcon(icon)
    return application


class InterruptWatcher(QObject):
    """Makes Ctrl-C in the terminal close the window as its close button does.

    Python runs signal handlers only between its own instructions, and a waiting event loop executes none; so the
    interpreter writes the signal into a socket, which wakes the loop.
    """

    interrupted = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._old_descriptor = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._old_handler = signal.signal(signal.SIGINT, self._on_signal)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_woken)

    def close(self) -> None:
        """Put back what was there before."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._old_descriptor)
        signal.signal(signal.SIGINT, self._old_handler)
        self._reader.close()
        self._writer.close()

    def _on_woken(self) -> None:
        self._reader.recv(64)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.interrupted.emit()
