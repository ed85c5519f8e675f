from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.helpers.evaluations import a_file, in_short, run_all, small_request
from tests.helpers.fake_engine import FakeEngine, FakeSession, answer, polite, score
from tests.helpers.gated_engine import Gate
from tests.helpers.records import GIB, a_device, a_plan, a_share
from tests.helpers.stores import stored_rows
from workbench.domain.llm import (
    FailureCode,
    GenerateRequest,
    LoadSettings,
    Request,
    RequestFailure,
    ScoreRequest,
    SessionEvent,
)
from workbench.domain.memory import DeviceCorrection, MemoryPlan, pinned
from workbench.domain.runs import RunId, RunStatus
from workbench.errors import EngineError, OutOfMemoryError, StorageError
from workbench.services.control import RunControl
from workbench.services.evaluation import Evaluation, EvaluationRequest
from workbench.services.judging import EMPTY_ANSWER
from workbench.services.progress import (
    AnswerStored,
    EvaluationStopped,
    JudgementStored,
    JudgeWaits,
    LlmLoaded,
    Progress,
    Role,
    RunFailed,
)
from workbench.services.resources import Resources
from workbench.services.resuming import ResumeWishes
from workbench.storage.store import SqliteEvaluationStore

LOST = EngineError("The worker is lost.", safe="All is safe.", todo="Go on later.")


def _on_card(*, free_bytes: int = 8 * GIB) -> MemoryPlan:
    return a_plan(
        a_share(a_device("CUDA0", free_bytes=free_bytes)), a_share(n_layers=0, weights_bytes=0), context_tokens=1024
    )


@pytest.fixture
def engine() -> FakeEngine:
    """A computer with a graphics card that has room for two."""
    return FakeEngine(plans={name: _on_card() for name in ("one", "two", "judge")})


@pytest.fixture
def request_(tmp_path: Path) -> EvaluationRequest:
    return small_request(tmp_path, "one.gguf", "two.gguf")


def _of(seen: Sequence[Progress], run_id: int) -> list[Progress]:
    return [one for one in seen if getattr(one, "run_id", None) == run_id]


def test_the_judge_is_loaded_beside_the_first_and_judges_until_the_end(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    seen = run_all(evaluation, request_)
    loadings = [words for words in in_short(seen) if not words.startswith(("answers", "judgements"))]
    assert loadings == [
        *("RunsPrepared", "load one", "LlmLoaded 1", "load judge", "LlmLoaded 1", "RunFinished 1"),
        *("load two", "LlmLoaded 2", "RunFinished 2"),
    ]
    for run in store.runs():
        of_run = _of(seen, run.id)
        answered = {one.response_id: at for at, one in enumerate(of_run) if isinstance(one, AnswerStored)}
        judged = {one.response.response_id: at for at, one in enumerate(of_run) if isinstance(one, JudgementStored)}
        assert len(answered) == len(judged) == 12
        assert all(answered[response_id] < judged[response_id] for response_id in judged)
        assert run.status is RunStatus.FINISHED
        assert run.judge_report == engine.sessions[1].load_report
    assert all(session.closed for session in engine.sessions)
    store.close()
    entries = [one for one in stored_rows(store.path, "event_log") if one["kind"] == "judge_recorded"]
    assert [one["run_id"] for one in entries] == [1, 2]


def test_both_ways_ask_the_judge_the_same_and_store_the_same(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    def reply(request: Request) -> SessionEvent:
        if not isinstance(request, GenerateRequest):
            return score(request, len(request.messages[-1].content) % 5 + 1)
        if request.id == 3:
            return RequestFailure(request_id=request.id, code=FailureCode.PROMPT_TOO_LONG, message="Too long.")
        return answer(request, "" if request.id == 5 else "word " * (request.id % 4 + 1))

    engine.reply, engine.n_together = reply, 3
    beside = run_all(evaluation, request_)
    engine.plans["judge"] = _on_card(free_bytes=2 * GIB)  # no room for two
    after = run_all(evaluation, request_)
    assert [one.role for one in beside if isinstance(one, LlmLoaded)] == [Role.ANSWERING, Role.JUDGING, Role.ANSWERING]
    assert [one.role for one in after if isinstance(one, LlmLoaded)] == [Role.ANSWERING, Role.ANSWERING, Role.JUDGING]
    first, second, third, fourth = (_rows(store, run_id) for run_id in (1, 2, 3, 4))
    assert first == third
    assert second == fourth
    assert (None, EMPTY_ANSWER) in [row[-2:] for row in first]
    judges = [session for session in engine.sessions if session.path.stem == "judge"]
    assert judges[0].asked == judges[1].asked
    assert judges[0].settings == judges[1].settings
    for seen in (beside, after):
        last = [one for one in seen if isinstance(one, JudgementStored)][-1]
        assert (last.n_done, last.n_planned) == (11, 11)


def _rows(store: SqliteEvaluationStore, run_id: int) -> list[tuple[object, ...]]:
    return [
        (one.question_id, one.sample, one.text, one.failure, one.score, one.score_reason)
        for one in store.scored_responses(RunId(run_id))
    ]


def test_what_is_judged_is_the_row_of_the_database(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest
) -> None:
    judged = [one for one in run_all(evaluation, request_) if isinstance(one, JudgementStored) and one.run_id == 1]
    unjudged = {"judged": False, "score": None, "expected_score": None, "score_reason": ""}
    stored = {one.response_id: replace(one, **unjudged) for one in store.scored_responses(RunId(1))}  # type: ignore[arg-type]
    assert {one.response.response_id: one.response for one in judged} == stored


@pytest.mark.parametrize("other", [{}, {"judge": _on_card()}])
def test_two_on_the_same_cores_work_one_after_the_other(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest, other: dict[str, MemoryPlan]
) -> None:
    partly = replace(a_share(a_device("CUDA0")), n_layers=1)
    engine.plans = {"one": a_plan(), "two": a_plan(partly, a_share(n_layers=2)), "judge": a_plan(partly)} | other
    roles = [one.role for one in run_all(evaluation, request_) if isinstance(one, LlmLoaded)]
    side_by_side = bool(other)  # the judge is on the card completely
    assert (roles[1] is Role.JUDGING) is side_by_side


def test_stopping_in_the_middle_reaches_both_and_the_rest_can_be_done_later(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    gate = Gate()
    engine.reply = gate
    gate.let_through(4)
    control = RunControl()
    seen: list[Progress] = []
    for progress in evaluation.start(request_, control):
        seen.append(progress)
        if isinstance(progress, AnswerStored) and progress.n_done == 4:
            control.stop()
            assert all(session.stopped for session in engine.sessions)
            gate.let_through(1)  # what was under way
    assert seen[-1] == EvaluationStopped(run_ids=(RunId(1), RunId(2)))
    assert len(store.scored_responses(RunId(1))) == 5
    assert all(session.closed for session in engine.sessions)
    engine.reply = polite
    list(evaluation.resume([RunId(1), RunId(2)], ResumeWishes(), RunControl()))
    for run in store.runs():
        assert run.status is RunStatus.FINISHED
        assert [one.score for one in store.scored_responses(run.id)] == [2] * 12


def test_pausing_reaches_both(evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest) -> None:
    control = RunControl()
    for progress in evaluation.start(request_, control):
        if isinstance(progress, LlmLoaded) and progress.role is Role.JUDGING:
            control.pause()  # before the judge's session is under control
            assert [session.paused for session in engine.sessions] == [True, False]
        if isinstance(progress, AnswerStored) and progress.run_id == 1 and progress.n_done == 1:
            assert [session.paused for session in engine.sessions] == [True, True]
            control.resume()
            assert [session.paused for session in engine.sessions] == [False, False]


@dataclass
class _FailsOnce:
    """Raises at one request, and never again."""

    kind: type[Request]
    number: int
    failed: bool = False

    def __call__(self, request: Request) -> SessionEvent:
        if isinstance(request, self.kind) and request.id == self.number and not self.failed:
            self.failed = True
            raise LOST
        return polite(request)


def test_when_the_answering_worker_is_lost_the_stored_answers_are_judged_and_the_next_run_goes_on(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    engine.reply = _FailsOnce(GenerateRequest, 5)
    seen = run_all(evaluation, request_)
    assert [(one.run_id, one.error) for one in seen if isinstance(one, RunFailed)] == [(1, LOST)]
    assert [one.score for one in store.scored_responses(RunId(1))] == [2] * 5
    assert store.run(RunId(2)).status is RunStatus.FINISHED
    assert in_short(seen).count("load judge") == 1


def test_when_the_judge_is_lost_all_answers_are_written_and_the_next_run_gets_another(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    engine.reply = _FailsOnce(ScoreRequest, 5)
    seen = run_all(evaluation, request_)
    assert [(one.run_id, one.error) for one in seen if isinstance(one, RunFailed)] == [(1, LOST)]
    assert len(store.scored_responses(RunId(1))) == 12
    assert len(store.unjudged(RunId(1))) == 7
    assert store.run(RunId(2)).status is RunStatus.FINISHED
    assert in_short(seen).count("load judge") == 2
    first, second = (one.settings for one in engine.sessions if one.path.stem == "judge")
    assert second == pinned(first, _on_card())


class _NoRoomBeside(FakeEngine):
    """Loads the judge only when nothing else is in memory."""

    def open(self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()) -> FakeSession:
        if path.stem == "judge" and not all(session.closed for session in self.sessions):
            raise OutOfMemoryError("There is not enough memory.", safe="All is safe.", todo="Close something.")
        return super().open(path, settings, corrections)


def test_a_judge_that_finds_no_room_after_all_is_loaded_when_the_answers_are_written(
    store: SqliteEvaluationStore, engine: FakeEngine, resources: Resources, request_: EvaluationRequest
) -> None:
    crowded = _NoRoomBeside(plans=engine.plans)
    seen = run_all(Evaluation(store, crowded, resources), request_)
    assert [type(one.error) for one in seen if isinstance(one, JudgeWaits)] == [OutOfMemoryError]
    assert in_short(seen) == [
        *("RunsPrepared", "load one", "LlmLoaded 1", "load judge", "JudgeWaits 1"),
        *("load one", "LlmLoaded 1", "answers 1", "load two", "LlmLoaded 2", "answers 2"),
        *("load judge", "LlmLoaded 1", "judgements 1", "RunFinished 1", "judgements 2", "RunFinished 2"),
    ]


def test_a_run_with_nothing_left_to_ask_is_judged_by_the_judge_that_is_there(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.plans["judge"] = _on_card(free_bytes=GIB)
    control = RunControl()
    for progress in evaluation.start(small_request(tmp_path, "one.gguf", "two.gguf"), control):
        if isinstance(progress, AnswerStored) and progress.run_id == 2 and progress.n_done == 5:
            control.stop()
    engine.plans["judge"] = _on_card()
    said = in_short(evaluation.resume([RunId(1), RunId(2)], ResumeWishes(), RunControl()))
    assert said[:5] == ["RunsPrepared", "load judge", "LlmLoaded 1", "judgements 1", "RunFinished 1"]
    assert said[5:7] == ["load two", "LlmLoaded 2"]
    assert said[-1] == "RunFinished 2"
    assert all(one.judged for run in store.runs() for one in store.scored_responses(run.id))


def test_a_file_whose_header_cannot_be_read_fails_when_it_is_loaded(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest, tmp_path: Path
) -> None:
    a_file(tmp_path, "two.gguf", b"broken")
    said = in_short(run_all(evaluation, request_))
    assert said[-2:] == ["load two", "RunFailed 2"]
    assert store.run(RunId(1)).status is RunStatus.FINISHED


def test_closing_early_closes_both(evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest) -> None:
    with closing(evaluation.start(request_, RunControl())) as progress:
        next(one for one in progress if isinstance(one, JudgementStored))
    assert [(session.stopped, session.closed) for session in engine.sessions] == [(True, True)] * 2


def test_stopping_while_the_first_is_loaded_loads_no_judge(evaluation: Evaluation, request_: EvaluationRequest) -> None:
    control = RunControl()
    seen: list[Progress] = []
    for progress in evaluation.start(request_, control):
        seen.append(progress)
        if isinstance(progress, LlmLoaded):
            control.stop()
    assert in_short(seen) == ["RunsPrepared", "load one", "LlmLoaded 1", "EvaluationStopped"]


def test_an_answer_that_cannot_be_stored_ends_everything(
    evaluation: Evaluation,
    store: SqliteEvaluationStore,
    engine: FakeEngine,
    request_: EvaluationRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise StorageError("The disk is full.", safe="All is safe.", todo="Free some space.")

    monkeypatch.setattr(store, "add_judgements", full)
    with pytest.raises(StorageError, match="disk is full"):
        run_all(evaluation, request_)
    assert [session.closed for session in engine.sessions] == [True, True]
