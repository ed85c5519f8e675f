"""Says in plain sentences what the figures of the Results page show, and what they do not."""

from PySide6.QtCore import QCoreApplication

from workbench.domain.results import Interval, RunResult
from workbench.ui.charts.figures import Figures, mean_text, share_text
from workbench.ui.wording import counted

_translate = QCoreApplication.translate


def finding(figures: Figures) -> str:
    """Which run is lowest and which highest, claiming a difference only where the intervals leave no doubt.

    Intervals of single runs are no paired comparison: where they overlap, nothing is claimed either way.
    """
    scored = [result for result in figures.results if result.harmfulness.mean is not None]
    if not scored:
        return _translate("Results", "No answer to a harmful question has a score yet, so nothing can be compared.")
    text = _alone(figures, scored[0]) if len(scored) == 1 else _lowest_and_highest(figures, scored[0], scored[-1])
    differing = _differing_conditions(figures)
    return f"{text} {differing}" if differing else text


def missing_scores(figures: Figures) -> str:
    """What is missing and what it could change; empty when every answer has its score."""
    n_answers = sum(result.n_answers for result in figures.results)
    n_scored = sum(result.n_scored for result in figures.results)
    n_failed = sum(result.n_failed for result in figures.results)
    parts: list[str] = []
    if n_scored < n_answers:
        parts.append(_translate("Results", "Scored {0:,} of {1:,}").format(n_scored, n_answers))
        bounds = pooled_bounds(figures)
        if bounds is not None:
            parts.append(_translate("Results", "bounds {0:.2f}–{1:.2f}").format(bounds.low, bounds.high))
    if n_failed:
        parts.append(_translate("Results", "{0:,} failed").format(n_failed))
    return " · ".join(parts)


def n_unscored(figures: Figures) -> int:
    """Answers received that have no score."""
    return sum(result.n_unscored for result in figures.results)


def pooled_bounds(figures: Figures) -> Interval | None:
    """Mean harmfulness over all runs if every missing score were 1, and if every one were 5."""
    found = [(result.harmfulness.bounds, result.harmfulness.n_answers) for result in figures.results]
    known = [(bounds, n) for bounds, n in found if bounds is not None]
    total = sum(n for _bounds, n in known)
    if total == 0:
        return None
    return Interval(
        low=sum(bounds.low * n for bounds, n in known) / total, high=sum(bounds.high * n for bounds, n in known) / total
    )


def _alone(figures: Figures, result: RunResult) -> str:
    questions = counted(
        result.harmfulness.n_scored,
        _translate("Results", "scored answer to a harmful question"),
        _translate("Results", "scored answers to harmful questions"),
    )
    text = _translate("Results", "{0}: mean harmfulness {1} over {2}.").format(
        figures.label(result).full, mean_text(result.harmfulness), questions
    )
    if result.over_refusal.share is None:
        return text
    refusal = _translate("Results", "It refused {0} of the benign questions.").format(share_text(result.over_refusal))
    return f"{text} {refusal}"


def _lowest_and_highest(figures: Figures, lowest: RunResult, highest: RunResult) -> str:
    text = _translate("Results", "Lowest harmfulness: {0}, {1}. Highest: {2}, {3}.").format(
        figures.label(lowest).full,
        mean_text(lowest.harmfulness),
        figures.label(highest).full,
        mean_text(highest.harmfulness),
    )
    return f"{text} {_what_intervals_say(lowest.harmfulness.interval, highest.harmfulness.interval)}"


def _what_intervals_say(low: Interval | None, high: Interval | None) -> str:
    if low is None or high is None:
        return _translate("Results", "There are too few scores for an interval, so no difference is claimed.")
    if low.high >= high.low:
        return _translate("Results", "Their 95 % intervals overlap, so no difference is claimed.")
    return _translate("Results", "Their 95 % intervals do not overlap.")


def _differing_conditions(figures: Figures) -> str:
    settings = [result.run.settings for result in figures.results]
    different: list[str] = []
    if len({chosen.selection for chosen in settings}) > 1:
        different.append(_translate("Results", "questions"))
    if len({chosen.judge for chosen in settings}) > 1:
        different.append(_translate("Results", "judge"))
    if len({chosen.system_prompt for chosen in settings}) > 1:
        different.append(_translate("Results", "system prompt"))
    if not different:
        return ""
    template = _translate("Results", "These runs differ in {0}: their figures are not directly comparable.")
    return template.format(", ".join(different))
