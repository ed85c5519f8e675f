"""What the window remembers between starts: its own look and layout, never anything about patients or answers."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from workbench.ui.theme import TEXT_PERCENTS, Appearance


class Preferences(QObject):
    """Window settings in an INI file.

    Args:
        path: The file; made when something is first remembered.
    """

    shielding_changed = Signal(bool)

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = QSettings(str(path), QSettings.Format.IniFormat)

    @property
    def appearance(self) -> Appearance:
        """Light, dark or as the system; anything unreadable counts as the system."""
        stored = str(self._settings.value("window/appearance", Appearance.SYSTEM.value))
        return Appearance(stored) if stored in set(Appearance) else Appearance.SYSTEM

    @appearance.setter
    def appearance(self, appearance: Appearance) -> None:
        self._settings.setValue("window/appearance", appearance.value)

    @property
    def text_percent(self) -> int:
        """Text size in percent of the system's, one of ``TEXT_PERCENTS``."""
        stored = str(self._settings.value("window/text_percent", TEXT_PERCENTS[0]))
        return int(stored) if stored.isdigit() and int(stored) in TEXT_PERCENTS else TEXT_PERCENTS[0]

    @text_percent.setter
    def text_percent(self, percent: int) -> None:
        self._settings.setValue("window/text_percent", percent)

    @property
    def shielding(self) -> bool:
        """Whether answers to harmful questions are covered until a person asks to read them; on unless turned off."""
        return str(self._settings.value("content/shielding", "true")).lower() != "false"

    @shielding.setter
    def shielding(self, shielding: bool) -> None:
        if shielding != self.shielding:
            self._settings.setValue("content/shielding", "true" if shielding else "false")
            self.shielding_changed.emit(shielding)

    def remember(self, name: str, state: QByteArray) -> None:
        """Keep the state of a window, splitter or table header under ``name``."""
        self._settings.setValue(f"layout/{name}", state)

    def remembered(self, name: str) -> QByteArray | None:
        """The state kept under ``name``, or ``None``."""
        state = self._settings.value(f"layout/{name}")
        return state if isinstance(state, QByteArray) else None

    def save(self) -> None:
        """Write everything to the file now."""
        self._settings.sync()
