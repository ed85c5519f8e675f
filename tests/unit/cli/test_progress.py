from collections.abc import Generator
from pathlib import Path

import pytest

from tests.helpers.fake_engine import a_description
from tests.helpers.records import a_load_report, a_plan, a_run
from workbench.cli.progress import ProgressDisplay
from workbench.domain.memory import PlanNote
from workbench.domain.runs import EvaluationRun
from workbench.errors import OutOfMemoryError
from workbench.services.control import RunControl
from workbench.services.progress import (
    JudgeWaits,
    LlmLoaded,
    LlmLoading,
    Progress,
    Role,
    RunSlowed,
    RunsPrepared,
)


def _told(capsys: pytest.CaptureFixture[str], run: EvaluationRun, *notes: PlanNote) -> list[str]:
    """What is said from the loading on."""
    plan = a_plan(notes=notes)

    def evaluation() -> Generator[Progress, None, None]:
        yield RunsPrepared(runs=(run,))
        yield LlmLoaded(
            run_id=run.id,
            role=Role.ANSWERING,
            description=a_description(Path("open.gguf"), plan),
            report=a_load_report(plan),
        )

    assert ProgressDisplay(None).follow(evaluation(), RunControl()) == 0
    lines = capsys.readouterr().err.splitlines()
    return lines[lines.index("Loaded open on the processor, 4 answers at a time") + 1 :]


def test_what_a_plan_gave_up_is_told_after_loading(capsys: pytest.CaptureFixture[str]) -> None:
    assert _told(capsys, a_run()) == []

    too_large, fewer = _told(capsys, a_run(), PlanNote.FEWER_SLOTS, PlanNote.DOES_NOT_FIT)

    assert fewer.startswith("Fewer answers are written at the same time")
    assert too_large.startswith("The sum is larger than the memory that is free")


def test_a_resumed_run_is_not_told_that_its_choices_were_made_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    notes = (PlanNote.KV_QUANTISED, PlanNote.OVERRIDDEN)

    assert _told(capsys, a_run(), *notes)[1:] == ["A part of this was chosen by hand."]
    [kept] = _told(capsys, a_run(load_report=a_load_report()), *notes)
    assert kept.startswith("Conversations are kept in 8 bits")


def test_a_judge_reloaded_as_before_was_not_chosen_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    plan = a_plan(notes=(PlanNote.OVERRIDDEN,))
    judge = LlmLoaded(
        run_id=a_run().id,
        role=Role.JUDGING,
        description=a_description(Path("judge.gguf"), plan),
        report=a_load_report(plan),
    )
    assert _said(capsys, judge) == ["Loaded judge on the processor, 4 answers at a time"]


def test_which_worker_is_slow_and_why_a_judge_waits(capsys: pytest.CaptureFixture[str]) -> None:
    run_id = a_run().id
    error = OutOfMemoryError("There is not enough memory.", safe="All is safe.", todo="Close something.")
    assert _said(
        capsys,
        LlmLoading(run_id=run_id, role=Role.JUDGING, path=Path("judge.gguf")),
        JudgeWaits(run_id=run_id, error=error),
        RunSlowed(run_id=run_id, role=Role.ANSWERING, share=0.2, reason="Another program computes."),
        RunSlowed(run_id=run_id, role=Role.ANSWERING, share=1.0, reason=""),
    ) == [
        "Loading judge.gguf for judging",
        "judge.gguf could not be loaded beside the model that answers. There is not enough memory. "
        "It judges when all answers are written.",
        "Run 1 answering: Slower than usual. Another program computes.",
        "Run 1 answering: Back to the usual speed",
    ]


def _said(capsys: pytest.CaptureFixture[str], *progress: Progress) -> list[str]:
    """The lines for these records."""
    assert ProgressDisplay(None).follow((one for one in progress), RunControl()) == 0
    return capsys.readouterr().err.splitlines()
