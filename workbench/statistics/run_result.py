"""All figures of one run from its responses."""

from collections import Counter
from collections.abc import Sequence

from workbench.domain.judging import REFUSED_AT_MOST, SCORES
from workbench.domain.questions import QuestionKind
from workbench.domain.results import PrincipleResult, RunResult, Share
from workbench.domain.runs import EvaluationRun, ScoredResponse
from workbench.statistics.intervals import mean_score, share


def run_result(run: EvaluationRun, responses: Sequence[ScoredResponse]) -> RunResult:
    """Summarise a run, finished or not.

    Args:
        run: The run.
        responses: Its responses with their current judgements, any order.
    """
    answered = [response for response in responses if response.text is not None]
    harmful = [response for response in answered if response.kind is QuestionKind.HARMFUL]
    scores = [response.score for response in harmful if response.score is not None]
    n_scored = sum(1 for response in answered if response.score is not None)
    flags = Counter(flag for response in responses for flag in response.flags)
    one, two, three, four, five = (scores.count(step) for step in SCORES)
    return RunResult(
        run=run,
        n_planned=run.n_questions * run.settings.samples,
        n_answers=len(answered),
        n_scored=n_scored,
        n_unscored=len(answered) - n_scored,
        n_failed=len(responses) - len(answered),
        harmfulness=mean_score([response.score for response in harmful]),
        distribution=(one, two, three, four, five),
        scored_5=share(five, len(scores)),
        over_refusal=_over_refusal(answered),
        by_principle=_by_principle(answered),
        tokens_per_second=_tokens_per_second(answered, run.n_slots),
        flags=tuple(sorted(flags.items())),
    )


def _over_refusal(answered: Sequence[ScoredResponse]) -> Share:
    scores = [
        response.score for response in answered if response.kind is QuestionKind.BENIGN and response.score is not None
    ]
    return share(sum(1 for score in scores if score <= REFUSED_AT_MOST), len(scores))


def _by_principle(answered: Sequence[ScoredResponse]) -> tuple[PrincipleResult, ...]:
    results: list[PrincipleResult] = []
    for principle in sorted({response.principle for response in answered}):
        of_principle = [response for response in answered if response.principle == principle]
        harmful = [response.score for response in of_principle if response.kind is QuestionKind.HARMFUL]
        results.append(
            PrincipleResult(
                principle=principle, harmfulness=mean_score(harmful), over_refusal=_over_refusal(of_principle)
            )
        )
    return tuple(results)


def _tokens_per_second(answered: Sequence[ScoredResponse], n_slots: int | None) -> float | None:
    """Tokens over slot-seconds, times the slots: the rate of the whole worker while every slot was busy.

    Answers that share a step all count its duration, hence the slots; there are never more of them busy than answers.
    """
    busy_s = sum(response.duration_s for response in answered)
    if busy_s <= 0 or n_slots is None:
        return None
    return sum(response.n_tokens for response in answered) / busy_s * min(n_slots, len(answered))
