"""In which order runs are answered and judged, so that model files are brought into memory the fewest times."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from workbench.domain.llm import LoadSettings
from workbench.domain.memory import MemoryPlan
from workbench.domain.runs import EvaluationRun
from workbench.services.answering import answer_missing, answering_session, load_settings
from workbench.services.beside import answer_and_judge
from workbench.services.judging import KeptJudge, by_judge, judge_unjudged, judging_load
from workbench.services.overlap import has_accelerator, may_run_together
from workbench.services.progress import JudgeWaits, Progress, RunFailed, RunFinished
from workbench.services.sessions import LLM_ERRORS, Workplace, controlled


def carry_out(
    place: Workplace, runs: Sequence[EvaluationRun], accelerated: bool | None = None
) -> Generator[Progress, None, None]:
    """Answer and judge what is missing in the runs.

    What concerns one model file or its worker fails only the runs it takes part in (``RunFailed``).

    Args:
        place: What to do it with.
        runs: In order.
        accelerated: Whether the computer has an accelerator, if that is known; asking takes a process.

    Raises:
        StorageError: If something could not be stored.
    """
    left = runs
    judge_file = None if accelerated is False else _judge_beside(place, runs)
    if judge_file is not None:
        with KeptJudge(place, judge_file, judging_load(place.resources, runs)) as judge:
            left = yield from _side_by_side(place, runs, judge)
    yield from _one_after_another(place, left)


def _one_after_another(place: Workplace, runs: Sequence[EvaluationRun]) -> Generator[Progress, None, None]:
    """Answer all runs, then let each judge judge all the runs that name it."""
    answered: list[EvaluationRun] = []
    for run in runs:
        if place.control.stopped:
            return
        try:
            yield from answer_missing(place, run)
        except LLM_ERRORS as error:
            yield RunFailed(run_id=run.id, error=error)
            continue
        answered.append(run)
        if run.settings.judge is None:
            yield from _finish(place, run)
    for (judge_file, _plan), judged in by_judge(answered).items():
        with KeptJudge(place, judge_file, judging_load(place.resources, judged)) as judge:
            for run in judged:
                if place.control.stopped:
                    return
                try:
                    yield from judge_unjudged(place, run, judge)
                except LLM_ERRORS as error:
                    yield RunFailed(run_id=run.id, error=error)
                else:
                    yield from _finish(place, run)


def _finish(place: Workplace, run: EvaluationRun) -> Iterator[RunFinished]:
    if not place.control.stopped:
        place.store.finish_run(run.id)
        yield RunFinished(run_id=run.id)


def _judge_beside(place: Workplace, runs: Sequence[EvaluationRun]) -> Path | None:
    """The judge that all runs share, if it can judge beside every one of the answering llms; else ``None``.

    Asked while nothing is loaded; all or nothing, because a judge that had to make room would be loaded twice.
    """
    judges = by_judge(runs)
    to_answer = [run for run in runs if place.store.missing_answers(run.id)]
    if [*judges.values()] != [[*runs]] or not to_answer or place.control.stopped:
        return None
    ((judge_file, _plan),) = judges
    try:
        judging = _planned(place, judge_file, judging_load(place.resources, runs))
        may = has_accelerator(judging) and all(
            may_run_together(_planned(place, run.settings.model_file.path, load_settings(run)), judging)
            for run in to_answer
        )
    except LLM_ERRORS:
        return None  # loading it will say what is wrong, to the runs concerned
    return judge_file if may else None


def _planned(place: Workplace, path: Path, load: LoadSettings) -> MemoryPlan:
    _layout, plan = place.engine.plan(path, load, place.store.device_corrections())
    return plan


def _side_by_side(
    place: Workplace, runs: Sequence[EvaluationRun], judge: KeptJudge
) -> Generator[Progress, None, Sequence[EvaluationRun]]:
    """Answer each run while its answers are judged; the runs that are left if the judge cannot be loaded beside."""
    for position, run in enumerate(runs):
        if place.control.stopped:
            break
        try:
            todo = place.store.missing_answers(run.id)
            if todo:
                session = yield from answering_session(place, run)
                with controlled(session, place.control):
                    if place.control.stopped:
                        break
                    if not (yield from _is_open(judge, run)):
                        return runs[position:]
                    yield from answer_and_judge(place, run, todo, session, judge)
            else:
                yield from judge_unjudged(place, run, judge)
        except LLM_ERRORS as error:
            yield RunFailed(run_id=run.id, error=error)
        else:
            yield from _finish(place, run)
    return ()


def _is_open(judge: KeptJudge, run: EvaluationRun) -> Generator[Progress, None, bool]:
    try:
        yield from judge.opened(run.id)
    except LLM_ERRORS as error:
        yield JudgeWaits(run_id=run.id, error=error)
        return False
    return True
