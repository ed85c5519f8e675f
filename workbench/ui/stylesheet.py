"""Builds the style sheet from tokens; the only place that writes Qt style sheet text."""

from collections.abc import Callable
from string import Template

from workbench import paths
from workbench.ui.tokens import Tokens

_SHEET = Template("""
QWidget { color: $text; }
QMainWindow, QDialog, QScrollArea, QScrollArea > QWidget > QWidget { background: $window; }
QToolTip { background: $panel; color: $text; border: 1px solid $line; padding: 4px; }

QLabel { background: transparent; }
QLabel[kind="strong"] { font-weight: 600; }
QLabel[kind="secondary"] { color: $secondary; }
QLabel[kind="small"] { color: $secondary; font-size: ${small_px}px; }
QLabel[kind="heading"] { font-size: ${heading_px}px; font-weight: 600; }
QLabel[kind="title"] { font-size: ${title_px}px; font-weight: 600; }
QLabel[kind="step"] {
    color: $accent; background: $accent_ground; border-radius: 4px; font-weight: 600; padding: 2px 6px;
}
QLabel[kind="notice"] { color: $warning; }
QLabel[kind="danger"] { color: $danger; }
QLabel[kind="mark"] { color: $accent; font-weight: 600; }

QFrame[kind="card"] { background: $panel; border: 1px solid $line; border-radius: 8px; }
QFrame[kind="notice"] { background: $warning_ground; border: 0; border-radius: 6px; }
QFrame[kind="error"] { background: $danger_ground; border: 0; border-left: 3px solid $danger; border-radius: 6px; }
QFrame[kind="callout"] {
    background: $accent_ground; border: 0; border-left: 3px solid $accent;
    border-top-right-radius: 6px; border-bottom-right-radius: 6px;
}
QFrame[kind="line"] { background: $line; border: 0; max-height: 1px; min-height: 1px; }
QFrame[kind="card"] QScrollArea, QFrame[kind="card"] QScrollArea > QWidget > QWidget { background: transparent; }

QPushButton {
    background: $panel; color: $text; border: 1px solid $button_line; border-radius: 6px;
    padding: ${pad_px}px ${pad_wide_px}px; font-weight: 500;
}
QPushButton:hover { background: $window; border-color: $control_line; }
QPushButton:pressed { background: $accent_ground; }
QPushButton:focus { border: 2px solid $accent; padding: ${pad_focus_px}px ${pad_wide_focus_px}px; }
QPushButton:disabled { color: $disabled; border-color: $line; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton[kind="primary"]:hover { background: $accent_hover; }
QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton[kind="primary"]:disabled { background: $accent_muted; border-color: $accent_muted; color: $panel; }
QPushButton[kind="quiet"] { background: transparent; border-color: transparent; color: $accent; }
QPushButton[kind="quiet"]:hover { background: $accent_ground; }
QPushButton[kind="quiet"]:focus { border-color: $accent; }
QPushButton[kind="quiet"]:disabled { color: $disabled; }
QPushButton[kind="link"] {
    background: transparent; border: 2px solid transparent; color: $accent; padding: 0 2px; text-align: left;
}
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"]:focus { border-color: $accent; border-radius: 4px; }
QPushButton[kind="link"]:disabled { color: $disabled; }
QPushButton[kind="status"] {
    background: transparent; border: 2px solid transparent; padding: 0 6px; color: $secondary; border-radius: 4px;
    font-size: ${small_px}px; font-weight: 600;
}
QPushButton[kind="status"]:hover { color: $text; }
QPushButton[kind="status"]:focus { border-color: $accent; }
QPushButton[kind="chip"] {
    border-radius: ${chip_radius_px}px; padding: ${chip_pad_px}px ${pad_px}px; font-weight: 400;
}
QPushButton[kind="chip"]:checked { background: $accent_ground; color: $accent; border-color: $accent; }
QPushButton[kind="chip"]:focus { border: 2px solid $accent; padding: ${chip_pad_focus_px}px ${chip_side_focus_px}px; }

QLineEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
    background: $panel; color: $text; border: 1px solid $control_line; border-radius: 6px;
    padding: ${field_pad_px}px ${pad_px}px; selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {
    border: 2px solid $accent; padding: ${field_pad_focus_px}px ${chip_side_focus_px}px;
}
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
    color: $disabled; border-color: $line;
}
QSpinBox, QDoubleSpinBox, QComboBox { min-height: ${field_line_px}px; max-height: ${field_line_px}px; }
QComboBox::drop-down { border: 0; width: ${arrow_room_px}px; }
QComboBox::down-arrow { image: url("$icons/arrow-down-$shade.svg"); width: ${arrow_px}px; height: ${arrow_px}px; }
QComboBox QAbstractItemView { background: $panel; border: 1px solid $line; outline: 0; padding: 4px; }
QSpinBox, QDoubleSpinBox { padding-right: ${arrow_room_px}px; }
QSpinBox:focus, QDoubleSpinBox:focus { padding-right: ${arrow_room_px}px; }
QSpinBox::up-button, QDoubleSpinBox::up-button {
    subcontrol-origin: border; subcontrol-position: top right; width: ${arrow_room_px}px; border: 0;
}
QSpinBox::down-button, QDoubleSpinBox::down-button {
    subcontrol-origin: border; subcontrol-position: bottom right; width: ${arrow_room_px}px; border: 0;
}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {
    image: url("$icons/arrow-up-$shade.svg"); width: ${arrow_px}px; height: ${arrow_px}px;
}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {
    image: url("$icons/arrow-down-$shade.svg"); width: ${arrow_px}px; height: ${arrow_px}px;
}
QCheckBox { spacing: 8px; background: transparent; }
QCheckBox::indicator {
    width: ${check_px}px; height: ${check_px}px; border-radius: 4px;
    background: $panel; border: 1px solid $control_line;
}
QCheckBox::indicator:checked {
    background: $accent; border-color: $accent; image: url("$icons/check-$shade.svg");
}
QCheckBox::indicator:focus { border: 2px solid $accent; }
QCheckBox:focus { color: $accent; }

QProgressBar {
    background: $track; border: 0; border-radius: ${bar_radius_px}px; max-height: ${bar_px}px; min-height: ${bar_px}px;
}
QProgressBar::chunk { background: $accent; border-radius: ${bar_radius_px}px; }
QProgressBar[kind="thin"] { max-height: ${thin_px}px; min-height: ${thin_px}px; border-radius: ${thin_radius_px}px; }
QProgressBar[kind="thin"]::chunk { border-radius: ${thin_radius_px}px; }

QTableView, QTreeView, QListView {
    background: $panel; border: 0; outline: 0; gridline-color: $line;
    selection-background-color: $accent_ground; selection-color: $text;
}
QTableView::item { padding: 0 5px; }
QTableView::item { border: 0; border-bottom: 1px solid $line; padding: 0 ${pad_px}px; }
QTableView::item:selected { background: $accent_ground; color: $text; }
QTableView::item:focus { border: 1px solid $accent; }
QHeaderView { background: $panel; border: 0; }
QHeaderView::section {
    background: $panel; color: $secondary; border: 0; border-bottom: 1px solid $line; padding: ${pad_px}px;
    font-weight: 400;
}

QSplitter::handle { background: transparent; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $control_line; border-radius: 3px; margin: 3px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QWidget#sidebar { background: $sidebar; border-right: 1px solid $line; }
QWidget#statusLine { background: $sidebar; border-top: 1px solid $line; }
QLabel#programName { font-size: ${heading_px}px; font-weight: 600; }
QMenu { background: $panel; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 6px 24px; border-radius: 4px; }
QMenu::item:selected { background: $accent_ground; color: $text; }
""")


def stylesheet(tokens: Tokens, px: Callable[[float], int], *, dark: bool) -> str:
    """The style sheet of the whole program.

    Args:
        tokens: Colours.
        px: Scales a length with the text size.
        dark: Whether arrows must be drawn for a dark ground.
    """
    sizes = {
        "small_px": px(12),
        "heading_px": px(15),
        "title_px": px(20),
        "pad_px": px(8),
        "pad_focus_px": px(8) - 1,
        "pad_wide_px": px(14),
        "pad_wide_focus_px": px(14) - 1,
        "field_line_px": px(18),  # of combo and spin boxes alike, so that they stay level side by side
        "field_pad_px": px(5),
        "field_pad_focus_px": px(5) - 1,
        "chip_pad_px": px(4),
        "chip_pad_focus_px": px(4) - 1,
        "chip_side_focus_px": px(8) - 1,
        "chip_radius_px": px(12),
        "arrow_px": px(10),
        "arrow_room_px": px(24),
        "check_px": px(16),
        "bar_px": px(8),
        "bar_radius_px": px(8) // 2,
        "thin_px": px(6),
        "thin_radius_px": px(6) // 2,
    }
    colours = {name: getattr(tokens, name) for name in Tokens.__dataclass_fields__}
    return _SHEET.substitute(
        {name: str(value) for name, value in sizes.items()},
        **colours,
        button_line=tokens.control_line if dark else tokens.line,
        icons=(paths.resources_dir() / "icons").as_posix(),
        shade="on-dark" if dark else "on-light",
    )
