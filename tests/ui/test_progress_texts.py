"""What the figures of an evaluation read like."""

from dataclasses import replace

import pytest

from tests.helpers.records import a_device, a_load_report, a_plan, a_run, a_share
from workbench.domain.memory import LoadReport
from workbench.domain.runs import RunStatus
from workbench.services.progress import RunsPrepared
from workbench.ui.evaluation_state import EvaluationState, RunState
from workbench.ui.progress_texts import computing_now_text

_CARD = a_load_report(a_plan(a_share(a_device("CUDA0"), n_layers=3), a_share(n_layers=0)))
_PROCESSOR = a_load_report()
_ON_CARD = "3 of 3 layers on Invented graphics"


@pytest.mark.parametrize(
    ("state", "beside", "judge", "expected"),
    [
        (RunState.WAITING, False, _PROCESSOR, ""),
        (RunState.LOADING, False, _PROCESSOR, ""),
        (RunState.ANSWERING, False, _PROCESSOR, _ON_CARD),
        (RunState.ANSWERING, True, _CARD, _ON_CARD),
        (RunState.ANSWERING, True, _PROCESSOR, f"answers: {_ON_CARD}, judge: on the processor"),
        (RunState.ANSWERED, False, _PROCESSOR, ""),
        (RunState.JUDGING, True, _PROCESSOR, "on the processor"),
        (RunState.JUDGING, False, _CARD, _ON_CARD),
        (RunState.FINISHED, True, _PROCESSOR, ""),
    ],
)
def test_what_computes_now_is_named_with_its_place(
    state: RunState, beside: bool, judge: LoadReport, expected: str
) -> None:
    run = replace(a_run(load_report=_CARD), status=RunStatus.UNFINISHED)
    evaluation = EvaluationState()
    evaluation.apply(RunsPrepared(runs=(run,)), 0.0)
    row = evaluation.runs[run.id]
    row.state, row.judged_beside, evaluation.judge_report = state, beside, judge

    assert computing_now_text(evaluation) == expected
