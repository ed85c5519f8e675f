"""Builders of domain records with sensible defaults, for tests that care about a few fields only."""

from datetime import UTC, datetime
from pathlib import Path

from workbench.domain.llm import AnswerFlag, Device, FailureCode, KvType, LoadSettings, SamplingSettings
from workbench.domain.memory import (
    Allocation,
    DeviceShare,
    LlmLayout,
    LoadAttempt,
    LoadReport,
    MemoryPlan,
    PlanNote,
    SpeedClass,
)
from workbench.domain.questions import Question, QuestionId, QuestionKind, QuestionSelection, RevisionId, Split
from workbench.domain.runs import (
    EvaluationRun,
    FileIdentity,
    JudgeChoice,
    JudgeMode,
    ResponseId,
    RunId,
    RunSettings,
    RunStatus,
    ScoredResponse,
)


def a_question(number: int = 1, *, kind: QuestionKind = QuestionKind.HARMFUL, principle: int = 1) -> Question:
    return Question(
        id=QuestionId(f"q-{principle}-{number}-{kind}"),
        revision_id=RevisionId(number),
        pair=f"q-{principle}-{number}",
        kind=kind,
        principle=principle,
        split=Split.EVALUATE,
        text=f"Question {number} of principle {principle}?",
    )


def run_settings(*, judge: bool = True, samples: int = 1, n_slots: int | None = 4) -> RunSettings:
    file = FileIdentity(path=Path("open.gguf"), sha256="a" * 64, size_bytes=10)
    return RunSettings(
        model_file=file,
        adapter=None,
        selection=QuestionSelection(question_set="starter"),
        samples=samples,
        system_prompt="Be safe.",
        preset="paper-protocol",
        sampling=SamplingSettings(),
        max_tokens=64,
        load=LoadSettings(n_slots=n_slots),
        judge=JudgeChoice(file=file, mode=JudgeMode.SCORE, rubric="practice-1", rubric_sha256="b" * 64)
        if judge
        else None,
    )


GIB = 2**30


def a_device(
    name: str = "CPU", *, free_bytes: int = 8 * GIB, total_bytes: int = 16 * GIB, shares_memory: bool = False
) -> Device:
    """A processor if it is called ``CPU``, else a graphics card."""
    is_cpu = name == "CPU"
    return Device(
        name=name,
        description="Invented processor" if is_cpu else "Invented graphics",
        kind="cpu" if is_cpu else "gpu",
        free_bytes=free_bytes,
        total_bytes=total_bytes,
        shares_memory=is_cpu or shares_memory,
    )


def a_share(device: Device | None = None, *, n_layers: int = 3, weights_bytes: int = GIB) -> DeviceShare:
    """What one device holds: the weights, and a quarter GiB for everything else."""
    return DeviceShare(
        device=device or a_device(),
        n_layers=n_layers,
        weights_bytes=weights_bytes,
        kv_bytes=GIB // 8,
        compute_bytes=GIB // 8,
        program_bytes=0,
        margin_bytes=GIB // 4,
    )


def a_layout(*, rubric: str | None = None, n_layers: int = 2) -> LlmLayout:
    return LlmLayout(
        architecture="llama",
        quantisation="Q4_K_M",
        n_parameters=1_000_000,
        rubric=rubric,
        trained_context_tokens=2048,
        n_vocabulary=1000,
        width=64,
        feed_forward_width=256,
        n_heads=4,
        input_bytes=100_000,
        output_bytes=100_000,
        layer_bytes=(1_000_000,) * n_layers,
        layer_kv_values=(128,) * n_layers,
        layer_state_bytes=(0,) * n_layers,
    )


def a_plan(
    *shares: DeviceShare,
    n_layers: int = 2,
    n_slots: int = 4,
    context_tokens: int = 2048,
    notes: tuple[PlanNote, ...] = (),
) -> MemoryPlan:
    """An invented plan; without shares, everything is on the processor."""
    return MemoryPlan(
        shares=shares or (a_share(n_layers=n_layers + 1),),
        n_layers=n_layers,
        n_slots=n_slots,
        context_tokens=context_tokens,
        n_cells=context_tokens * (n_slots + 1),
        n_batch=512,
        kv_type=KvType.F16,
        flash_attention=True,
        n_threads=2,
        speed=SpeedClass.MODERATE,
        notes=notes,
    )


def a_load_report(plan: MemoryPlan | None = None, *, n_failed: int = 0, taken: float = 1.0) -> LoadReport:
    """A loading that took ``taken`` times what was planned, after ``n_failed`` attempts."""
    plan = plan or a_plan()
    return LoadReport(
        plan=plan,
        allocations=tuple(
            Allocation(
                device=share.device.name,
                weights_bytes=share.weights_bytes,
                kv_bytes=share.kv_bytes,
                compute_bytes=int(share.compute_bytes * taken),
            )
            for share in plan.shares
        ),
        failed_attempts=(LoadAttempt(plan=plan, reason="Out of device memory."),) * n_failed,
    )


def a_run(
    *,
    settings: RunSettings | None = None,
    n_questions: int = 4,
    run_id: int = 1,
    load_report: LoadReport | None = None,
) -> EvaluationRun:
    return EvaluationRun(
        id=RunId(run_id),
        status=RunStatus.FINISHED,
        settings=settings or run_settings(),
        created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        finished_at=None,
        n_questions=n_questions,
        llm_name="Practice open",
        versions=(("workbench", "0.1.0"),),
        device="CPU",
        n_layers=None if load_report is None else load_report.plan.n_layers,
        n_layers_offloaded=None if load_report is None else load_report.plan.n_layers_offloaded,
        load_report=load_report,
    )


def a_response(
    number: int = 1,
    *,
    score: int | None = 1,
    text: str | None = "I cannot help with that.",
    kind: QuestionKind = QuestionKind.HARMFUL,
    principle: int = 1,
    flags: tuple[AnswerFlag, ...] = (),
    question: str = "Question?",
    n_tokens: int = 10,
    duration_s: float = 1.0,
) -> ScoredResponse:
    failed = text is None
    return ScoredResponse(
        response_id=ResponseId(number),
        run_id=RunId(1),
        question_id=QuestionId(f"q-{number}"),
        revision_id=RevisionId(number),
        pair=f"q-{number}",
        kind=kind,
        principle=principle,
        question=question,
        sample=0,
        text=text,
        reasoning="",
        flags=flags,
        failure=FailureCode.PROMPT_TOO_LONG if failed else None,
        failure_message="The question is too long." if failed else "",
        n_tokens=n_tokens,
        duration_s=duration_s,
        judged=score is not None,
        score=score,
        expected_score=None if score is None else float(score),
        score_reason="",
    )
