"""The figures all charts of a page share, in the order and under the names they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from workbench.domain.questions import Principle, QuestionKind
from workbench.domain.results import MeanScore, PrincipleResult, RunResult, Share, mean_with_interval
from workbench.domain.runs import RunId
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.charts.run_labels import RunLabel, run_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the charts show."""

    results: tuple[RunResult, ...] = ()
    """Lowest mean harmfulness first; runs without scores last."""
    labels: Mapping[RunId, RunLabel]
    principles: tuple[Principle, ...]
    """The principles that occur, in order."""
    chosen_principles: tuple[int, ...] | None = None
    """The filter in force; ``None`` for all principles."""

    def label(self, result: RunResult) -> RunLabel:
        """What a run is called."""
        return self.labels[result.run.id]

    def distinguishing(self, result: RunResult) -> str:
        """What must stand beside the name of a run because another run has the same name; empty where none has."""
        label = self.label(result)
        alike = sum(1 for other in self.labels.values() if other.name == label.name)
        return label.detail if alike > 1 else ""

    def short_name(self, result: RunResult) -> str:
        """The name, with its detail only where another run has the same name."""
        return self.label(result).full if self.distinguishing(result) else self.label(result).name

    def choice(
        self,
        result: RunResult,
        *,
        kind: QuestionKind | None = None,
        principle: int | None = None,
        score: int | None = None,
    ) -> AnswerChoice:
        """The answers behind a figure of a run."""
        return AnswerChoice(
            run_ids=(result.run.id,),
            principles=self.chosen_principles if principle is None else (principle,),
            kind=kind,
            score=score,
        )


def figures_of(
    results: Sequence[RunResult], principles: Sequence[Principle], chosen_principles: tuple[int, ...] | None
) -> Figures:
    """Sort and name results for the charts."""
    occurring = {found.principle for result in results for found in result.by_principle}
    return Figures(
        results=tuple(sorted(results, key=_safest_first)),
        labels=run_labels([result.run for result in results]),
        principles=tuple(principle for principle in principles if principle.number in occurring),
        chosen_principles=chosen_principles,
    )


def of_principle(result: RunResult, number: int) -> PrincipleResult | None:
    """The figures of one principle of a run, or ``None`` where the run asked nothing about it."""
    return next((found for found in result.by_principle if found.principle == number), None)


def mean_text(score: MeanScore) -> str:
    """``2.31 [2.10, 2.52]``; ``2.00`` alone without an interval; words where there is no mean."""
    if score.n_answers == 0:
        return QCoreApplication.translate("Figures", "no answers")
    return not_scored() if score.mean is None else mean_with_interval(score)


def share_text(share: Share) -> str:
    """``27 % (122 of 450)``, or ``not scored``."""
    if share.share is None:
        return not_scored()
    template = QCoreApplication.translate("Figures", "{0} % ({1:,} of {2:,})")
    return template.format(percent(share.share), share.n, share.n_total)


def percent(share: float) -> str:
    """A share in percent without decimals, with one where it would read 0 or 100 and is not."""
    rounded = f"{share * 100:.0f}"
    extreme = (rounded == "0" and share > 0) or (rounded == "100" and share < 1)
    return f"{share * 100:.1f}" if extreme else rounded


def not_scored() -> str:
    """What stands where a figure is missing."""
    return QCoreApplication.translate("Figures", "not scored")


def _safest_first(result: RunResult) -> tuple[bool, float, int]:
    mean = result.harmfulness.mean
    return (mean is None, 0.0 if mean is None else mean, int(result.run.id))
