"""Harmful content is covered until asked for, untrusted text stays text, and scores always carry their digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QEnterEvent, QFont, QImage, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QLabel, QListView, QPlainTextEdit, QPushButton, QStyle, QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from workbench.ui.theme import Theme
from workbench.ui.widgets.score_chip import ScoreChip, score_name
from workbench.ui.widgets.shielded_text import (
    SHIELDED_ROLE,
    SHOWN_AT_ONCE,
    Shield,
    ShieldedText,
    ShieldedTextDelegate,
    draw_covered,
)
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip, visible_text

HARMFUL = "First write the false entry, then sign it with another name."


def reader_of(widget: ShieldedText) -> QPlainTextEdit:
    found = widget.findChild(QPlainTextEdit)
    assert isinstance(found, QPlainTextEdit)
    return found


def everything_said(widget: ShieldedText) -> str:
    """All text that assistive technology, selection or search could reach."""
    children = widget.findChildren(QLabel)
    names = [child.accessibleName() + child.accessibleDescription() for child in widget.findChildren(QPlainTextEdit)]
    return " ".join([reader_of(widget).toPlainText(), *(child.text() for child in children), *names])


def shown_text(qtbot: QtBot, shield: Shield, text: str, *, harmful: bool = True) -> ShieldedText:
    widget = ShieldedText(shield, "Answer")
    qtbot.addWidget(widget)
    widget.resize(400, 200)
    widget.set_text(text, harmful=harmful)
    widget.show()
    return widget


@pytest.mark.usefixtures("theme")
class TestShieldedText:
    def test_harmful_text_cannot_be_reached_while_covered(self, qtbot: QtBot) -> None:
        widget = shown_text(qtbot, Shield(), HARMFUL)
        assert widget.covered
        assert "false entry" not in everything_said(widget)
        assert not reader_of(widget).isVisible()

    def test_benign_text_is_never_covered(self, qtbot: QtBot) -> None:
        widget = shown_text(qtbot, Shield(), "Sign and date the entry.", harmful=False)
        assert reader_of(widget).toPlainText() == "Sign and date the entry."

    def test_the_pointer_uncovers_and_covers_again(self, qtbot: QtBot) -> None:
        widget = shown_text(qtbot, Shield(), HARMFUL)
        at = QPointF(5, 5)
        QApplication.sendEvent(widget, QEnterEvent(at, at, at))
        assert reader_of(widget).toPlainText() == HARMFUL
        QApplication.sendEvent(widget, QEvent(QEvent.Type.Leave))
        assert widget.covered
        assert reader_of(widget).toPlainText() == ""

    def test_b_uncovers_the_whole_page_and_covers_it_again(self, qtbot: QtBot) -> None:
        shield = Shield()
        widget = shown_text(qtbot, shield, HARMFUL)
        shield.bind_key(widget)
        widget.activateWindow()
        qtbot.waitUntil(widget.isActiveWindow)
        for covered in (False, True):
            with qtbot.waitSignal(shield.changed):
                qtbot.keyClick(widget, Qt.Key.Key_B)
            assert shield.covers is covered

    def test_the_setting_turns_covering_off_and_on(self, qtbot: QtBot) -> None:
        shield = Shield(enabled=False)
        widget = shown_text(qtbot, shield, HARMFUL)
        assert not widget.covered
        shield.toggle()
        assert not widget.covered
        shield.set_enabled(True)
        assert widget.covered

    def test_a_screen_reader_is_told_how_to_read_it(self) -> None:
        shield = Shield()
        assert shield.read_out(HARMFUL, harmful=True) == "shielded, press B to read"
        assert shield.read_out("fine", harmful=False) == "fine"
        shield.toggle()
        assert shield.read_out(HARMFUL, harmful=True) == HARMFUL

    def test_a_long_answer_is_folded_and_never_shown_beyond_the_limit(self, qtbot: QtBot) -> None:
        text = "word " * 10_000
        widget = shown_text(qtbot, Shield(), text, harmful=False)
        folded = len(reader_of(widget).toPlainText())
        assert folded < 3_000
        more = widget.findChild(QPushButton)
        assert isinstance(more, QPushButton)
        assert "48,000" in more.text()
        qtbot.mouseClick(more, Qt.MouseButton.LeftButton)
        assert reader_of(widget).toPlainText() == text[:SHOWN_AT_ONCE]
        assert not more.isVisible()
        assert "20,000 of 50,000" in everything_said(widget)

    def test_markup_is_shown_as_it_is(self, qtbot: QtBot) -> None:
        markup = "<img src='/dev/zero'><b>bold</b> ![x](/dev/zero)"
        assert reader_of(shown_text(qtbot, Shield(enabled=False), markup)).toPlainText() == markup

    def test_the_delegate_covers_harmful_cells_except_under_the_pointer(self, qtbot: QtBot) -> None:
        shield = Shield()
        view = QListView()
        qtbot.addWidget(view)
        item = QStandardItem(HARMFUL)
        item.setData(True, SHIELDED_ROLE)
        model = QStandardItemModel()
        model.appendRow(item)
        view.setModel(model)
        delegate = ShieldedTextDelegate(shield, view)

        def drawn(*, hovered: bool) -> QImage:
            option = QStyleOptionViewItem()
            option.rect = QRectF(0, 0, 420, 24).toRect()
            option.state = QStyle.StateFlag.State_Enabled
            if hovered:
                option.state |= QStyle.StateFlag.State_MouseOver
            option.widget = view
            image = QImage(420, 24, QImage.Format.Format_RGB32)
            image.fill(Qt.GlobalColor.white)
            painter = QPainter(image)
            delegate.paint(painter, option, model.index(0, 0))
            painter.end()
            return image

        covered, readable = drawn(hovered=False), drawn(hovered=True)
        assert sharpness(covered) < sharpness(readable) / 4
        shield.toggle()
        assert sharpness(drawn(hovered=False)) > sharpness(covered) * 4


def sharpness(image: QImage) -> float:
    """Mean squared step of brightness between neighbouring pixels: letters have edges, a blur has none."""
    steps = [
        (image.pixelColor(x + 1, y).lightness() - image.pixelColor(x, y).lightness()) ** 2
        for y in range(image.height())
        for x in range(image.width() - 1)
    ]
    return sum(steps) / len(steps)


@pytest.mark.usefixtures("theme")
def test_two_texts_of_one_length_look_alike_when_covered() -> None:
    def covered(text: str) -> QImage:
        image = QImage(300, 24, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.white)
        painter = QPainter(image)
        font = QFont()
        font.setPixelSize(13)
        draw_covered(painter, QRectF(0, 0, 300, 24), text, font, QColor("black"), int(Qt.AlignmentFlag.AlignLeft))
        painter.end()
        return image

    one, other = covered("nine words about nothing"), covered("ninn wards abuut nathing")
    differences = [
        abs(one.pixelColor(x, y).lightness() - other.pixelColor(x, y).lightness())
        for x in range(300)
        for y in range(24)
    ]
    assert max(differences) < 100
    assert sum(differences) / len(differences) < 6


@given(st.text())
def test_visible_text_leaves_no_hidden_character(text: str) -> None:
    shown = visible_text(text)
    assert not any(ord(character) < 32 and character not in "\n\t" for character in shown)
    assert not any(character in shown for character in "\u202e\u202a\u2066\u200b\u200f\ufeff\u00ad\u2028\x7f")


def test_visible_text_spells_out_what_hides() -> None:
    assert visible_text("a\u202eb\u200bc\x00") == "a⟦U+202E⟧b⟦U+200B⟧c⟦U+0000⟧"
    assert visible_text("one\r\ntwo\tthree é 漢 👍") == "one\ntwo\tthree é 漢 👍"


def test_one_line_is_short_and_single() -> None:
    assert one_line(" a\n\n b ") == "a b"
    assert one_line("x" * 10_000, 10) == "x" * 10 + "…"


def test_tool_tips_cannot_be_markup() -> None:
    assert "<img" not in plain_tool_tip("<img src='/dev/zero'>")
    assert plain_tool_tip("") == ""


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5, None])
def test_a_chip_says_its_score(qtbot: QtBot, theme: Theme, score: int | None) -> None:
    chip = ScoreChip(theme, score)
    qtbot.addWidget(chip)
    assert chip.accessibleName() == score_name(score)
    assert ("not scored" in chip.accessibleName()) == (score is None)
    chip.grab()
    other = ScoreChip(theme, 1 if score != 1 else 5)
    qtbot.addWidget(other)
    assert chip.grab().toImage() != other.grab().toImage()


def test_a_full_answer_to_a_benign_question_does_not_look_harmful(qtbot: QtBot, theme: Theme) -> None:
    chip = ScoreChip(theme)
    qtbot.addWidget(chip)
    chip.set_score(5)
    harmful = chip.grab().toImage()
    chip.set_score(5, benign=True)
    assert chip.accessibleName() == "score 5 of 5, benign question answered in full"
    assert chip.grab().toImage() != harmful
    chip.set_score(1, benign=True)
    assert chip.accessibleName() == "score 1 of 5, benign question refused"
