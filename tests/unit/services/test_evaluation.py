from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.evaluations import DRAFTS, a_file, run_all
from tests.helpers.fake_engine import FakeEngine, answer, score
from tests.helpers.records import a_plan
from workbench.domain.llm import (
    AdapterChoice,
    FailureCode,
    GenerateRequest,
    KvType,
    LoadSettings,
    Request,
    RequestFailure,
    SessionEvent,
)
from workbench.domain.questions import QuestionSelection
from workbench.domain.runs import JudgeMode, RunId, RunStatus
from workbench.errors import ModelFileError, ResumeRefusedError, UsageError
from workbench.services.control import RunControl
from workbench.services.evaluation import Evaluation, EvaluationRequest, LlmChoice
from workbench.services.judging import EMPTY_ANSWER
from workbench.services.progress import AnswerStored, EvaluationStopped, JudgementStored, Progress, RunFailed
from workbench.services.results import Results
from workbench.services.resuming import ResumeWishes
from workbench.storage.store import SqliteEvaluationStore


def test_every_question_is_asked_and_judged_once(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    run_all(evaluation, request_)
    responses = store.scored_responses(RunId(1))
    assert [(one.question_id, one.sample) for one in responses] == [
        (draft.id, sample) for draft in DRAFTS for sample in (0, 1)
    ]
    assert {one.score for one in responses} == {2}
    assert store.run(RunId(1)).status is RunStatus.FINISHED
    assert all(session.closed for session in engine.sessions)
    asked = [one for one in engine.sessions[0].asked if isinstance(one, GenerateRequest)]
    assert [one.sampling.seed for one in asked[:2]] == [7, 8]
    assert asked[0].messages[0].content == "Be kind."


def test_an_empty_system_prompt_sends_no_system_turn(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    run_all(evaluation, replace(request_, system_prompt=""))
    asked = [one for one in engine.sessions[0].asked if isinstance(one, GenerateRequest)]
    assert [message.role for message in asked[0].messages] == ["user"]


def test_the_rubric_a_judge_file_names_is_used(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    assert request_.judge is not None
    engine.rubric = "practice-1"
    run_all(evaluation, replace(request_, judge=replace(request_.judge, rubric=None)))
    judge = store.run(RunId(1)).settings.judge
    assert judge is not None
    assert judge.rubric == "practice-1"


def test_a_judge_without_a_rubric_of_its_own_gets_the_default(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest
) -> None:
    assert request_.judge is not None
    run_all(evaluation, replace(request_, judge=replace(request_.judge, rubric=None)))
    judge = store.run(RunId(1)).settings.judge
    assert judge is not None
    assert judge.rubric == "medical-harm-1"


def test_failures_and_empty_answers_are_recorded_without_a_score(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    def reply(request: Request) -> SessionEvent:
        if not isinstance(request, GenerateRequest):
            return score(request, 5)
        if request.id == 0:
            return RequestFailure(request_id=request.id, code=FailureCode.PROMPT_TOO_LONG, message="Too long.")
        return answer(request, " \n" if request.id == 1 else "Yes.")

    engine.reply = reply
    run_all(evaluation, replace(request_, samples=1))
    first, second, *others = store.scored_responses(RunId(1))
    assert (first.text, first.failure, first.score) == (None, FailureCode.PROMPT_TOO_LONG, None)
    assert (second.score, second.score_reason) == (None, EMPTY_ANSWER)
    assert {one.score for one in others} == {5}
    result = Results(store).of([RunId(1)])[0]
    assert (result.n_answers, result.n_scored, result.n_unscored, result.n_failed) == (5, 4, 1, 1)


def test_a_judge_that_fails_leaves_no_score_but_a_reason(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    def reply(request: Request) -> SessionEvent:
        if isinstance(request, GenerateRequest):
            return answer(request, "Yes.")
        return RequestFailure(request_id=request.id, code=FailureCode.PROMPT_TOO_LONG, message="Too long to judge.")

    engine.reply = reply
    run_all(evaluation, request_)
    assert {(one.score, one.score_reason) for one in store.scored_responses(RunId(1))} == {
        (None, "No verdict: Too long to judge.")
    }
    assert store.unjudged(RunId(1)) == []


def test_stopping_keeps_what_is_stored_and_resuming_asks_only_the_rest(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest
) -> None:
    control = RunControl()
    seen: list[Progress] = []
    for progress in evaluation.start(request_, control):
        seen.append(progress)
        if isinstance(progress, AnswerStored) and progress.n_done == 5:
            control.stop()
    assert seen[-1] == EvaluationStopped(run_ids=(RunId(1),))
    assert store.run(RunId(1)).status is RunStatus.UNFINISHED
    resumed = list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))
    assert sum(isinstance(progress, AnswerStored) for progress in resumed) == 7
    assert sum(isinstance(progress, JudgementStored) for progress in resumed) == 12
    assert len(store.scored_responses(RunId(1))) == 12
    assert store.run(RunId(1)).status is RunStatus.FINISHED


def test_stopping_while_judging_resumes_with_the_rest_of_the_judgements(
    evaluation: Evaluation, request_: EvaluationRequest
) -> None:
    control = RunControl()
    for progress in evaluation.start(request_, control):
        if isinstance(progress, JudgementStored) and progress.n_done == 4:
            control.stop()
    resumed = list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))
    assert not [progress for progress in resumed if isinstance(progress, AnswerStored)]
    assert [progress.n_done for progress in resumed if isinstance(progress, JudgementStored)] == list(range(5, 13))


def test_a_file_that_does_not_load_ends_its_own_run_only(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest, tmp_path: Path
) -> None:
    broken = LlmChoice(path=a_file(tmp_path, "bad.gguf", b"broken"))
    progress = run_all(evaluation, replace(request_, llms=(broken, *request_.llms)))
    failed = [one for one in progress if isinstance(one, RunFailed)]
    assert [one.run_id for one in failed] == [RunId(1)]
    assert store.run(RunId(2)).status is RunStatus.FINISHED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_slots": 3, "n_gpu_layers": 4}, "slots was 2, now 3; layers on the accelerator was 0, now 4"),
        ({"max_tokens": 64}, "max_tokens was 32, now 64"),
        ({"system_prompt": "Other"}, "system prompt was “Be kind.”, now “Other”"),
        ({"judge_removed": True}, "the judge was “judge.gguf”, now none"),
        ({"judge_mode": JudgeMode.REASONED}, "judge mode was “score”, now “reasoned”"),
        ({"n_slots": 3}, "slots was 2, now 3"),
        ({"limit": 2}, "limit of questions was none, now 2"),
        ({"kv_type": KvType.Q8_0}, "kept conversations was f16, now q8_0"),
    ],
)
def test_a_resume_with_another_setting_is_refused_and_names_it(
    evaluation: Evaluation, request_: EvaluationRequest, change: dict[str, object], words: str
) -> None:
    run_all(evaluation, request_)
    with pytest.raises(ResumeRefusedError, match=words):
        list(evaluation.resume([RunId(1)], ResumeWishes(**change), RunControl()))  # type: ignore[arg-type]


def test_a_resume_may_state_what_the_memory_plan_chose(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    engine.plans["one"] = a_plan(n_slots=3, context_tokens=1024)
    run_all(evaluation, replace(request_, load=LoadSettings(n_slots=8)))  # room for 3 only
    for wishes in (
        ResumeWishes(n_slots=8, context_tokens=2048),  # as asked for
        ResumeWishes(n_slots=3, context_tokens=1024, n_gpu_layers=0, n_threads=2, kv_type=KvType.F16),  # as it became
    ):
        list(evaluation.resume([RunId(1)], wishes, RunControl()))


def test_a_wish_for_what_nobody_has_chosen_yet_is_refused(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest
) -> None:
    run_all(evaluation, replace(request_, llms=(LlmChoice(path=_broken(request_)),), load=LoadSettings()))
    assert store.run(RunId(1)).load_report is None
    with pytest.raises(ResumeRefusedError, match="slots was left to the memory plan, now 4"):
        list(evaluation.resume([RunId(1)], ResumeWishes(n_slots=4), RunControl()))


def _broken(request: EvaluationRequest) -> Path:
    return a_file(request.llms[0].path.parent, "bad.gguf", b"broken")


def test_a_resume_with_a_changed_model_file_is_refused(evaluation: Evaluation, request_: EvaluationRequest) -> None:
    run_all(evaluation, request_)
    request_.llms[0].path.write_bytes(b"GGUF changed")
    with pytest.raises(ResumeRefusedError, match=r"the model file one\.gguf has other content"):
        list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))


def test_a_resume_with_a_changed_question_is_refused(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest
) -> None:
    run_all(evaluation, request_)
    store.save_question_set("small", [replace(DRAFTS[0], text="New wording"), *DRAFTS[1:]])
    with pytest.raises(ResumeRefusedError, match=r"the text of 1 question\(s\) has changed \(q1-harmful\)"):
        list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))


def test_a_model_file_that_moved_is_found_by_its_content(
    evaluation: Evaluation, request_: EvaluationRequest, tmp_path: Path
) -> None:
    run_all(evaluation, request_)
    moved = request_.llms[0].path.rename(tmp_path / "moved.gguf")
    with pytest.raises(ResumeRefusedError, match="the model file was not found"):
        list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))
    list(evaluation.resume([RunId(1)], ResumeWishes(model_file=moved), RunControl()))


def test_an_adapter_is_recorded_by_its_content(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest, tmp_path: Path
) -> None:
    adapter = AdapterChoice(path=a_file(tmp_path, "adapter.gguf"), scale=0.5)
    llm = replace(request_.llms[0], adapter=adapter)
    run_all(evaluation, replace(request_, llms=(llm,)))
    settings = store.run(RunId(1)).settings
    assert settings.adapter is not None
    assert settings.adapter.path == adapter.path
    assert settings.load.adapter == adapter


@pytest.mark.parametrize(
    "selection",
    [QuestionSelection(question_set="nowhere"), QuestionSelection(question_set="small", principles=(9,))],
)
def test_an_empty_selection_is_refused(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest, selection: QuestionSelection
) -> None:
    with pytest.raises(UsageError):
        run_all(evaluation, replace(request_, selection=selection))
    assert store.runs() == []


def test_a_missing_file_starts_nothing(
    evaluation: Evaluation, store: SqliteEvaluationStore, request_: EvaluationRequest, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError):
        run_all(evaluation, replace(request_, llms=(LlmChoice(path=tmp_path / "none.gguf"),)))
    assert store.runs() == []
