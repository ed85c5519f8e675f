"""Untrusted text made safe to look at."""

import unicodedata

_KEPT = "\n\t"


def visible(text: str) -> str:
    """Show characters that steer a display instead of letting them act.

    Control, bidirectional, zero-width and other invisible characters become ``⟦U+202E⟧``; line breaks and tabs stay.
    Text without such characters is returned unchanged.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return character
    return f"⟦U+{ord(character):04X}⟧"
