"""The named colours of the window and the step of its spacing."""

from dataclasses import dataclass

SPACE = 8
"""All spacing is a multiple of this many px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One set of colours, each ``#rrggbb``. Every text colour reaches contrast 4.5 on the grounds it is used on."""

    window: str
    panel: str
    """Cards, fields, tables."""
    sidebar: str
    line: str
    """Hairlines between things."""
    control_line: str
    """Borders of fields and buttons; contrast 3 on ``panel``."""
    track: str
    """The empty part of a progress bar."""
    text: str
    secondary: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_ground: str
    accent_muted: str
    """Ground of a primary button that cannot be pressed."""
    warning: str
    warning_ground: str
    danger: str
    danger_ground: str


LIGHT = Tokens(
    window="#f6f7f8",
    panel="#ffffff",
    sidebar="#ebeff2",
    line="#dfe3e6",
    control_line="#8b959d",
    track="#dfe3e6",
    text="#1b2126",
    secondary="#5c6770",
    disabled="#9aa4ab",
    accent="#1f6f78",
    accent_hover="#185a62",
    on_accent="#ffffff",
    accent_ground="#e2f0f1",
    accent_muted="#93babf",
    warning="#8a5a00",
    warning_ground="#fff4dc",
    danger="#9e2f2f",
    danger_ground="#fbe9e7",
)

DARK = Tokens(
    window="#15191c",
    panel="#1c2226",
    sidebar="#181d20",
    line="#2e363b",
    control_line="#68747c",
    track="#343d43",
    text="#e7ebee",
    secondary="#9aa6ae",
    disabled="#667078",
    accent="#63c2cb",
    accent_hover="#83d2d9",
    on_accent="#0c1719",
    accent_ground="#173237",
    accent_muted="#3a6a70",
    warning="#f0c674",
    warning_ground="#33290f",
    danger="#f2a29b",
    danger_ground="#3a1d1b",
)
