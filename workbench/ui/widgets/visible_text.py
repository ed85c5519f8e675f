"""Makes text that cannot be trusted safe to read: nothing in it can hide, reorder or imitate what is around it."""

import html
import re
import unicodedata

# White space that a reader expects in an answer; every other control or format character is spelled out.
_ORDINARY = frozenset("\n\t")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_LOOKS_EMPTY = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_LINE_BREAKS = re.compile(r"\r\n?")
_WHITE_SPACE = re.compile(r"\s+")


def visible_text(text: str) -> str:
    """The text with bidirectional, invisible and control characters written out, for example ``⟦U+202E⟧``.

    Line breaks and tabs stay; a carriage return becomes a line break.
    """
    plain = _LINE_BREAKS.sub("\n", text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(_spelled(character) if _hides(character) else character for character in plain)


def one_line(text: str, n_characters: int = 300) -> str:
    """The beginning of a text for one line of a table, made visible, with single spaces.

    Args:
        text: Any text.
        n_characters: How much of it is looked at, so that a huge answer costs nothing.
    """
    shown = _WHITE_SPACE.sub(" ", visible_text(text[:n_characters])).strip()
    return f"{shown}…" if len(text) > n_characters else shown


def _hides(character: str) -> bool:
    if character in _ORDINARY:
        return False
    return character in _LOOKS_EMPTY or unicodedata.category(character) in _HIDDEN_CATEGORIES


def _spelled(character: str) -> str:
    return f"⟦U+{ord(character):04X}⟧"


def plain_tool_tip(text: str) -> str:
    """A tool tip that shows its text as it is.

    Qt reads tool tips as markup whenever they look like it, and markup can name files to be read from the disk;
    escaped text cannot.
    """
    return f"<p style='white-space: pre-wrap'>{html.escape(text)}</p>" if text else ""
