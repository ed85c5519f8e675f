from dataclasses import replace
from pathlib import Path

from tests.helpers.evaluations import a_file, in_short, run_all, small_request
from tests.helpers.fake_engine import FakeEngine, polite
from workbench.domain.llm import Request, ScoreRequest, SessionEvent
from workbench.domain.runs import RunId, RunStatus
from workbench.errors import EngineError
from workbench.services.control import RunControl
from workbench.services.evaluation import Evaluation, EvaluationRequest
from workbench.services.progress import AnswerStored, EvaluationStopped, JudgementStored, LlmLoaded, RunFailed
from workbench.services.resuming import ResumeWishes
from workbench.storage.store import SqliteEvaluationStore


def test_all_runs_are_answered_before_the_judge_is_loaded_once(
    evaluation: Evaluation, engine: FakeEngine, tmp_path: Path
) -> None:
    assert in_short(run_all(evaluation, small_request(tmp_path, "one.gguf", "two.gguf"))) == [
        "RunsPrepared",
        *("load one", "LlmLoaded 1", "answers 1"),
        *("load two", "LlmLoaded 2", "answers 2"),
        *("load judge", "LlmLoaded 1", "judgements 1", "RunFinished 1", "judgements 2", "RunFinished 2"),
    ]
    assert [session.closed for session in engine.sessions] == [True] * 3


def test_without_a_judge_a_run_is_finished_when_it_is_answered(evaluation: Evaluation, tmp_path: Path) -> None:
    request = replace(small_request(tmp_path, "one.gguf", "two.gguf"), judge=None)
    said = in_short(run_all(evaluation, request))
    assert said[3:6] == ["answers 1", "RunFinished 1", "load two"]
    assert said[-1] == "RunFinished 2"


def test_each_judge_is_loaded_once_for_all_the_runs_that_name_it(evaluation: Evaluation, tmp_path: Path) -> None:
    first = small_request(tmp_path, "one.gguf")
    assert first.judge is not None
    second = replace(first, judge=replace(first.judge, path=a_file(tmp_path, "other.gguf")))
    for request in (first, second, first):
        _stop_after_first_answer(evaluation, request)
    said = in_short(evaluation.resume([RunId(1), RunId(2), RunId(3)], ResumeWishes(), RunControl()))
    assert said[said.index("load judge") :] == [
        *("load judge", "LlmLoaded 1", "judgements 1", "RunFinished 1", "judgements 3", "RunFinished 3"),
        *("load other", "LlmLoaded 2", "judgements 2", "RunFinished 2"),
    ]


def _stop_after_first_answer(evaluation: Evaluation, request: EvaluationRequest) -> None:
    control = RunControl()
    for progress in evaluation.start(request, control):
        if isinstance(progress, AnswerStored):
            control.stop()


def test_a_judge_that_cannot_be_loaded_fails_each_of_its_runs_and_keeps_their_answers(
    evaluation: Evaluation, store: SqliteEvaluationStore, tmp_path: Path
) -> None:
    request = small_request(tmp_path, "one.gguf", "two.gguf")
    a_file(tmp_path, "judge.gguf", b"broken")
    said = in_short(run_all(evaluation, request))
    assert said[-3:] == ["load judge", "RunFailed 1", "RunFailed 2"]
    for run in store.runs():
        assert run.status is RunStatus.UNFINISHED
        assert len(store.unjudged(run.id)) == 12


def test_a_judge_whose_worker_is_lost_in_one_run_is_loaded_again_for_the_next(
    evaluation: Evaluation, engine: FakeEngine, tmp_path: Path
) -> None:
    n_asked = 0

    def reply(request: Request) -> SessionEvent:
        nonlocal n_asked
        n_asked += isinstance(request, ScoreRequest)
        if n_asked == 5:
            raise EngineError("The worker is lost.", safe="All is safe.", todo="Go on later.")
        return polite(request)

    engine.reply = reply
    seen = run_all(evaluation, small_request(tmp_path, "one.gguf", "two.gguf"))
    said = in_short(seen)
    assert said[said.index("load judge") :] == [
        *("load judge", "LlmLoaded 1", "judgements 1", "RunFailed 1"),
        *("load judge", "LlmLoaded 2", "judgements 2", "RunFinished 2"),
    ]
    assert [str(one.error.happened) for one in seen if isinstance(one, RunFailed)] == ["The worker is lost."]
    assert all(session.closed for session in engine.sessions)


def test_stopping_loads_nothing_more(evaluation: Evaluation, store: SqliteEvaluationStore, tmp_path: Path) -> None:
    control = RunControl()
    seen = []
    for progress in evaluation.start(small_request(tmp_path, "one.gguf", "two.gguf"), control):
        seen.append(progress)
        if isinstance(progress, AnswerStored) and progress.n_done == 12:
            control.stop()  # the last answer of the first run
    assert [one.description.name for one in seen if isinstance(one, LlmLoaded)] == ["one"]
    assert seen[-1] == EvaluationStopped(run_ids=(RunId(1), RunId(2)))
    said = in_short(evaluation.resume([RunId(1), RunId(2)], ResumeWishes(), RunControl()))
    assert said[1] == "load two"
    assert {run.status for run in store.runs()} == {RunStatus.FINISHED}


def test_stopping_between_two_judged_runs_leaves_the_second_for_later(
    evaluation: Evaluation, store: SqliteEvaluationStore, tmp_path: Path
) -> None:
    control = RunControl()
    for progress in evaluation.start(small_request(tmp_path, "one.gguf", "two.gguf"), control):
        if isinstance(progress, JudgementStored) and progress.n_done == 12:
            control.stop()
    assert [len(store.unjudged(RunId(number))) for number in (1, 2)] == [0, 12]


def test_a_run_that_has_everything_is_finished_without_loading_anything(
    evaluation: Evaluation, engine: FakeEngine, tmp_path: Path
) -> None:
    run_all(evaluation, small_request(tmp_path, "one.gguf"))
    engine.sessions.clear()
    assert in_short(evaluation.resume([RunId(1)], ResumeWishes(), RunControl())) == ["RunsPrepared", "RunFinished 1"]
    assert engine.sessions == []


def test_the_judge_reads_in_the_order_answers_were_stored(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, tmp_path: Path
) -> None:
    run_all(evaluation, small_request(tmp_path, "one.gguf"))
    asked = [one for one in engine.sessions[-1].asked if isinstance(one, ScoreRequest)]
    in_order = sorted(store.scored_responses(RunId(1)), key=lambda response: response.response_id)
    assert len(asked) == 12
    assert all(response.question in one.messages[-1].content for one, response in zip(asked, in_order, strict=True))
