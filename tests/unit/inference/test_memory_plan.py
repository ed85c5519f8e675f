"""Which plan is made for which devices, free memory and wishes; every device is invented."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.domain.llm import Device, KvType, LoadSettings
from workbench.domain.memory import (
    Allocation,
    DeviceCorrection,
    DeviceShare,
    LlmLayout,
    LoadReport,
    MemoryPlan,
    PlanNote,
    SpeedClass,
    corrections_from,
    pinned,
)
from workbench.errors import LoadSettingsError
from workbench.inference.memory_plan import make_plan

MIB = 1024**2
GIB = 1024**3

LAYOUT = LlmLayout(  # about what Llama 3.1 8B is as Q4_K_M
    architecture="llama",
    quantisation="Q4_K_M",
    n_parameters=8_030_000_000,
    rubric=None,
    trained_context_tokens=131_072,
    n_vocabulary=128_256,
    width=4096,
    feed_forward_width=14_336,
    n_heads=32,
    input_bytes=282 * MIB,
    output_bytes=411 * MIB,
    layer_bytes=(124 * MIB,) * 32,
    layer_kv_values=(2048,) * 32,
    layer_state_bytes=(0,) * 32,
)
TINY = replace(
    LAYOUT, n_parameters=2_000_000, n_vocabulary=700, width=192, feed_forward_width=512, n_heads=4, input_bytes=MIB,
    output_bytes=MIB, layer_bytes=(MIB,) * 4, layer_kv_values=(384,) * 4, layer_state_bytes=(0,) * 4,
)  # fmt: skip
N_ALL = LAYOUT.n_layers + 1


def processor(free_gib: float = 32.0) -> Device:
    return Device(
        name="CPU", description="Processor", kind="cpu", free_bytes=int(free_gib * GIB), total_bytes=int(32 * GIB)
    )


def card(free_gib: float, name: str = "CUDA0", total_gib: float | None = None) -> Device:
    total_bytes = int((total_gib or free_gib) * GIB)
    return Device(name=name, description="Card", kind="gpu", free_bytes=int(free_gib * GIB), total_bytes=total_bytes)


def graphics(free_gib: float, name: str = "Metal") -> Device:
    return replace(card(free_gib, name), shares_memory=True)


def plan(
    *devices: Device,
    layout: LlmLayout = LAYOUT,
    wishes: LoadSettings | None = None,
    n_smaller: int = 0,
    corrections: tuple[DeviceCorrection, ...] = (),
) -> MemoryPlan:
    made = make_plan(
        layout, devices, wishes or LoadSettings(), n_threads=8, corrections=corrections, n_smaller=n_smaller
    )
    require_sound(made, layout)
    return made


def require_sound(made: MemoryPlan, layout: LlmLayout) -> None:
    """What holds for every plan."""
    *accelerators, last = made.shares
    assert last.device.kind == "cpu"
    assert all(share.device.kind == "gpu" and share.n_layers > 0 for share in accelerators)
    assert sum(share.n_layers for share in made.shares) == layout.n_layers + 1
    copies = layout.output_bytes if made.n_layers_offloaded else layout.output_bytes - layout.shared_output_bytes
    weights = layout.input_bytes + sum(layout.layer_bytes) + copies
    assert sum(share.weights_bytes for share in made.shares) == weights
    in_common = sum(share.needed_bytes for share in accelerators if share.device.shares_memory)
    fits_in_common = last.needed_bytes + last.margin_bytes + in_common <= last.device.free_bytes
    assert made.fits == (fits_in_common and all(share.fits for share in made.shares))
    assert made.n_cells % 256 == 0
    assert made.n_cells >= made.context_tokens


def layers(made: MemoryPlan) -> list[tuple[str, int]]:
    return [(share.device.name, share.n_layers) for share in made.shares]


def needed(made: MemoryPlan) -> int:
    """On accelerators or, without any, on the processor."""
    shares: tuple[DeviceShare, ...] = made.shares[:-1] or made.shares
    return sum(share.needed_bytes for share in shares)


# One card.


@pytest.mark.parametrize(
    ("free_gib", "n_offloaded", "n_slots", "kv_type", "notes"),
    [
        (24.0, N_ALL, 32, KvType.F16, ()),
        (12.0, N_ALL, 16, KvType.F16, (PlanNote.FEWER_SLOTS,)),
        (8.0, N_ALL, 8, KvType.F16, (PlanNote.FEWER_SLOTS,)),
        (5.9, N_ALL, 2, KvType.F16, (PlanNote.FEWER_SLOTS,)),
        (5.4, N_ALL, 2, KvType.Q8_0, (PlanNote.FEWER_SLOTS, PlanNote.KV_QUANTISED)),
        (5.2, N_ALL, 1, KvType.Q8_0, (PlanNote.FEWER_SLOTS, PlanNote.KV_QUANTISED)),
        (
            4.0,
            22,
            4,
            KvType.Q8_0,
            (PlanNote.FEWER_SLOTS, PlanNote.KV_QUANTISED, PlanNote.LAYERS_ON_PROCESSOR),
        ),
        (0.5, 0, 16, KvType.F16, (PlanNote.ACCELERATOR_UNUSED,)),
    ],
)
def test_the_ladder_with_one_card(
    free_gib: float, n_offloaded: int, n_slots: int, kv_type: KvType, notes: tuple[PlanNote, ...]
) -> None:
    made = plan(card(free_gib), processor())
    assert (made.n_layers_offloaded, made.n_slots, made.kv_type, made.notes) == (n_offloaded, n_slots, kv_type, notes)
    assert made.n_batch == 512
    assert made.fits


def test_small_steps_are_the_last_thing_before_layers_stay_with_the_processor() -> None:
    made = [plan(card(free_gib), processor()) for free_gib in (5.1, 5.04, 4.98, 4.9)]
    assert [each.n_batch for each in made] == [512, 256, 128, 512]
    assert [each.n_slots for each in made] == [1, 1, 1, 4]
    assert [each.n_layers_offloaded == N_ALL for each in made] == [True, True, True, False]


def test_layers_on_the_processor_are_the_first_ones() -> None:
    layout = replace(LAYOUT, layer_bytes=tuple((100 + layer) * MIB for layer in range(32)))
    made = plan(card(4.0), processor(), layout=layout)
    n_left = N_ALL - made.n_layers_offloaded
    assert 0 < n_left < N_ALL
    assert made.shares[-1].weights_bytes == layout.input_bytes + sum(layout.layer_bytes[:n_left])


def test_the_embeddings_stay_with_the_processor_and_are_copied_where_the_output_shares_them() -> None:
    layout = replace(LAYOUT, output_bytes=LAYOUT.input_bytes, shared_output_bytes=LAYOUT.input_bytes)
    offloaded, unassisted = plan(card(24), processor(), layout=layout), plan(processor(), layout=layout)
    assert offloaded.shares[-1].weights_bytes == layout.input_bytes
    assert offloaded.shares[0].weights_bytes == sum(layout.layer_bytes) + layout.output_bytes
    assert unassisted.shares[0].weights_bytes == layout.input_bytes + sum(layout.layer_bytes)


# The processor alone.


@pytest.mark.parametrize(
    ("free_gib", "n_slots", "kv_type", "n_batch", "fits"),
    [
        (32, 16, KvType.F16, 512, True),
        (9.0, 8, KvType.F16, 512, True),
        (6.9, 2, KvType.F16, 512, True),
        (6.55, 2, KvType.Q8_0, 512, True),
        (6.3, 1, KvType.Q8_0, 512, True),
        (6.22, 1, KvType.Q8_0, 256, True),
        (6.18, 1, KvType.Q8_0, 128, True),
        (5.0, 1, KvType.Q8_0, 128, False),
        (0.0, 1, KvType.Q8_0, 128, False),
    ],
)
def test_the_ladder_of_the_processor(free_gib: float, n_slots: int, kv_type: KvType, n_batch: int, fits: bool) -> None:
    made = plan(processor(free_gib))
    assert (made.n_slots, made.kv_type, made.n_batch, made.fits) == (n_slots, kv_type, n_batch, fits)
    assert layers(made) == [("CPU", N_ALL)]
    assert PlanNote.ACCELERATOR_UNUSED not in made.notes


def test_libraries_that_help_the_processor_hold_no_layers() -> None:
    library = replace(card(64, "BLAS"), kind="accelerator")
    assert plan(library, processor()) == plan(processor())


def test_tiny_files_want_few_slots() -> None:
    assert plan(processor(), layout=TINY).n_slots == 8
    assert plan(card(8), processor(), layout=TINY).n_slots == 8
    assert plan(processor(), layout=TINY).notes == ()


# Several accelerators.


def test_a_card_that_holds_everything_is_not_slowed_by_another() -> None:
    made = plan(card(12, "CUDA0"), card(24, "CUDA1"), processor())
    assert layers(made) == [("CUDA1", N_ALL), ("CPU", 0)]


def test_two_cards_share_in_proportion_to_what_is_free() -> None:
    made = plan(card(8, "CUDA0"), card(4, "CUDA1"), processor(), wishes=LoadSettings(n_slots=16))
    assert layers(made) == [("CUDA0", 22), ("CUDA1", 11), ("CPU", 0)]
    assert all(share.compute_bytes > 0 for share in made.shares)


def test_a_card_that_is_nearly_full_gets_nothing() -> None:
    made = plan(card(24, "CUDA0"), card(0.3, "CUDA1", total_gib=24), processor())
    assert layers(made) == [("CUDA0", N_ALL), ("CPU", 0)]


def test_two_small_cards_hold_together_what_neither_holds() -> None:
    made = plan(card(4.5, "CUDA0"), card(4.5, "CUDA1"), processor())
    assert made.n_layers_offloaded == N_ALL
    assert plan(card(4.5), processor()).n_layers_offloaded < N_ALL


def test_graphics_in_the_processor_are_left_out_beside_a_card() -> None:
    assert layers(plan(graphics(16), card(24), processor())) == [("CUDA0", N_ALL), ("CPU", 0)]
    assert layers(plan(graphics(16, "Vulkan0"), graphics(16, "SYCL0"), processor()))[0] == ("Vulkan0", N_ALL)


def test_shared_memory_is_counted_once() -> None:
    roomy, tight = plan(graphics(24), processor(24)), plan(graphics(24), processor(8))
    assert roomy.n_slots == 32
    assert tight.n_slots < 32
    assert tight.fits
    assert plan(card(24), processor(8)).n_slots == 32


def test_shared_memory_that_holds_not_even_one_layer_more() -> None:
    made = plan(graphics(24), processor(3))
    assert not made.fits


# Wishes.


def test_a_wish_fixes_its_part_and_the_rest_gives_way() -> None:
    made = plan(card(8), processor(), wishes=LoadSettings(n_slots=32))
    assert made.n_slots == 32
    assert made.n_layers_offloaded < N_ALL
    assert PlanNote.OVERRIDDEN in made.notes
    assert PlanNote.FEWER_SLOTS not in made.notes
    assert plan(card(8), processor(), wishes=LoadSettings(kv_type=KvType.Q8_0)).n_slots == 16
    assert plan(card(8), processor(), wishes=LoadSettings(n_batch=64)).n_batch == 64


@pytest.mark.parametrize(("wish", "n_offloaded"), [(-1, N_ALL), (99, N_ALL), (10, 10), (0, 0)])
def test_wished_layers_are_offloaded(wish: int, n_offloaded: int) -> None:
    made = plan(card(24), processor(), wishes=LoadSettings(n_gpu_layers=wish))
    assert made.n_layers_offloaded == n_offloaded
    assert PlanNote.OVERRIDDEN in made.notes


def test_all_layers_insisted_on_are_offloaded_even_where_they_do_not_fit() -> None:
    made = plan(card(3), processor(), wishes=LoadSettings(n_gpu_layers=-1))
    assert made.n_layers_offloaded == N_ALL
    assert made.notes[-1] is PlanNote.DOES_NOT_FIT


@pytest.mark.parametrize("wish", [-1, 5, 99_999])
def test_layers_wished_for_where_there_is_no_accelerator_are_said_to_be_missing(wish: int) -> None:
    made = plan(processor(), wishes=LoadSettings(n_gpu_layers=wish))
    assert PlanNote.ACCELERATOR_MISSING in made.notes
    assert PlanNote.ACCELERATOR_MISSING not in plan(processor(), wishes=LoadSettings(n_gpu_layers=0)).notes


def test_without_accelerators_no_layer_can_be_offloaded() -> None:
    assert plan(processor(), wishes=LoadSettings(n_gpu_layers=-1)).n_layers_offloaded == 0


def test_stated_layers_go_exactly_where_they_are_stated() -> None:
    wishes = LoadSettings(device_layers=(("CUDA1", 20), ("CUDA0", 3)), n_gpu_layers=0)
    made = plan(card(24, "CUDA0"), card(24, "CUDA1"), processor(), wishes=wishes)
    assert layers(made) == [("CUDA0", 3), ("CUDA1", 20), ("CPU", 10)]


def test_a_pinned_plan_is_made_again_on_a_computer_with_less_room() -> None:
    wishes = LoadSettings(context_tokens=4096, request_tokens=1000)
    first = plan(card(24, "CUDA0"), card(12, "CUDA1"), processor(), wishes=wishes)

    again = plan(card(2, "CUDA0"), card(2, "CUDA1"), processor(), wishes=pinned(wishes, first))

    assert layers(again) == layers(first)
    assert again.notes == (PlanNote.OVERRIDDEN, PlanNote.DOES_NOT_FIT)
    same = ("n_slots", "context_tokens", "n_cells", "n_batch", "kv_type", "flash_attention", "n_threads")
    assert [getattr(again, name) for name in same] == [getattr(first, name) for name in same]


def test_a_plan_pinned_without_accelerators_uses_none() -> None:
    first = plan(processor())
    assert plan(card(24), processor(), wishes=pinned(LoadSettings(), first)).n_layers_offloaded == 0


@pytest.mark.parametrize(
    "wishes",
    [
        LoadSettings(device_layers=(("CUDA7", 3),)),
        LoadSettings(device_layers=(("CUDA0", N_ALL + 1),)),
        LoadSettings(device_layers=(("CUDA0", -1),)),
        LoadSettings(kv_type=KvType.Q8_0, flash_attention=False),
    ],
)
def test_impossible_wishes_are_refused(wishes: LoadSettings) -> None:
    with pytest.raises(LoadSettingsError):
        make_plan(LAYOUT, [card(24), processor()], wishes, n_threads=8)


def test_without_flash_attention_nothing_is_kept_in_8_bits() -> None:
    made = plan(card(5.6), processor(), wishes=LoadSettings(flash_attention=False))
    assert not made.flash_attention
    assert made.kv_type is KvType.F16


def test_threads_are_the_wish_or_the_default() -> None:
    assert plan(processor()).n_threads == 8
    assert plan(processor(), wishes=LoadSettings(n_threads=3)).n_threads == 3


def test_a_context_longer_than_the_training_is_shortened() -> None:
    layout = replace(LAYOUT, trained_context_tokens=1024)
    made = plan(processor(), layout=layout)
    assert made.context_tokens == 1024
    assert made.notes == (PlanNote.CONTEXT_SHORTENED,)


@pytest.mark.parametrize(
    ("request_tokens", "n_cells"), [(None, 5 * 2048), (300, 2048 + 4 * 300 + 80), (9999, 5 * 2048)]
)
def test_cells_for_a_whole_context_and_usual_requests(request_tokens: int | None, n_cells: int) -> None:
    assert plan(processor(), wishes=LoadSettings(n_slots=4, request_tokens=request_tokens)).n_cells == n_cells


# After a loading that failed, and what loadings taught.


@pytest.mark.parametrize("free_gib", [24.0, 8.0, 5.5, 4.0, 2.0])
def test_steps_down_are_different_and_smaller(free_gib: float) -> None:
    made = [plan(card(free_gib), processor(), n_smaller=n) for n in range(3)]
    sums = [needed(each) for each in made]
    assert sums[0] > sums[1] > sums[2]
    assert all(each.fits for each in made)


@pytest.mark.parametrize("n_smaller", [0, 1, 2])
def test_a_step_down_takes_no_more_of_the_processor_than_it_has(n_smaller: int) -> None:
    assert plan(card(5.5), processor(2.5), n_smaller=n_smaller).fits


def test_steps_down_on_the_processor() -> None:
    made = [plan(processor(9), n_smaller=n) for n in range(3)]
    assert [each.n_slots for each in made] == [8, 4, 2]


def test_nothing_smaller_than_the_last_rung() -> None:
    wishes = LoadSettings(n_slots=1, kv_type=KvType.F16, n_batch=128)
    assert plan(processor(), wishes=wishes, n_smaller=2) == plan(processor(), wishes=wishes)


def test_corrections_change_the_scratch_memory_of_their_device() -> None:
    twice = (DeviceCorrection(device="CUDA0 (Card)", compute_ratio=2.0),)
    usual, corrected = plan(card(24), processor()), plan(card(24), processor(), corrections=twice)
    assert corrected.shares[0].compute_bytes == 2 * usual.shares[0].compute_bytes
    assert corrected.shares[1] == usual.shares[1]


def test_what_a_loading_taught_is_taught_again_by_a_loading_that_was_planned_with_it() -> None:
    """Otherwise a corrected estimate that came true would teach that no correction is needed."""
    estimated_bytes = plan(processor()).shares[0].compute_bytes
    taken = Allocation(device="CPU", weights_bytes=0, kv_bytes=0, compute_bytes=estimated_bytes * 3 // 2)
    learnt: tuple[DeviceCorrection, ...] = ()
    for _ in range(3):
        made = plan(processor(), corrections=learnt)
        learnt = corrections_from(LoadReport(plan=made, allocations=(taken,)))
        assert learnt[0].compute_ratio == pytest.approx(1.5, rel=1e-6)
    assert plan(processor(), corrections=learnt).shares[0].compute_bytes == pytest.approx(taken.compute_bytes, rel=1e-6)


def test_an_absurd_correction_is_bounded() -> None:
    absurd = (DeviceCorrection(device="CUDA0 (Card)", compute_ratio=1e9),)
    assert plan(card(24), processor(), corrections=absurd).n_layers_offloaded > 0


# What is estimated.


def test_scratch_memory_grows_without_flash_attention_and_with_the_step() -> None:
    usual = plan(processor()).shares[0].compute_bytes
    assert plan(processor(), wishes=LoadSettings(flash_attention=False)).shares[0].compute_bytes > 2 * usual
    assert plan(processor(), wishes=LoadSettings(n_batch=256)).shares[0].compute_bytes < 0.7 * usual


def test_a_card_lent_to_layers_of_the_processor_holds_copies_and_spares_it_scratch_memory() -> None:
    layout = replace(
        LAYOUT, n_parameters=212_000_000, n_vocabulary=32_000, width=1024, feed_forward_width=2816, n_heads=16,
        layer_bytes=(6 * MIB,) * 13, layer_kv_values=(512,) * 13, layer_state_bytes=(0,) * 13,
    )  # fmt: skip
    settings = LoadSettings(n_slots=32, context_tokens=2048, n_gpu_layers=7)
    lent, beside = plan(card(8), processor(), layout=layout, wishes=settings).shares
    assert lent.compute_bytes == pytest.approx(144.6 * MIB, rel=0.1)  # measured with Vulkan
    assert beside.compute_bytes == pytest.approx(78.2 * MIB, rel=0.1)


def test_recurrent_states_are_counted_for_every_sequence() -> None:
    layout = replace(LAYOUT, layer_kv_values=(0,) * 32, layer_state_bytes=(MIB,) * 32)
    share = plan(processor(), layout=layout, wishes=LoadSettings(n_slots=4)).shares[0]
    assert share.kv_bytes == 32 * 8 * MIB
    stateless = plan(processor(), layout=replace(layout, layer_state_bytes=(0,) * 32), wishes=LoadSettings(n_slots=4))
    assert share.compute_bytes == stateless.shares[0].compute_bytes + 8 * MIB


def test_a_wide_vocabulary_decides_where_the_steps_are_small() -> None:
    wishes = LoadSettings(n_slots=60, n_batch=64, context_tokens=256)
    small = plan(processor(), layout=TINY, wishes=wishes).shares[0]
    wide = plan(processor(), layout=replace(TINY, n_vocabulary=250_000), wishes=wishes).shares[0]
    rows_bytes = 64 * 250_000 * 4
    assert wide.compute_bytes - small.compute_bytes > 1.9 * rows_bytes
    assert wide.program_bytes > small.program_bytes


@pytest.mark.parametrize(
    ("devices", "layout", "speed"),
    [
        ((card(24), processor()), LAYOUT, SpeedClass.FAST),
        ((processor(),), LAYOUT, SpeedClass.MODERATE),
        ((processor(),), TINY, SpeedClass.FAST),
        ((processor(),), replace(LAYOUT, n_parameters=70_000_000_000), SpeedClass.VERY_SLOW),
    ],
)
def test_speed_is_guessed_in_classes(devices: tuple[Device, ...], layout: LlmLayout, speed: SpeedClass) -> None:
    assert plan(*devices, layout=layout).speed is speed


# Properties.

_GIB = st.floats(0.0, 30.0)


@settings(max_examples=60)
@given(free=st.lists(_GIB, max_size=3), more=st.lists(_GIB, min_size=3, max_size=3), processor_gib=_GIB)
def test_more_free_memory_never_offloads_less(free: list[float], more: list[float], processor_gib: float) -> None:
    def made(frees: list[float]) -> MemoryPlan:
        cards = [card(gib, f"CUDA{index}", total_gib=24) for index, gib in enumerate(frees)]
        return plan(*cards, processor(processor_gib))

    before = made(free)
    after = made([gib + added for gib, added in zip(free, more, strict=False)])
    if before.fits:
        assert after.fits
        assert after.n_layers_offloaded >= before.n_layers_offloaded


@settings(max_examples=60)
@given(
    free_gib=_GIB,
    processor_gib=_GIB,
    shares_memory=st.booleans(),
    n_smaller=st.integers(0, 2),
    n_slots=st.none() | st.integers(1, 64),
    kv_type=st.none() | st.sampled_from(KvType),
    n_gpu_layers=st.none() | st.integers(-1, 40),
    request_tokens=st.none() | st.integers(1, 4096),
)
def test_every_plan_is_sound(
    free_gib: float,
    processor_gib: float,
    shares_memory: bool,
    n_smaller: int,
    n_slots: int | None,
    kv_type: KvType | None,
    n_gpu_layers: int | None,
    request_tokens: int | None,
) -> None:
    device = replace(card(free_gib, total_gib=30), shares_memory=shares_memory)
    wishes = LoadSettings(n_slots=n_slots, kv_type=kv_type, n_gpu_layers=n_gpu_layers, request_tokens=request_tokens)
    made = plan(device, processor(processor_gib), wishes=wishes, n_smaller=n_smaller)
    assert n_slots in (None, made.n_slots)
    assert kv_type in (None, made.kv_type)


def test_heads_that_cannot_be_packed_keep_16_bits() -> None:
    layout = replace(LAYOUT, kv_quantisable=False)
    made = make_plan(layout, [card(5.4), processor()], LoadSettings(), n_threads=2)
    assert made.kv_type is KvType.F16
    with pytest.raises(LoadSettingsError):
        make_plan(layout, [processor()], LoadSettings(kv_type=KvType.Q8_0), n_threads=2)
