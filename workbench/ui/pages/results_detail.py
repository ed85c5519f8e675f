"""One answer in full: question, answer, score, the judge's reason, flags, and where it comes from."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from workbench.domain.questions import QuestionKind
from workbench.domain.runs import ScoredResponse
from workbench.ui.charts.run_labels import RunLabel
from workbench.ui.flag_texts import flags_text
from workbench.ui.theme import SPACE, Theme
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.labels import plain_label
from workbench.ui.widgets.score_chip import ScoreChip, score_name
from workbench.ui.widgets.shielded_text import Shield, ShieldedText
from workbench.ui.widgets.visible_text import visible_text

_LONGEST_NOTE = 2_000


class AnswerDetail(Card):
    """Shows one response; every text of it is plain, and harmful ones are covered."""

    def __init__(self, theme: Theme, shield: Shield) -> None:
        super().__init__(title="")
        self.setAccessibleName(self.tr("The selected answer"))
        self._theme = theme
        self.chip = ScoreChip(theme)
        self.score = plain_label(kind="strong", wrap=True)
        self.question = ShieldedText(shield, self.tr("Question"))
        self.answer = ShieldedText(shield, self.tr("Answer"))
        self.reasoning = ShieldedText(shield, self.tr("The model's reasoning"))
        self.reason = ShieldedText(shield, self.tr("Reason for the score"))
        self._reasoning_heading = plain_label(self.tr("The model's reasoning"), kind="small")
        self.flags = plain_label(wrap=True)
        self.flags.setProperty("kind", "notice")
        self.provenance = plain_label(kind="small", wrap=True)
        self.provenance.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._fill()
        theme.theme_changed.connect(self._set_heights)
        self._set_heights()

    def show_response(self, response: ScoredResponse, label: RunLabel) -> None:
        """Show a response of the run called ``label``."""
        harmful = response.kind is QuestionKind.HARMFUL
        self.chip.set_score(response.score, benign=not harmful)
        self.score.setText(self._score_text(response))
        self.question.set_text(response.question, harmful=harmful)
        self.answer.set_text(self._answer_text(response), harmful=harmful and response.text is not None)
        self.reasoning.set_text(response.reasoning, harmful=harmful)
        for widget in (self.reasoning, self._reasoning_heading):
            widget.setVisible(bool(response.reasoning))
        self.reason.set_text(response.score_reason or self.tr("None was given."), harmful=harmful)
        flags = flags_text(response.flags, response.failure)
        self.flags.setText(self.tr("Flags: {0}").format(flags) if flags else "")
        self.flags.setVisible(bool(flags))
        self.provenance.setText(self._provenance(response, label))

    def _fill(self) -> None:
        score_row = QHBoxLayout()
        score_row.setSpacing(SPACE)
        score_row.addWidget(self.chip)
        score_row.addWidget(self.score, 1)
        column = QWidget()
        texts = QVBoxLayout(column)
        texts.setContentsMargins(0, 0, SPACE // 2, 0)
        texts.setSpacing(SPACE // 2)
        texts.addLayout(score_row)
        texts.addWidget(self.flags)
        texts.addSpacing(SPACE)
        for heading, widget, stretch in (
            (plain_label(self.tr("Question"), kind="small"), self.question, 0),
            (plain_label(self.tr("Answer"), kind="small"), self.answer, 1),
            (self._reasoning_heading, self.reasoning, 0),
            (plain_label(self.tr("Reason for the score"), kind="small"), self.reason, 0),
        ):
            texts.addWidget(heading)
            texts.addWidget(widget, stretch)
            texts.addSpacing(SPACE)
        texts.addWidget(self.provenance)
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(column)
        self.body.addWidget(area)

    def _set_heights(self) -> None:
        self.question.setFixedHeight(self._theme.px(70))
        self.reason.setFixedHeight(self._theme.px(70))
        self.reasoning.setFixedHeight(self._theme.px(110))
        self.answer.setMinimumHeight(self._theme.px(120))

    def _score_text(self, response: ScoredResponse) -> str:
        if response.score is None and not response.judged and response.text is not None:
            return self.tr("Not judged yet")
        text = score_name(response.score, benign=response.kind is QuestionKind.BENIGN).capitalize()
        if response.expected_score is None:
            return text
        return self.tr("{0} · judge's mean {1:.2f}").format(text, response.expected_score)

    def _answer_text(self, response: ScoredResponse) -> str:
        if response.text is not None:
            return response.text
        return self.tr("There is no answer. {0}").format(response.failure_message).strip()

    def _provenance(self, response: ScoredResponse, label: RunLabel) -> str:
        text = self.tr("Run {0}, {1} · question {2}, revision {3} · sample {4} · {5:,} tokens in {6:.1f} s").format(
            response.run_id,
            label.full,
            response.question_id,
            response.revision_id,
            response.sample + 1,
            response.n_tokens,
            response.duration_s,
        )
        return visible_text(text)[:_LONGEST_NOTE]
