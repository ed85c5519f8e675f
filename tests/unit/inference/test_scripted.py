import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.asking import question, write_script
from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    ChatMessage,
    Device,
    FailureCode,
    FinishReason,
    LoadSettings,
    Request,
    RequestFailure,
    RequestId,
    SamplingSettings,
    ScoreReply,
    ScoreRequest,
    Slowed,
    TextChunk,
)
from workbench.errors import ModelFileError, OutOfMemoryError
from workbench.inference.backends import scripted
from workbench.inference.backends.base import BackendEvent
from workbench.inference.backends.script_file import PROCESSOR
from workbench.inference.backends.scripted import ScriptedBackend
from workbench.inference.memory_plan import make_plan


def opened(path: Path, n_slots: int = 4, written: bytearray | None = None) -> ScriptedBackend:
    sink = bytearray() if written is None else written
    settings = LoadSettings(n_slots=n_slots)
    plan = make_plan(scripted.layout(path), scripted.devices(path), settings, n_threads=1)
    return scripted.load(path, plan, sink.extend)


def events_of(backend: ScriptedBackend, *requests: Request) -> list[BackendEvent]:
    for request in requests:
        backend.submit(request)
    events: list[BackendEvent] = []
    while backend.has_work:
        events += backend.step()
    return events


def only_answer(backend: ScriptedBackend, request: Request) -> Answer:
    answer = events_of(backend, request)[-1]
    assert isinstance(answer, Answer)
    return answer


def scored(text: str, choices: tuple[str, ...] = (" 1", " 2", " 3", " 4", " 5"), **settings: Any) -> ScoreRequest:
    message = ChatMessage(role="user", content=text)
    return ScoreRequest(id=RequestId(0), messages=(message,), cue="Score:", choices=choices, **settings)


def test_the_first_matching_rule_answers(tmp_path: Path) -> None:
    rules = [{"contains": "forge", "answer": "No."}, {"contains": "forge a", "answer": "Never reached."}]
    backend = opened(write_script(tmp_path, name="Twin", rules=rules, default={"answer": "Ask a colleague."}))
    assert backend.description.name == "Twin"
    assert only_answer(backend, question(1, "forge a letter")).text == "No."
    assert only_answer(backend, question(2, "read a letter")).text == "Ask a colleague."


def test_an_answer_arrives_word_by_word_and_complete(tmp_path: Path) -> None:
    text = " One  two\nthree. "
    events = events_of(opened(write_script(tmp_path, default={"answer": text})), question(1))
    chunks = [event.text for event in events if isinstance(event, TextChunk)]
    assert chunks == [" ", "One  ", "two\n", "three. "]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.text, answer.raw, answer.n_tokens) == (text, text.encode(), 4)
    assert (answer.finish_reason, answer.flags) == (FinishReason.STOP, ())


def test_an_answer_is_cut_at_the_limit_and_says_so(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, default={"answer": "one two three"}))
    answer = only_answer(backend, question(1, max_tokens=2))
    assert answer.text == "one two "
    assert (answer.finish_reason, answer.flags) == (FinishReason.LENGTH, (AnswerFlag.TRUNCATED,))


def test_a_stop_text_ends_the_answer(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, default={"answer": "one END two STOP"}))
    assert only_answer(backend, question(1, stop=("STOP", "END"))).text == "one "


def test_an_empty_answer_says_so(tmp_path: Path) -> None:
    answer = only_answer(opened(write_script(tmp_path, default={"answer": ""})), question(1))
    assert (answer.text, answer.n_tokens, answer.flags) == ("", 0, (AnswerFlag.EMPTY,))


def test_the_prompt_hash_is_that_of_the_ids(tmp_path: Path) -> None:
    answer = only_answer(opened(write_script(tmp_path)), question(1, "é"))
    ids = answer.prompt.encode()
    assert answer.n_prompt_tokens == len(ids)
    assert answer.prompt_sha256 == hashlib.sha256(b"".join(bytes([one, 0, 0, 0]) for one in ids)).hexdigest()


def test_any_file_answers_repeatably_and_refuses_about_half(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    path.write_bytes(b"\x00\x01")
    first, second = ([only_answer(opened(path), question(n)).text for n in range(200)] for _ in range(2))
    assert first == second
    assert 70 < sum(text in scripted.REFUSALS for text in first) < 130


def test_the_seed_counts_only_when_sampling(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path))

    def answers(temperature: float) -> set[str]:
        settings = (SamplingSettings(temperature=temperature, seed=seed) for seed in range(30))
        return {only_answer(backend, question(1, sampling=sampling)).text for sampling in settings}

    assert len(answers(0.0)) == 1
    assert len(answers(1.0)) > 1


def test_no_more_requests_are_under_way_than_there_are_slots(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, default={"answer": "a b c"}), n_slots=2)
    for number in range(3):
        assert backend.wants_request == (number < 2)
        backend.submit(question(number))
    assert {event.request_id for event in backend.step() if isinstance(event, TextChunk)} == {0, 1}
    backend.cancel_all()
    assert not backend.has_work


@pytest.mark.parametrize("score", [1, 2, 3, 4, 5])
def test_a_rule_says_the_score(tmp_path: Path, score: int) -> None:
    reply = events_of(opened(write_script(tmp_path, default={"score": score})), scored("text"))[0]
    assert isinstance(reply, ScoreReply)
    assert reply.probabilities.index(max(reply.probabilities)) == score - 1
    assert sum(reply.probabilities) <= 1
    assert reply.reason == ""


def test_without_a_rule_the_score_follows_the_text(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path))
    for text, best in ((scripted.REFUSALS[0], 0), (scripted.COMPLIANCES[0], 4)):
        reply = events_of(backend, scored(f"Question and answer: {text}", reason_max_tokens=20))[0]
        assert isinstance(reply, ScoreReply)
        assert reply.probabilities.index(max(reply.probabilities)) == best
        assert reply.reason


def test_a_score_that_is_no_choice_is_a_failure(tmp_path: Path) -> None:
    reply = events_of(opened(write_script(tmp_path, default={"score": 5})), scored("text", choices=("A", "B")))[0]
    assert isinstance(reply, RequestFailure)
    assert reply.code is FailureCode.SCORE_TOKENS_UNUSABLE


def test_a_rule_counts_its_turns_across_lives(tmp_path: Path) -> None:
    rules = [{"contains": "x", "answer": "rule", "times": 2}]
    path = write_script(tmp_path, rules=rules, default={"answer": "default"})
    answers = [only_answer(opened(path), question(number, "x")).text for number in range(4)]
    assert answers == ["rule", "rule", "default", "default"]


def test_rubbish_is_really_written(tmp_path: Path) -> None:
    written = bytearray()
    path = write_script(tmp_path, rules=[{"action": "rubbish"}], default={"answer": "still here"})
    events_of(opened(path, written=written), question(1))
    assert written.endswith(b"\n")


def test_an_unexpected_error_is_really_raised(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, rules=[{"action": "raise"}]))
    with pytest.raises(RuntimeError, match="script"):
        events_of(backend, question(1))


def test_silence_never_ends_and_can_be_cancelled(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, rules=[{"action": "silent"}]))
    backend.submit(question(1))
    assert [backend.step() for _ in range(3)] == [[], [], []]
    backend.cancel_all()
    assert not backend.has_work


def test_a_pace_slows_the_answers(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, answers_per_second=100, default={"answer": "a b"}))
    durations = [
        event.duration_s for event in events_of(backend, *map(question, range(4))) if isinstance(event, Answer)
    ]
    assert sum(durations) / 4 >= 0.04


CARD = Device(name="CUDA0", description="Card", kind="gpu", free_bytes=8 * 1024**3, total_bytes=8 * 1024**3)
LAYOUT = {"n_layers": 4, "layer_bytes": 10_000_000, "layer_kv_values": 512, "n_parameters": 80_000_000}


def test_a_script_without_needs_is_loaded_alike_on_every_computer(tmp_path: Path) -> None:
    path = write_script(tmp_path)
    backend = opened(path)
    description = backend.description
    assert (description.device, description.n_layers, description.n_layers_offloaded) == ("CPU", 0, 0)
    assert (description.n_slots, description.context_tokens) == (4, LoadSettings().context_tokens)
    assert scripted.devices(path) == (PROCESSOR,)
    assert backend.allocations == ()


def test_a_script_pretends_to_lie_where_it_is_planned(tmp_path: Path) -> None:
    table = [asdict(CARD), asdict(PROCESSOR)]
    backend = opened(write_script(tmp_path, layout=LAYOUT, devices=table))
    assert (backend.description.device, backend.description.n_layers_offloaded) == ("CUDA0", 5)
    card, processor = backend.allocations
    assert (card.device, processor.device) == ("CUDA0", "CPU")
    assert card.weights_bytes == 40_000_000
    assert card.kv_bytes > 0


def test_loading_fails_for_memory_as_often_as_the_script_says(tmp_path: Path) -> None:
    path = write_script(tmp_path, load_failures=2)
    for _ in range(2):
        with pytest.raises(OutOfMemoryError):
            opened(path)
    assert opened(path).description.name == "Script"


def test_a_script_says_when_the_computer_is_slow(tmp_path: Path) -> None:
    backend = opened(write_script(tmp_path, slow=[2, 3], default={"answer": "a"}), n_slots=1)
    events = [event for event in events_of(backend, *map(question, range(4))) if not isinstance(event, TextChunk)]
    assert [isinstance(event, Slowed) for event in events] == [False, False, True, False, True, False]
    begun, over = [event for event in events if isinstance(event, Slowed)]
    assert begun.share < 1 <= over.share
    assert begun.reason
    assert over.reason == ""


_ONLY_A_CARD = '{"devices": [{"name": "CUDA0", "description": "", "kind": "gpu", "free_bytes": 1, "total_bytes": 1}]}'


@pytest.mark.parametrize(
    "content",
    [
        '{"rules": [{"score": 6}]}',
        '{"rule": []}',
        "{",
        '{"answers_per_second": 0}',
        '{"devices": []}',
        _ONLY_A_CARD,
        '{"layout": {"n_layers": 1000000000}}',
    ],
)
def test_a_wrong_script_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wrong.script.json"
    path.write_text(content, "utf-8")
    with pytest.raises(ModelFileError, match=r"wrong\.script\.json"):
        opened(path)


def test_a_missing_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        opened(tmp_path / "missing.script.json")
