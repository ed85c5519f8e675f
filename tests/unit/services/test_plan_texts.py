"""What a memory plan reads like."""

from dataclasses import replace

import pytest

from tests.helpers.records import GIB, a_device, a_load_report, a_plan, a_share
from workbench.domain.llm import KvType
from workbench.domain.memory import PlanNote, SpeedClass
from workbench.services.plan_texts import (
    Fit,
    accelerators_text,
    computing_text,
    device_text,
    fit_of,
    fit_text,
    gib,
    heading_text,
    kv_type_text,
    layers_text,
    loaded_text,
    note_texts,
    plan_rows,
    plan_text,
    retried_text,
    slowed_text,
    speed_explained,
    speed_text,
)

_FIRST, _SECOND = a_device("CUDA0"), a_device("CUDA1")
_WHOLE = a_plan(a_share(_FIRST, n_layers=3), a_share(n_layers=0), n_slots=16)
_PARTLY = a_plan(a_share(_FIRST, n_layers=1), a_share(n_layers=2), n_slots=1)
_PROCESSOR = a_plan()
_TOO_LARGE = a_plan(notes=(PlanNote.FEWER_SLOTS, PlanNote.DOES_NOT_FIT))


def test_where_the_layers_go() -> None:
    assert layers_text(_WHOLE) == "All 3 layers on Invented graphics"
    assert layers_text(_PARTLY) == "1 of 3 layers on Invented graphics, the rest on the processor"
    assert layers_text(_PROCESSOR) == "All 3 layers on the processor"
    assert plan_text(_WHOLE) == "All 3 layers on Invented graphics, 16 answers at a time, moderate speed"


def test_twins_are_counted_and_idle_cards_left_out() -> None:
    twins = a_plan(a_share(_FIRST, n_layers=2), a_share(_SECOND, n_layers=1), a_share(n_layers=0))
    assert accelerators_text(twins) == "2 × Invented graphics"
    assert loaded_text(twins) == "on CUDA0 and CUDA1, 3 of 3 layers, 4 answers at a time"
    assert computing_text(twins) == "3 of 3 layers on 2 × Invented graphics"
    idle = a_plan(a_share(_FIRST, n_layers=3), a_share(_SECOND, n_layers=0), a_share(n_layers=0))
    assert accelerators_text(idle) == "Invented graphics"
    assert loaded_text(idle) == "on CUDA0, 3 of 3 layers, 4 answers at a time"


def test_how_well_it_fits() -> None:
    plans = (_WHOLE, _PARTLY, _PROCESSOR, _TOO_LARGE)
    assert [fit_of(plan) for plan in plans] == [Fit.ACCELERATOR, Fit.PARTLY, Fit.PROCESSOR, Fit.TOO_LARGE]
    assert fit_text(Fit.TOO_LARGE) == "does not fit"


def test_every_note_speed_and_type_has_words() -> None:
    for note in PlanNote:
        assert all(text.endswith(".") for text in note_texts(a_plan(notes=(note,))))
    assert all(speed_text(speed) and "tokens a second" in speed_explained(speed) for speed in SpeedClass)
    assert [kv_type_text(kv_type) for kv_type in KvType] == ["16 bits", "8 bits"]
    assert all(fit_text(fit) for fit in Fit)


def test_what_does_not_fit_is_said_first() -> None:
    assert note_texts(_TOO_LARGE)[0].startswith("The sum is larger")


def test_loading_on_the_processor_and_trying_again() -> None:
    assert loaded_text(_PROCESSOR) == "on the processor, 4 answers at a time"
    assert computing_text(_PROCESSOR) == "on the processor"
    attempts = a_load_report(_WHOLE, n_failed=2).failed_attempts
    assert retried_text("x.gguf", attempts) == (
        "x.gguf did not fit on CUDA0, 3 of 3 layers, 16 answers at a time: trying with less memory."
    )
    assert retried_text("x.gguf", attempts, _PARTLY).endswith(
        "It was loaded on CUDA0, 1 of 3 layers, 1 answer at a time."
    )


def test_the_rows_are_a_sum() -> None:
    rows = {row.title: row.values_bytes for row in plan_rows(_PARTLY)}
    parts = ("Weights", "Conversations (KV)", "Working memory", "Program", "Kept free")
    for position, share in enumerate(_PARTLY.shares):
        assert rows["Sum"][position] == sum(rows[part][position] for part in parts)
        assert rows["Free now"][position] == share.device.free_bytes


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0.0"), (1, "< 0.1"), (GIB // 10, "0.1"), (3 * GIB // 2, "1.5"), (2000 * GIB, "2,000.0")]
)
def test_sizes(n_bytes: int, text: str) -> None:
    assert gib(n_bytes) == text


def test_a_device_cannot_imitate_what_is_around_it() -> None:
    hostile = replace(_FIRST, description="A\n\u202ecard" + "x" * 100)
    assert device_text(hostile).startswith("A ⟦U+202E⟧card")
    assert len(device_text(hostile)) <= 60
    assert heading_text(hostile).startswith("CUDA0: A ")
    assert device_text(replace(_FIRST, description="")) == "CUDA0"


def test_slowness_says_why_where_it_is_known() -> None:
    assert slowed_text("Other programs take the processor.") == "Slower than usual. Other programs take the processor."
    assert slowed_text("") == "Slower than usual."
