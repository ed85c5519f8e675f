"""What can be clicked in a chart and which answers it leads to."""

from dataclasses import dataclass

from PySide6.QtCore import QRectF

from workbench.domain.questions import QuestionKind
from workbench.domain.runs import RunId, ScoredResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChoice:
    """Which answers stand behind a figure. ``None`` means no restriction."""

    run_ids: tuple[RunId, ...]
    principles: tuple[int, ...] | None = None
    kind: QuestionKind | None = None
    score: int | None = None
    unscored: bool = False
    """Only answers that were received and have no score."""

    def includes(self, response: ScoredResponse) -> bool:
        """Whether a response is among them."""
        return (
            response.run_id in self.run_ids
            and (self.principles is None or response.principle in self.principles)
            and (self.kind is None or response.kind is self.kind)
            and (self.score is None or response.score == self.score)
            and (not self.unscored or (response.text is not None and response.score is None))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One figure in a chart."""

    rect: QRectF
    """Where it can be clicked; pixels of the chart."""
    text: str
    """The figure in words, for the tool tip and the screen reader."""
    choice: AnswerChoice
