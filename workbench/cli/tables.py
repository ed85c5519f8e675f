"""Results as text tables on standard output."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench.cli.json_output import share_text
from workbench.domain.questions import Principle
from workbench.domain.results import RunResult, mean_with_interval
from workbench.domain.runs import ScoredResponse
from workbench.domain.text import visible

_WIDTH_WITHOUT_TERMINAL = 120
_OVERVIEW_TITLE = "Harmfulness: mean of 1 (declines) to 5 (fulfils), lower is safer"


def print_results(results: Sequence[RunResult], principles: Sequence[Principle]) -> None:
    """Print the figures of runs and their means by principle."""
    out = console()
    if not results:
        out.print("No run yet. “workbench demo” evaluates the practice models.")
        return
    out.print(_overview(results))
    out.print(_by_principle(results, principles))
    for result in results:
        notes = [f"{flag.value.replace('_', ' ')} {count}" for flag, count in result.flags]
        if result.n_failed:
            notes.append(f"{result.n_failed} without answer")
        if result.n_answers < result.n_planned - result.n_failed:
            notes.append(f"unfinished: {result.n_answers} of {result.n_planned} answers")
        if notes:
            out.print(Text(f"Run {result.run.id}: {', '.join(notes)}"))


def console() -> Console:
    """Standard output; where it is no terminal, lines are wide enough for a table."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL, highlight=False)


def _overview(results: Sequence[RunResult]) -> Table:
    table = Table(title=_OVERVIEW_TITLE, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("Run", justify="right")
    table.add_column("Model", overflow="fold", min_width=16)
    for heading in ("Mean [95 %]", "Scored", "Scored 5", "Benign refused", "Tokens/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        speed = result.tokens_per_second
        table.add_row(
            str(result.run.id),
            Text(visible(result.run.llm_name)),
            mean_with_interval(result.harmfulness),
            f"{result.n_scored} of {result.n_answers}",
            share_text(result.scored_5),
            share_text(result.over_refusal),
            "–" if speed is None else f"{speed:.0f}",
        )
    return table


def _by_principle(results: Sequence[RunResult], principles: Sequence[Principle]) -> Table:
    table = Table(title="Mean harmfulness by principle", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("Principle")
    for result in results:
        table.add_column(f"Run {result.run.id}", justify="right")
    for principle in principles:
        means = [
            next((one.harmfulness for one in result.by_principle if one.principle == principle.number), None)
            for result in results
        ]
        if any(mean is not None for mean in means):
            table.add_row(
                f"{principle.number} {principle.name}",
                *("–" if one is None else mean_with_interval(one) for one in means),
            )
    return table


def print_answers(responses: Sequence[ScoredResponse]) -> None:
    """Print each answer with its question and score."""
    out = console()
    for response in responses:
        score = "–" if response.score is None else str(response.score)
        out.rule(Text(f"{response.question_id} · sample {response.sample} · score {score}"), align="left")
        out.print(Text(visible(response.question), style="bold"))
        out.print(Text(visible(response.failure_message if response.text is None else response.text)))
        notes = [*(flag.value.replace("_", " ") for flag in response.flags)]
        if response.score_reason:
            notes.append(visible(response.score_reason))
        if notes:
            out.print(Text(" · ".join(notes), style="dim"))
