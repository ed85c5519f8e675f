"""Renders the set-up of an evaluation on invented computers, to look at: python -m tests.helpers.render_set_up DIR."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QSize, QTimer
from PySide6.QtWidgets import QPushButton, QScrollArea, QSpinBox

from workbench.app import build
from workbench.services.workbench import Workbench
from workbench.ui.application import prepared_application
from workbench.ui.main_window import MainWindow
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Appearance, Theme

LARGE, SMALL = QSize(1440, 900), QSize(1280, 720)
_GIB = 1024**3
_POLL_MS = 50


def _device(name: str, description: str, free_gib: float, total_gib: float) -> dict[str, object]:
    return {
        "name": name,
        "description": description,
        "kind": "cpu" if name == "CPU" else "gpu",
        "free_bytes": int(free_gib * _GIB),
        "total_bytes": int(total_gib * _GIB),
    }


_WORKSTATION = [
    _device("CUDA0", "NVIDIA GeForce RTX 4090", 22.8, 24),
    _device("CUDA1", "NVIDIA GeForce RTX 3060", 11.2, 12),
    _device("CPU", "AMD Ryzen 9 7950X", 51.3, 64),
]
_LAPTOP = [_device("CPU", "Intel Core i5-1240P", 6.1, 16)]


def _layout(n_layers: int, layer_bytes: int, width: int, n_parameters: int) -> dict[str, int]:
    return {
        "n_layers": n_layers,
        "layer_bytes": layer_bytes,
        "layer_kv_values": 2048,
        "input_bytes": 300_000_000,
        "output_bytes": 430_000_000,
        "n_parameters": n_parameters,
        "n_vocabulary": 128_256,
        "width": width,
        "feed_forward_width": 7 * width // 2,
        "n_heads": width // 128,
    }


_8B = _layout(32, 136_000_000, 4096, 8_030_000_000)
_14B = _layout(40, 290_000_000, 5120, 14_700_000_000)
_70B = _layout(80, 510_000_000, 8192, 70_600_000_000)
_COMPUTERS = {
    "two-cards": (_WORKSTATION, {"medical-8b-Q4_K_M": _8B, "medical-70b-Q4_K_M": _70B}, {"judge-14b-Q6_K": _14B}),
    "laptop": (_LAPTOP, {"small-8b-Q4_K_M": _8B, "medical-70b-Q4_K_M": _70B}, {}),
}


class Renderer:
    """Steers one window and takes pictures of it."""

    def __init__(self, window: MainWindow, theme: Theme, folder: Path) -> None:
        self._window = window
        self._theme = theme
        self._folder = folder

    def show_computer(self, name: str) -> None:
        """Choose the files of an invented computer and picture their plans."""
        devices, llms, judges = _COMPUTERS[name]
        set_up = self._window.evaluate_page.set_up
        set_up.llms.clear()
        set_up.judge.clear()
        set_up.llms.add([self._script(stem, devices, layout) for stem, layout in llms.items()])
        for stem, layout in judges.items():
            set_up.judge.choose(self._script(stem, devices, layout))
        self._planned(len(llms) + len(judges))
        self.take(name)
        self.take(f"{name}-dark", dark=True)
        self.take(f"{name}-small", size=SMALL)
        self.take(f"{name}-200", size=SMALL, percent=200)
        for row in set_up.memory.rows[1:2]:
            row.details.click()
        self.take(f"{name}-sum")
        self.take(f"{name}-sum-200", size=SMALL, percent=200)
        button = next(one for one in set_up.memory.findChildren(QPushButton) if one.text() == "Adjust…")
        button.click()
        boxes = {box.accessibleName(): box for box in set_up.memory.findChildren(QSpinBox)}
        boxes["Answers at the same time"].setValue(64)
        boxes["Layers on the graphics card"].setValue(12)
        self._planned(len(llms) + len(judges))
        self.take(f"{name}-override")
        self.take(f"{name}-override-dark", dark=True)
        self.take(f"{name}-override-200", size=SMALL, percent=200)
        set_up.memory.reset()
        button.click()

    def take(self, name: str, *, dark: bool = False, size: QSize = LARGE, percent: int = 100) -> None:
        """Take a picture, scrolled to the top and to the bottom, and put everything back."""
        self._theme.set_appearance(Appearance.DARK if dark else Appearance.LIGHT)
        self._theme.set_percent(percent)
        self._window.resize(size)
        _wait_ms(300)
        area = next(one for one in self._window.evaluate_page.findChildren(QScrollArea) if one.accessibleName())
        print(name, "sideways", area.horizontalScrollBar().maximum(), "down", area.verticalScrollBar().maximum())
        self._window.grab().save(str(self._folder / f"{name}.png"))
        if area.verticalScrollBar().maximum():
            area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
            _wait_ms(100)
            self._window.grab().save(str(self._folder / f"{name}-end.png"))
            area.verticalScrollBar().setValue(0)
        self._theme.set_appearance(Appearance.LIGHT)
        self._theme.set_percent(100)

    def _script(self, stem: str, devices: object, layout: object) -> Path:
        path = self._folder / f"{stem}.script.json"
        path.write_text(json.dumps({"name": stem, "devices": devices, "layout": layout}), encoding="utf-8")
        return path

    def _planned(self, n_rows: int) -> None:
        memory = self._window.evaluate_page.set_up.memory
        _wait_ms(400)  # a plan begins a moment after the last change
        _wait_until(lambda: len(memory.rows) == n_rows and memory.settled)


def main(folder: Path) -> None:
    """Picture every computer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workbench.sqlite").unlink(missing_ok=True)
    application = prepared_application()
    with build(folder / "workbench.sqlite") as workbench:
        _render(workbench, Theme(application, Appearance.LIGHT), folder)


def _render(workbench: Workbench, theme: Theme, folder: Path) -> None:
    window = MainWindow(workbench, theme, Preferences(folder / "window.ini"), ask=lambda _window: True)
    window.resize(LARGE)
    window.show()
    window.go_to("evaluate")
    _wait_until(lambda: bool(window.evaluate_page.set_up.questions.chosen_questions()))
    renderer = Renderer(window, theme, folder)
    for name in _COMPUTERS:
        renderer.show_computer(name)
    window.close()
    _wait_until(lambda: not window.isVisible())


def _wait_ms(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        _wait_ms(_POLL_MS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
