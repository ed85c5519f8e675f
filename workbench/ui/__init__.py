"""The window: PySide6 and pyqtgraph live only here."""
