"""What was planned against what the accelerator and the processor really gave, and what does not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.random_llm import random_llm
from workbench.domain.llm import Device, KvType, LoadSettings
from workbench.domain.memory import LoadReport, MemoryPlan, PlanNote
from workbench.errors import OutOfMemoryError
from workbench.inference.client import LlamaEngine

pytestmark = pytest.mark.vulkan

PRACTICE = Path(__file__).resolve().parents[2] / "models" / "practice"
FILES: dict[str, Callable[[], Path]] = {
    "practice answers": lambda: PRACTICE / "practice-guarded.gguf",
    "practice judge": lambda: PRACTICE / "practice-judge.gguf",
    "210 million weights": lambda: random_llm("210m-q4_k_m"),
}
TOLERANCE = 0.10
ALL = -1
MIB = 1024**2


def loaded(engine: LlamaEngine, path: Path, settings: LoadSettings) -> LoadReport:
    session = engine.open(path, settings)
    session.close()
    return session.load_report


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("n_gpu_layers", [None, ALL, 3, 1, 0])
def test_the_sum_of_the_plan_is_what_was_taken(
    engine: LlamaEngine, graphics: Device, file: str, n_gpu_layers: int | None
) -> None:
    report = loaded(engine, FILES[file](), LoadSettings(n_gpu_layers=n_gpu_layers))
    planned = {
        share.device.name: share.weights_bytes + share.kv_bytes + share.compute_bytes for share in report.plan.shares
    }
    taken = {allocation.device: allocation.total_bytes for allocation in report.allocations}
    assert taken.keys() == planned.keys() == ({"CPU"} if n_gpu_layers == 0 else {"CPU", graphics.name})
    assert taken == pytest.approx(planned, rel=TOLERANCE)


def test_what_does_not_fit_stays_with_the_processor(engine: LlamaEngine, graphics: Device) -> None:
    path, many = random_llm("210m-q4_k_m"), LoadSettings(n_slots=48, context_tokens=4096, kv_type=KvType.F16)
    _, everything = engine.plan(path, replace(many, n_gpu_layers=ALL))
    assert on_accelerator(everything) > graphics.total_bytes
    assert PlanNote.DOES_NOT_FIT in everything.notes
    report = loaded(engine, path, many)
    assert 0 < report.plan.n_layers_offloaded <= report.plan.n_layers
    assert PlanNote.LAYERS_ON_PROCESSOR in report.plan.notes
    assert report.plan.fits
    assert report.failed_attempts == ()
    (taken,) = [allocation for allocation in report.allocations if allocation.device == graphics.name]
    assert taken.total_bytes <= graphics.total_bytes


def test_a_loading_that_fails_is_tried_smaller_and_recorded(
    engine: LlamaEngine, graphics: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = random_llm("210m-q4_k_m")
    _, best = engine.plan(path, LoadSettings(n_gpu_layers=ALL))
    limit_bytes = best.shares[0].kv_bytes * 3 // 4  # each buffer of the accelerator may be so large
    monkeypatch.setenv("GGML_VK_FORCE_MAX_BUFFER_SIZE", str(limit_bytes))
    report = loaded(engine, path, LoadSettings(n_gpu_layers=ALL))
    assert 1 <= len(report.failed_attempts) <= 2
    assert report.failed_attempts[0].plan.n_slots == best.n_slots
    assert graphics.name in report.failed_attempts[0].reason
    assert report.plan.n_layers_offloaded == report.plan.n_layers + 1
    assert on_accelerator(report.plan) < on_accelerator(report.failed_attempts[-1].plan)


def test_all_layers_on_too_small_a_device_end_in_words_never_on_the_processor(
    engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GGML_VK_FORCE_MAX_BUFFER_SIZE", str(16 * MIB))
    with pytest.raises(OutOfMemoryError) as caught:
        engine.open(random_llm("210m-q4_k_m"), LoadSettings(n_gpu_layers=ALL))
    assert caught.value.happened
    assert caught.value.todo


def on_accelerator(plan: MemoryPlan) -> int:
    return sum(share.needed_bytes for share in plan.shares if share.device.kind != "cpu")
