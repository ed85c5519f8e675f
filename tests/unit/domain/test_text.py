from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.text import visible


def test_direction_marks_and_zero_width_characters_are_shown() -> None:
    assert visible("a\u202eb\u200bc\x00") == "a⟦U+202E⟧b⟦U+200B⟧c⟦U+0000⟧"


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert visible(text + "\n\t") == text + "\n\t"
