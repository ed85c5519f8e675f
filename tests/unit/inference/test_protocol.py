import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.llm import (
    AdapterChoice,
    Answer,
    AnswerFlag,
    ChatMessage,
    Device,
    FailureCode,
    FinishReason,
    GenerateRequest,
    KvType,
    LlmDescription,
    LoadSettings,
    RequestFailure,
    RequestId,
    SamplingSettings,
    ScoreReply,
    ScoreRequest,
    Slowed,
    TextChunk,
)
from workbench.domain.memory import (
    Allocation,
    DeviceCorrection,
    DeviceShare,
    LlmLayout,
    MemoryPlan,
    PlanNote,
    SpeedClass,
)
from workbench.errors import (
    EngineError,
    ModelFileError,
    NoChatTemplateError,
    OutOfMemoryError,
    WorkerHungError,
    WorkerProtocolError,
)
from workbench.inference import protocol
from workbench.inference.protocol import (
    PROTOCOL_VERSION,
    Alive,
    CancelAll,
    CancelledAll,
    EndOfRequests,
    Happened,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Pause,
    Plan,
    Planned,
    Probe,
    Probed,
    Resume,
    Shutdown,
    Submit,
    decode_command,
    decode_event,
    encode,
    load_error,
    load_failed,
    split_lines,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
ids = st.integers(0, 2**53).map(RequestId)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**40)
flags = st.lists(st.sampled_from(AnswerFlag)).map(tuple)
messages = st.lists(st.builds(ChatMessage, role=st.sampled_from(["system", "user", "assistant"]), content=texts)).map(
    tuple
)
name_pairs = st.lists(st.tuples(texts, texts)).map(tuple)
paths = st.text(st.characters(categories=["L", "N"]), min_size=1).map(lambda name: Path("/models") / name)
adapters = st.builds(AdapterChoice, path=paths, scale=numbers)

load_settings = st.builds(
    LoadSettings,
    n_slots=st.none() | counts,
    context_tokens=counts,
    request_tokens=st.none() | counts,
    n_batch=st.none() | counts,
    kv_type=st.none() | st.sampled_from(KvType),
    flash_attention=st.none() | st.booleans(),
    n_threads=st.none() | counts,
    n_gpu_layers=st.none() | st.integers(-1, 1000),
    device_layers=st.none() | st.lists(st.tuples(texts, counts)).map(tuple),
    adapter=st.none() | adapters,
    chat_template=st.none() | texts,
    template_date=texts,
)
sampling = st.builds(SamplingSettings, temperature=numbers, top_p=numbers, top_k=counts, seed=counts)
stops = st.lists(texts).map(tuple)
requests = st.builds(
    GenerateRequest, id=ids, messages=messages, sampling=sampling, max_tokens=counts, stop=stops
) | st.builds(ScoreRequest, id=ids, messages=messages, cue=texts, choices=stops, reason_cue=texts)
answers = st.builds(
    Answer,
    request_id=ids,
    text=texts,
    raw=st.binary(),
    reasoning=texts,
    finish_reason=st.sampled_from(FinishReason),
    flags=flags,
    prompt=texts,
    prompt_sha256=texts,
    n_prompt_tokens=counts,
    n_tokens=counts,
    duration_s=numbers,
)
scores = st.builds(
    ScoreReply,
    request_id=ids,
    probabilities=st.lists(numbers).map(tuple),
    reason=texts,
    reason_truncated=st.booleans(),
    flags=flags,
    prompt_sha256=texts,
    n_prompt_tokens=counts,
    n_tokens=counts,
    duration_s=numbers,
)
failures = st.builds(RequestFailure, request_id=ids, code=st.sampled_from(FailureCode), message=texts)
chunks = st.builds(TextChunk, request_id=ids, text=texts)
descriptions = st.builds(
    LlmDescription,
    name=texts,
    architecture=texts,
    quantisation=texts,
    n_parameters=counts,
    n_layers=counts,
    trained_context_tokens=counts,
    context_tokens=counts,
    n_slots=counts,
    n_threads=counts,
    n_batch=counts,
    kv_type=st.sampled_from(KvType),
    flash_attention=st.booleans(),
    device=texts,
    n_layers_offloaded=counts,
    template_sha256=texts,
    template_source=st.sampled_from(["model_file", "chosen"]),
    rubric=st.none() | texts,
    flags=flags,
    versions=name_pairs,
)
devices = st.builds(
    Device,
    name=texts,
    description=texts,
    kind=st.sampled_from(["cpu", "gpu", "accelerator"]),
    free_bytes=counts,
    total_bytes=counts,
    shares_memory=st.booleans(),
    detail=texts,
)
several_counts = st.lists(counts, max_size=3).map(tuple)
layouts = st.builds(
    LlmLayout,
    architecture=texts,
    quantisation=texts,
    n_parameters=counts,
    rubric=st.none() | texts,
    trained_context_tokens=counts,
    n_vocabulary=counts,
    width=counts,
    feed_forward_width=counts,
    n_heads=counts,
    input_bytes=counts,
    output_bytes=counts,
    layer_bytes=several_counts,
    layer_kv_values=several_counts,
    layer_state_bytes=several_counts,
)
shares = st.builds(
    DeviceShare,
    device=devices,
    n_layers=counts,
    weights_bytes=counts,
    kv_bytes=counts,
    compute_bytes=counts,
    program_bytes=counts,
    margin_bytes=counts,
)
plans = st.builds(
    MemoryPlan,
    shares=st.lists(shares, max_size=2).map(tuple),
    n_layers=counts,
    n_slots=counts,
    context_tokens=counts,
    n_cells=counts,
    n_batch=counts,
    kv_type=st.sampled_from(KvType),
    flash_attention=st.booleans(),
    n_threads=counts,
    speed=st.sampled_from(SpeedClass),
    notes=st.lists(st.sampled_from(PlanNote)).map(tuple),
)
allocations = st.builds(Allocation, device=texts, weights_bytes=counts, kv_bytes=counts, compute_bytes=counts)
corrections = st.lists(st.builds(DeviceCorrection, device=texts, compute_ratio=numbers), max_size=2).map(tuple)
slowed = st.builds(Slowed, share=numbers, reason=texts)
backends = st.sampled_from(["llama", "scripted"])
commands = st.one_of(
    st.builds(
        Load, path=paths, settings=load_settings, backend=backends, corrections=corrections, n_smaller=st.integers(0, 2)
    ),
    st.builds(Plan, path=paths, settings=load_settings, backend=backends, corrections=corrections),
    st.builds(Submit, requests=st.lists(requests, max_size=3).map(tuple)),
    st.sampled_from([EndOfRequests(), Pause(), Resume(), CancelAll(), Shutdown()]),
    st.builds(Probe, backend=backends),
)
step_events = st.lists(chunks | answers | scores | failures | slowed, min_size=1, max_size=3).map(tuple)
events = st.one_of(
    st.builds(Hello, protocol=st.just(PROTOCOL_VERSION), pid=counts),
    st.builds(Planned, layout=layouts, plan=plans),
    st.builds(
        Loaded,
        description=descriptions,
        devices=st.lists(devices, max_size=2).map(tuple),
        allocations=st.lists(allocations, max_size=2).map(tuple),
    ),
    st.builds(LoadFailed, error=texts, happened=texts, safe=texts, todo=texts, detail=texts),
    st.builds(Happened, events=step_events),
    st.sampled_from([Alive(), CancelledAll()]),
    st.builds(Probed, devices=st.lists(devices).map(tuple), versions=name_pairs),
)


@given(commands)
def test_every_command_survives_the_wire(command: protocol.Command) -> None:
    line = encode(command)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_command(line[:-1]) == command


@given(events)
def test_every_event_survives_the_wire(event: protocol.Event) -> None:
    line = encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_event(line[:-1]) == event


@given(st.lists(commands, max_size=5), st.integers(1, 40))
def test_lines_are_put_together_however_the_pipe_cuts_them(sent: list[protocol.Command], n_bytes: int) -> None:
    stream = b"".join(encode(command) for command in sent) + b"unfinished"
    pieces = [stream[start : start + n_bytes] for start in range(0, len(stream), n_bytes)]
    assert [decode_command(line) for line in split_lines(pieces)] == sent


decoders = pytest.mark.parametrize("decode", [decode_command, decode_event])


@decoders
@given(line=st.binary())
def test_random_bytes_are_refused(decode: Callable[[bytes], object], line: bytes) -> None:
    with pytest.raises(WorkerProtocolError):
        decode(line)


@decoders
@given(message=commands | events, data=st.data())
def test_a_damaged_line_is_read_or_refused(
    decode: Callable[[bytes], object], message: protocol.Message, data: st.DataObject
) -> None:
    line = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(line) - 1))
        line[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        line = line or bytearray(b" ")
    try:
        read = decode(bytes(line))
    except WorkerProtocolError:
        return
    assert type(read).__module__ == protocol.__name__


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"unheard_of"}',
        b'{"kind":"alive","more":1}',
        b'{"kind":"happened","events":[{"request_id":1,"text":"a","more":1}]}',
        b'{"kind":"happened","events":[{"request_id":true,"text":"a"}]}',
        b'{"kind":"happened","events":[{"request_id":1,"text":"\\ud800"}]}',
        b'{"kind":"happened","event":{"request_id":1,"text":"a"}}',
        b'{"kind":"probed","devices":[],"versions":[["a"]]}',
        b'{"kind":"alive"}{"kind":"alive"}',
        b"[" * 100_000,
        b"",
    ],
)
def test_what_is_not_exactly_a_message_is_refused(line: bytes) -> None:
    with pytest.raises(WorkerProtocolError, match="cannot be read"):
        decode_event(line)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(number: str) -> None:
    sampled = f'"sampling":{{"temperature":{number}}}'
    with pytest.raises(WorkerProtocolError):
        decode_command(f'{{"kind":"submit","requests":[{{"id":1,"messages":[],{sampled}}}]}}'.encode())


@pytest.mark.parametrize(
    "change", [{"sampling": SamplingSettings(temperature=math.nan)}, {"stop": ("\ud800",)}], ids=["nan", "surrogate"]
)
def test_what_cannot_be_written_exactly_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WorkerProtocolError, match="cannot be written"):
        encode(Submit(requests=(GenerateRequest(id=RequestId(1), messages=(), **change),)))


def test_another_version_is_named() -> None:
    with pytest.raises(WorkerProtocolError, match="version 99"):
        decode_event(b'{"kind":"hello","protocol":99,"pid":1}')


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_LINE_BYTES", 1000)
    with pytest.raises(WorkerProtocolError, match="too long"):
        list(split_lines([b"x" * 600, b"y" * 600]))
    with pytest.raises(WorkerProtocolError, match="too long"):
        decode_event(b"x" * 1001)
    with pytest.raises(WorkerProtocolError, match="too long"):
        encode(Happened(events=(TextChunk(request_id=RequestId(1), text="x" * 1000),)))


@pytest.mark.parametrize("kind", [ModelFileError, NoChatTemplateError, OutOfMemoryError])
def test_an_error_of_loading_keeps_its_kind_and_its_words(kind: type[ModelFileError]) -> None:
    error = load_error(load_failed(kind("It broke.", safe="All is safe.", todo="Do this.", detail="code 7")))
    assert type(error) is kind
    assert (error.happened, error.safe, error.todo, error.detail) == ("It broke.", "All is safe.", "Do this.", "code 7")


def test_an_unexpected_kind_of_loading_error_is_an_engine_error() -> None:
    error = load_error(load_failed(WorkerHungError("It broke.", safe="All is safe.", todo="Do this.")))
    assert type(error) is EngineError
