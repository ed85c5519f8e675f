"""What the benchmarks themselves must get right; the measurements are not tests."""

from pathlib import Path

import pytest

from tests.benchmarks import peers, random_llm
from tests.benchmarks.ceiling import least_s
from tests.benchmarks.figure import Comparison, Figure
from tests.benchmarks.peer_processes import BatchedBench
from tests.benchmarks.peers import PeerMissingError
from tests.benchmarks.random_vocabulary import SIZE, random_vocabulary
from tests.benchmarks.workload import Job, n_shared_tokens, questions, system_prompt

COMPARISON = Comparison(name="ours_vs_theirs", goal=1.5)


def test_median_of_the_rounds_counts() -> None:
    figure = COMPARISON.figure([1.6, 9.0, 1.4], threads=2)
    assert figure.value == 1.6
    assert figure.reached is True
    assert figure.details == {"ratios": [1.6, 9.0, 1.4], "threads": 2}


def test_a_figure_below_its_goal_is_missed() -> None:
    assert COMPARISON.figure([1.49]).reached is False


def test_what_was_not_measured_is_never_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    with pytest.raises(PeerMissingError) as missing:
        peers.program("llama-server")
    figure = COMPARISON.not_measured(missing.value)
    document = figure.as_json()
    assert document["value"] is None
    assert document["reached"] is None
    assert document["details"] == {"not_measured": "llama-server is not there; run: make peers"}


def test_a_goal_below_is_not_reached_by_the_goal_itself() -> None:
    figure = Figure(name="gap", value=100.0, unit="milliseconds", comparison="below", goal=100.0)
    assert figure.reached is False


def test_least_time_reads_the_shared_beginning_once() -> None:
    job = Job(n_requests=4, n_tokens=400, n_prompt_tokens=4 * 130, duration_s=9.0)
    bench = BatchedBench(prompt_tokens_per_second=110.0, new_tokens_per_second=200.0)
    assert least_s(job, n_shared=100, bench=bench) == pytest.approx((100 + 4 * 30) / 110 + 400 / 200)


def test_peers_are_built_from_the_locked_source() -> None:
    version, requirement = peers.locked_binding()
    assert requirement.startswith(f"llama-cpp-python=={version} ")
    assert "--hash=sha256:" in requirement


def test_vocabulary_has_its_size_and_words_of_letters_only() -> None:
    vocabulary = random_vocabulary()
    assert len(set(vocabulary.tokens)) == SIZE
    assert all(vocabulary.tokens[token].lstrip("Ġ").isalpha() for token in vocabulary.learned)


@pytest.mark.parametrize("quantisation", ["q4_k_m", "q8_0"])
def test_random_files_have_the_lengths_they_promise(
    quantisation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_llm, "FOLDER", tmp_path)
    monkeypatch.setitem(random_llm.SHAPES, "tiny", random_llm.Shape(256, 256, 2))
    path = random_llm.random_llm(f"tiny-{quantisation}")
    assert 100 < n_shared_tokens(path) < 130
    assert len(questions(64)) == 64
    assert system_prompt().endswith("answering it")
