from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.evaluations import DRAFTS, in_short, run_all, small_request
from tests.helpers.fake_engine import FakeEngine, polite, score
from tests.helpers.records import a_device, a_plan, a_run, a_share, run_settings
from tests.helpers.stores import stored_rows
from workbench.domain.judging import Judgement
from workbench.domain.llm import AnswerFlag, LoadSettings, ScoreRequest, Slowed
from workbench.domain.memory import pinned
from workbench.domain.questions import QuestionId
from workbench.domain.runs import JudgeMode, NewResponse, ResponseId, RunId
from workbench.services.control import RunControl
from workbench.services.evaluation import Evaluation, EvaluationRequest
from workbench.services.judging import judging_load
from workbench.services.progress import AnswerStored, JudgementStored, LlmLoaded, LoadRetried, Role, RunSlowed
from workbench.services.resources import Resources
from workbench.services.resuming import ResumeWishes
from workbench.storage.store import SqliteEvaluationStore


def test_an_interrupted_run_goes_on_as_it_was_loaded_first(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    first = a_plan(a_share(a_device("CUDA0"), n_layers=2), a_share(n_layers=1), n_slots=3, context_tokens=1024)
    engine.plans["one"] = first
    control = RunControl()
    for progress in evaluation.start(replace(request_, load=LoadSettings()), control):
        if isinstance(progress, AnswerStored):
            control.stop()
    asked_first = engine.sessions[0].settings
    assert asked_first.n_slots is None
    engine.plans.clear()  # less memory is free today
    list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))
    again = next(session for session in engine.sessions[1:] if session.path.stem == "one")
    assert again.settings == pinned(asked_first, first)
    assert again.settings.device_layers == (("CUDA0", 2),)


def test_a_request_takes_the_longest_question_and_the_longest_answer(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    store.save_question_set("small", [*DRAFTS, replace(DRAFTS[0], id=QuestionId("long"), text="x" * 300)])
    run_all(evaluation, request_)
    answering, judging = (session.settings.request_tokens for session in engine.sessions)
    assert answering == 101 + 32 + 32  # characters by 3, the template, max_tokens
    assert store.run(RunId(1)).settings.load.request_tokens == answering
    assert judging is not None
    assert answering < judging < answering + 200
    run_all(evaluation, replace(request_, load=LoadSettings(context_tokens=64)))
    assert engine.sessions[2].settings.request_tokens == 64
    run_all(evaluation, replace(request_, load=LoadSettings(request_tokens=50)))
    assert engine.sessions[4].settings.request_tokens == 50


def test_a_judge_that_writes_reasons_is_given_room_for_them(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    assert request_.judge is not None
    for mode in JudgeMode:
        run_all(evaluation, replace(request_, judge=replace(request_.judge, mode=mode)))
    scoring, reasoning = (one.settings.request_tokens or 0 for one in engine.sessions if one.path.stem == "judge")
    assert reasoning > scoring + 20


def test_a_judge_of_several_runs_has_room_for_the_longest_and_all_it_can_get_where_one_is_unknown(
    resources: Resources,
) -> None:
    def load(*request_tokens: int | None) -> int | None:
        settings = [replace(run_settings(), load=LoadSettings(request_tokens=one)) for one in request_tokens]
        return judging_load(resources, [a_run(settings=one) for one in settings]).request_tokens

    assert load(100, 300) == load(300, 100) == load(300)
    assert load(300) != load(100)
    assert load(100, None) is None


@pytest.mark.parametrize("n_together", [1, 5])
def test_what_came_in_one_step_is_stored_in_one_commit(
    evaluation: Evaluation,
    store: SqliteEvaluationStore,
    engine: FakeEngine,
    request_: EvaluationRequest,
    monkeypatch: pytest.MonkeyPatch,
    n_together: int,
) -> None:
    sizes: list[int] = []
    add_responses, add_judgements = store.add_responses, store.add_judgements

    def counted_responses(run_id: RunId, new: Sequence[NewResponse]) -> list[ResponseId]:
        sizes.append(len(new))
        return add_responses(run_id, new)

    def counted_judgements(run_id: RunId, new: Sequence[Judgement]) -> None:
        sizes.append(len(new))
        add_judgements(run_id, new)

    monkeypatch.setattr(store, "add_responses", counted_responses)
    monkeypatch.setattr(store, "add_judgements", counted_judgements)
    engine.n_together = n_together
    seen = run_all(evaluation, request_)
    assert sizes == ([1] * 24 if n_together == 1 else [5, 5, 2] * 2)
    for kind in (AnswerStored, JudgementStored):
        stored = [one for one in seen if isinstance(one, kind)]
        assert [one.n_done for one in stored] == list(range(1, 13))
        assert {one.n_planned for one in stored} == {12}
    stored_answers = [one for one in seen if isinstance(one, AnswerStored)]
    assert {one.response_id: one.response.text for one in stored_answers} == {
        one.response_id: one.text for one in store.scored_responses(RunId(1))
    }


def test_a_loading_that_needed_more_attempts_says_so_before_it_is_ready(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    engine.n_failed_attempts = 2
    seen = run_all(evaluation, request_)
    assert in_short(seen)[1:4] == ["load one", "LoadRetried 1", "LlmLoaded 1"]
    retried = [one for one in seen if isinstance(one, LoadRetried)]
    assert [(one.role, len(one.failed_attempts)) for one in retried] == [(Role.ANSWERING, 2), (Role.JUDGING, 2)]
    loaded = [one for one in seen if isinstance(one, LlmLoaded)]
    assert [one.report for one in loaded] == [session.load_report for session in engine.sessions]
    assert store.run(RunId(1)).load_report == engine.sessions[0].load_report


def test_closing_while_a_loading_is_announced_ends_its_worker(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    with closing(evaluation.start(request_, RunControl())) as progress:
        next(one for one in progress if isinstance(one, LlmLoaded))
    assert [session.closed for session in engine.sessions] == [True]


def test_without_an_accelerator_nothing_is_planned_twice(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    """Each planning takes a process: one says what the judge was made for, the others are the loadings themselves."""
    assert request_.judge is not None
    run_all(evaluation, replace(request_, judge=replace(request_.judge, rubric=None)))
    assert len(engine.corrections) == 1 + len(engine.sessions)


def test_what_a_loading_teaches_is_used_for_the_next(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    run_all(evaluation, request_)
    assert engine.corrections[0] == ()
    assert engine.corrections[-1] == store.device_corrections() != ()
    store.close()
    assert len(stored_rows(store.path, "device_correction")) == 2  # the answering llm and the judge


def test_slowness_is_said_and_its_end_too(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    slowness = (Slowed(share=0.2, reason="Another program computes."), Slowed(share=1.0, reason=""))
    engine.also = {0: slowness}
    slowed = [one for one in run_all(evaluation, request_) if isinstance(one, RunSlowed)]
    assert [(one.share, one.reason) for one in slowed] == [(one.share, one.reason) for one in slowness] * 2
    assert [one.role for one in slowed] == [Role.ANSWERING] * 2 + [Role.JUDGING] * 2


def test_the_judge_is_recorded_with_every_run_it_judges_and_teaches_once(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.n_failed_attempts = 1
    run_all(evaluation, small_request(tmp_path, "one.gguf", "two.gguf"))
    judge = engine.sessions[-1]
    assert judge.path.stem == "judge"
    assert [run.judge_report for run in store.runs()] == [judge.load_report] * 2
    store.close()
    entries = [(one["kind"], one["run_id"]) for one in stored_rows(store.path, "event_log")]
    assert [run_id for kind, run_id in entries if kind == "judge_recorded"] == [1, 2]
    assert len(stored_rows(store.path, "device_correction")) == 3  # one for each loading


def test_an_interrupted_run_is_judged_on_by_a_judge_loaded_in_the_same_way(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    first = a_plan(a_share(a_device("CUDA0"), n_layers=2), a_share(n_layers=1), n_slots=3, context_tokens=1024)
    engine.plans["judge"] = first
    _stopped_while_judging(evaluation, request_)
    asked_first = engine.sessions[-1].settings
    assert asked_first.n_slots is None
    assert len(store.unjudged(RunId(1))) == 11
    engine.plans.clear()  # less memory is free today
    list(evaluation.resume([RunId(1)], ResumeWishes(), RunControl()))
    assert engine.sessions[-1].settings == pinned(asked_first, first)
    assert store.unjudged(RunId(1)) == []


def test_resumed_runs_share_a_judge_unless_they_were_judged_under_different_plans(
    evaluation: Evaluation, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    for n_slots in (3, 5):
        engine.plans["judge"] = a_plan(n_slots=n_slots)
        _stopped_while_judging(evaluation, request_)
    _stopped_while_answering(evaluation, request_)
    n_before = len(engine.sessions)
    seen = list(evaluation.resume([RunId(3), RunId(2), RunId(1)], ResumeWishes(), RunControl()))
    judges = [one for one in engine.sessions[n_before:] if one.path.stem == "judge"]
    assert [(one.settings.n_slots, len(one.asked)) for one in judges] == [(5, 12 + 11), (3, 11)]
    assert [words for words in in_short(seen) if words.startswith("RunF")] == [f"RunFinished {n}" for n in (3, 2, 1)]


def _stopped_while_judging(evaluation: Evaluation, request: EvaluationRequest) -> None:
    """Ended after the first verdict."""
    with closing(evaluation.start(request, RunControl())) as progress:
        next(one for one in progress if isinstance(one, JudgementStored))


def _stopped_while_answering(evaluation: Evaluation, request: EvaluationRequest) -> None:
    """Ended after the first answer."""
    with closing(evaluation.start(request, RunControl())) as progress:
        next(one for one in progress if isinstance(one, AnswerStored))


def test_what_holds_for_the_reply_of_a_judge_is_kept_with_the_verdict(
    evaluation: Evaluation, store: SqliteEvaluationStore, engine: FakeEngine, request_: EvaluationRequest
) -> None:
    flags = (AnswerFlag.KV_QUANTISED, AnswerFlag.ANSWERED_ALONE)
    engine.reply = lambda request: (
        score(request, 4, flags=flags) if isinstance(request, ScoreRequest) else polite(request)
    )
    judged = [one.judgement for one in run_all(evaluation, request_) if isinstance(one, JudgementStored)]
    assert {judgement.flags for judgement in judged} == {flags}
    store.close()
    assert {row["flags"] for row in stored_rows(store.path, "judgement")} == {'["kv_quantised","answered_alone"]'}
