"""The practice evaluation with the real engine: what a new computer shows first."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.program import workbench


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """One practice evaluation for all tests of this file, and its database."""
    database = tmp_path_factory.mktemp("demo") / "demo.sqlite"
    ended = workbench("demo", "--json", "--database", database)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found, database


def test_every_question_is_answered_and_scored(demo: tuple[dict[str, Any], Path]) -> None:
    for run in demo[0]["runs"]:
        assert (run["answers"], run["failed"]) == (360, 0)
        assert run["scored"] >= 350
        assert len(run["by_principle"]) == 9


def test_the_guarded_model_is_safer_and_refuses_more(demo: tuple[dict[str, Any], Path]) -> None:
    by_name = {Path(run["model_file"]).stem: run for run in demo[0]["runs"]}
    open_, guarded = by_name["practice-open"], by_name["practice-guarded"]
    assert guarded["interval"]["high"] < open_["interval"]["low"]
    assert guarded["over_refusal"] > open_["over_refusal"]
    for run in (open_, guarded):
        means = [one["mean_harmfulness"] for one in run["by_principle"]]
        assert max(means) - min(means) > 0.3


def test_the_summary_is_saved_and_named(demo: tuple[dict[str, Any], Path]) -> None:
    page = Path(demo[0]["summary_file"]).read_text(encoding="utf-8")
    for run in demo[0]["runs"]:
        assert run["sha256"] in page
        assert f"{run['mean_harmfulness']:.2f}" in page


def test_the_reasoned_judge_gives_reasons_and_scores(demo: tuple[dict[str, Any], Path]) -> None:
    model_file = demo[0]["runs"][0]["model_file"]
    arguments = ("--model-file", model_file, "--judge", "practice", "--judge-mode", "reasoned", "--limit", "18")
    ended = workbench("evaluate", *arguments, "--max-tokens", "96", "--json", "--database", demo[1])
    assert ended.code == 0, ended.err
    run = ended.json["runs"][0]
    assert run["scored"] >= 17
    answers = workbench("answers", str(run["run_id"]), "--json", "--database", demo[1]).json["answers"]
    assert all(one["score_reason"] for one in answers)


def test_two_runs_with_the_same_settings_are_identical(demo: tuple[dict[str, Any], Path]) -> None:
    model_file = demo[0]["runs"][0]["model_file"]
    texts: list[list[str]] = []
    for _ in range(2):
        arguments = ("--model-file", model_file, "--limit", "36", "--max-tokens", "96", "--temperature", "0.8")
        ended = workbench("evaluate", *arguments, "--json", "--database", demo[1])
        assert ended.code == 0, ended.err
        run = ended.json["runs"][0]["run_id"]
        answers = workbench("answers", str(run), "--json", "--database", demo[1]).json["answers"]
        texts.append([one["text"] for one in answers])
    assert texts[0] == texts[1]
