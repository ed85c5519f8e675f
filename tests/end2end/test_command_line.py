"""The command line as a person or a program uses it, with scripted answers."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.program import PROGRAM, ROOT, a_script, started, wait_for_line, workbench

RUN_KEYS = {
    "run_id",
    "model_file",
    "sha256",
    "answers",
    "scored",
    "unscored",
    "failed",
    "mean_harmfulness",
    "interval",
    "share_scored_5",
    "by_principle",
    "over_refusal",
    "tokens_per_second",
    "flags",
}
ANSWER_KEYS = {"question_id", "sample", "kind", "principle", "question", "text", "score", "score_reason", "flags"}


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    return a_script(tmp_path)


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    return a_script(tmp_path, "judge", default={"score": 4})


def evaluate(*arguments: str | Path) -> Any:
    ended = workbench("evaluate", "--json", *arguments)
    assert ended.code == 0, ended.err
    return ended.json["runs"]


def answers(run: int) -> list[dict[str, Any]]:
    ended = workbench("answers", str(run), "--json")
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = ended.json["answers"]
    return found


def test_an_evaluation_ends_in_figures(llm: Path, judge: Path) -> None:
    (run,) = evaluate("--model-file", llm, "--judge", judge, "--questions", "starter", "--limit", "18")
    assert run.keys() >= RUN_KEYS
    assert (run["answers"], run["scored"], run["unscored"], run["failed"]) == (18, 18, 0, 0)
    assert run["mean_harmfulness"] == 4
    assert run["over_refusal"] == 0
    assert run["interval"]["low"] <= 4 <= run["interval"]["high"]
    assert [one["principle"] for one in run["by_principle"]] == list(range(1, 10))
    found = answers(run["run_id"])
    assert len(found) == 18
    assert all(one.keys() >= ANSWER_KEYS for one in found)
    assert {one["score"] for one in found} == {4}


def test_results_and_answers_are_shown_as_text_too(llm: Path, judge: Path) -> None:
    evaluate("--model-file", llm, "--judge", judge, "--limit", "18")
    shown = workbench("results")
    assert "4.00 [" in shown.out
    assert "9 of 9" not in shown.err
    listed = workbench("answers", "1")
    assert listed.code == 0
    assert "score 4" in listed.out


def test_several_files_become_several_runs_and_narrow_selections_are_kept(llm: Path, tmp_path: Path) -> None:
    other = a_script(tmp_path, "other")
    runs = evaluate(
        "--model-file", llm, "--model-file", other, "--principle", "4", "--kind", "harmful", "--samples", "2"
    )
    assert [run["answers"] for run in runs] == [40, 40]
    assert [run["scored"] for run in runs] == [0, 0]
    assert runs[0]["mean_harmfulness"] is None
    found = answers(runs[0]["run_id"])
    assert {(one["principle"], one["kind"], one["score"]) for one in found} == {(4, "harmful", None)}
    assert Counter(one["sample"] for one in found) == {0: 20, 1: 20}


def test_two_runs_with_the_same_settings_give_the_same_answers(llm: Path, judge: Path) -> None:
    for _ in range(2):
        evaluate("--model-file", llm, "--judge", judge, "--limit", "30")
    assert answers(1) == answers(2)


def exactly_once(run: int, expected: int) -> None:
    found = answers(run)
    assert len(found) == expected
    assert set(Counter((one["question_id"], one["sample"]) for one in found).values()) == {1}
    assert all(one["score"] is not None for one in found)


def test_killing_the_program_loses_nothing_and_resume_asks_only_the_rest(tmp_path: Path, judge: Path) -> None:
    slow = a_script(tmp_path, "slow", answers_per_second=60)
    running = started("evaluate", "--model-file", slow, "--judge", judge, "--limit", "60")
    with running:
        wait_for_line(running.stderr, "answering: 15 of 60")
        workers = psutil.Process(running.pid).children()
        running.kill()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    stored = answers(1)
    assert 15 <= len(stored) < 60
    resumed = workbench("evaluate", "--resume", "1", "--json")
    assert resumed.code == 0, resumed.err
    assert "Loaded slow" in resumed.err
    assert "chosen by hand" not in resumed.err
    exactly_once(1, 60)


@pytest.mark.parametrize("role", ["answering", "judging"])
def test_killing_the_worker_does_not_end_the_run(tmp_path: Path, role: str) -> None:
    paces = {"answering": 60.0, "judging": 60.0, role: 30.0}
    llm = a_script(tmp_path, "llm", answers_per_second=paces["answering"])
    judge = a_script(tmp_path, "judge", answers_per_second=paces["judging"], default={"score": 4})
    running = started("evaluate", "--model-file", llm, "--judge", judge, "--limit", "60")
    with running:
        wait_for_line(running.stderr, f"{role}: 15 of 60")
        for worker in psutil.Process(running.pid).children():
            worker.kill()
        wait_for_line(running.stderr, "The worker was restarted")
        assert running.stderr is not None
        rest = running.stderr.read()
        assert running.wait() == 0, rest
    exactly_once(1, 60)


def test_an_answer_that_kills_the_worker_is_recorded_as_failed(tmp_path: Path, judge: Path) -> None:
    deadly = a_script(tmp_path, "deadly", rules=[{"contains": "hernia list", "action": "crash"}])
    ended = workbench("evaluate", "--model-file", deadly, "--judge", judge, "--json")
    run = ended.json["runs"][0]
    assert (run["answers"], run["failed"]) == (358, 2)
    failed = [one for one in answers(1) if one["failure"] is not None]
    assert {one["failure"] for one in failed} == {"worker_killed_repeatedly"}
    assert all("hernia list" in one["question"] for one in failed)


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a console, not to a process")
def test_ctrl_c_stops_in_order_and_names_the_way_on(tmp_path: Path, judge: Path) -> None:
    slow = a_script(tmp_path, "slow", answers_per_second=60)
    running = started("evaluate", "--model-file", slow, "--judge", judge, "--limit", "60")
    with running:
        wait_for_line(running.stderr, "answering: 15 of 60")
        running.send_signal(signal.SIGINT)
        wait_for_line(running.stderr, "workbench evaluate --resume 1")
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
        assert running.wait() == 130
    assert workbench("evaluate", "--resume", "1").code == 0
    exactly_once(1, 60)


def test_a_resume_under_other_conditions_is_refused(llm: Path, judge: Path, tmp_path: Path) -> None:
    evaluate("--model-file", llm, "--judge", judge, "--limit", "4")
    refused = workbench("evaluate", "--resume", "1", "--max-tokens", "7")
    assert refused.code == 1
    assert "max_tokens was 512, now 7" in refused.err
    llm.write_text('{"name": "changed"}', encoding="utf-8")
    assert "has other content" in workbench("evaluate", "--resume", "1").err
    assert "There is no run 9" in workbench("evaluate", "--resume", "9").err
    assert workbench("evaluate", "--resume", "1", "--adapter", tmp_path / "none.gguf").code == 1


def clear_refusal(code: int, words: str, *arguments: str | Path) -> None:
    ended = workbench(*arguments)
    assert ended.code == code, ended.err
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_files_that_are_no_model_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "random.gguf").write_bytes(os.urandom(4096))
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    for name, words in {
        "missing.gguf": "does not exist",
        "empty.gguf": "is empty",
        "random.gguf": "not a GGUF",
        "cut.gguf": "cut.gguf",
        "a" * 300: "aaa",  # longer than file systems allow
        os.devnull: "a device or a pipe",
    }.items():
        ended = workbench("evaluate", "--model-file", tmp_path / name, "--limit", "2")
        assert ended.code == 1
        assert words in ended.err
        assert "Traceback" not in ended.err
    clear_refusal(1, "is a folder", "evaluate", "--model-file", tmp_path)


def test_wrong_use_is_named(llm: Path) -> None:
    clear_refusal(2, "No model file was given", "evaluate")
    clear_refusal(2, "no question set called", "evaluate", "--model-file", llm, "--questions", "nowhere")
    clear_refusal(2, "no rubric called", "evaluate", "--model-file", llm, "--judge", llm, "--rubric", "none-9")
    clear_refusal(2, "no protocol preset called", "evaluate", "--model-file", llm, "--system-prompt", "nothing")
    clear_refusal(2, "cannot be read", "evaluate", "--model-file", llm, "--system-prompt", "@/no/such/file")
    clear_refusal(2, "There is no run 3", "answers", "3")
    assert workbench("evaluate", "--principle", "12").code == 2
    assert workbench("nonsense").code == 2


def test_numbers_that_are_none_are_refused(llm: Path) -> None:
    assert workbench("evaluate", "--model-file", llm, "--adapter", f"{llm}:nan").code == 2
    assert workbench("evaluate", "--model-file", llm, "--temperature", "nan").code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_result_that_cannot_be_written_is_said_and_not_lost(llm: Path) -> None:
    evaluate("--model-file", llm, "--limit", "2")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, "results", "--json"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 1
    assert b"could not be written" in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a console, not to a process")
def test_ctrl_c_reaches_only_the_program_even_while_a_worker_starts(llm: Path, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to the whole process group."""
    with subprocess.Popen(
        [*PROGRAM, "evaluate", "--model-file", llm, "--judge", llm, "--database", tmp_path / "a b.sqlite"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        process_group=0,
    ) as running:
        wait_for_line(running.stderr, "Loading llm.script.json")
        os.killpg(running.pid, signal.SIGINT)
        assert running.stderr is not None
        rest = running.stderr.read()
        assert running.wait() == 130, rest
    assert "Traceback" not in rest
    assert f'--resume 1 --database "{tmp_path / "a b.sqlite"}"' in rest


def test_databases_that_cannot_be_used_are_refused(llm: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.sqlite"
    rubbish.write_bytes(b"This is no database at all. " * 400)
    clear_refusal(1, "rubbish.sqlite", "results", "--database", rubbish)
    assert rubbish.read_bytes().startswith(b"This is no database")

    newer = tmp_path / "newer.sqlite"
    assert workbench("results", "--database", newer).code == 0
    with contextlib.closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("PRAGMA user_version = 999")
    clear_refusal(1, "newer", "results", "--database", newer)

    held = tmp_path / "held.sqlite"
    assert workbench("results", "--database", held).code == 0
    with contextlib.closing(sqlite3.connect(held)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        clear_refusal(1, "open in another program", "evaluate", "--model-file", llm, "--database", held)
    clear_refusal(1, "is not a file", "results", "--database", tmp_path)


def test_the_database_may_be_named_before_the_command(tmp_path: Path) -> None:
    assert workbench("--database", tmp_path / "a.sqlite", "results").code == 0
    assert (tmp_path / "a.sqlite").exists()


def test_without_a_display_the_command_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    clear_refusal(1, "workbench evaluate")


def test_the_doctor_finds_a_working_installation() -> None:
    ended = workbench("doctor", "--json")
    assert ended.code == 0, ended.out
    found = ended.json
    assert found["ok"] is True
    assert found["devices"][0]["kind"] == "cpu"
    assert found["versions"]["sqlite"]
    assert {check["name"] for check in found["checks"]} >= {"window", "database", "practice models", "engine"}


GIB = 1024**3
LAYOUT = {"n_layers": 32, "layer_bytes": 136_000_000, "layer_kv_values": 2048, "output_bytes": 430_000_000}


def device(name: str, free_gib: float) -> dict[str, Any]:
    free_bytes = int(free_gib * GIB)
    kind = "cpu" if name == "CPU" else "gpu"
    description = "A processor" if name == "CPU" else "A graphics card"
    return {"name": name, "description": description, "kind": kind, "free_bytes": free_bytes, "total_bytes": free_bytes}


def test_a_plan_is_a_sum_by_device_in_bytes(tmp_path: Path) -> None:
    path = a_script(tmp_path, "large", layout=LAYOUT, devices=[device("CUDA0", 24), device("CPU", 32)])
    ended = workbench("models", "plan", path, "--slots", "4", "--context", "1024", "--json")
    assert ended.code == 0, ended.err
    plan = ended.json
    assert (plan["fits"], plan["n_layers"], plan["n_layers_offloaded"]) == (True, 33, 33)
    assert (plan["slots"], plan["context_tokens"], plan["kv_type"]) == (4, 1024, "f16")
    assert [share["name"] for share in plan["devices"]] == ["CUDA0", "CPU"]
    parts = ("weights_bytes", "kv_bytes", "compute_bytes", "program_bytes", "margin_bytes")
    for share in plan["devices"]:
        assert share["sum_bytes"] == sum(share[part] for part in parts) <= share["free_bytes"]
    assert sum(share["weights_bytes"] for share in plan["devices"]) == plan["weights_bytes"]


def test_a_plan_is_shown_in_words_too(tmp_path: Path) -> None:
    path = a_script(tmp_path, "large", layout=LAYOUT, devices=[device("CUDA0", 24), device("CPU", 32)])
    ended = workbench("models", "plan", path)
    assert ended.code == 0, ended.err
    for words in ("CUDA0: A graphics card", "Processor", "Kept free", "All 33 layers on A graphics card", "It fits."):
        assert words in ended.out


def test_a_plan_that_does_not_fit_says_so_and_fails(tmp_path: Path) -> None:
    path = a_script(tmp_path, "large", layout=LAYOUT, devices=[device("CPU", 2)])
    ended = workbench("models", "plan", path)
    assert ended.code == 1
    assert "It does not fit." in ended.out
    assert "larger than the memory that is free" in ended.out
    as_json = workbench("models", "plan", path, "--json")
    assert as_json.code == 1
    assert as_json.json["fits"] is False
    assert "does_not_fit" in as_json.json["notes"]


def test_a_plan_can_be_changed_by_hand(tmp_path: Path) -> None:
    path = a_script(tmp_path, "large", layout=LAYOUT, devices=[device("CUDA0", 24), device("CPU", 32)])
    plan = workbench("models", "plan", path, "--gpu-layers", "10", "--kv-type", "q8_0", "--json").json
    assert (plan["n_layers_offloaded"], plan["kv_type"]) == (10, "q8_0")
    assert "overridden" in plan["notes"]


def test_what_cannot_be_planned_is_refused(tmp_path: Path) -> None:
    (tmp_path / "random.gguf").write_bytes(os.urandom(4096))
    (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    clear_refusal(1, "does not exist", "models", "plan", tmp_path / "missing.gguf")
    clear_refusal(1, "not a GGUF", "models", "plan", tmp_path / "random.gguf")
    clear_refusal(1, "not complete", "models", "plan", tmp_path / "cut.gguf")


def test_a_plan_does_without_a_database_that_is_in_use(llm: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.sqlite"
    assert workbench("results", "--database", held).code == 0
    with contextlib.closing(sqlite3.connect(held)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        ended = workbench("models", "plan", llm, "--database", held)
    assert ended.code == 0
    assert "without what earlier loadings taught" in ended.err


def test_the_run_names_device_layers_and_failed_loadings(tmp_path: Path) -> None:
    devices = [device("CUDA0", 24), device("CPU", 32)]
    path = a_script(tmp_path, "fallible", layout=LAYOUT, devices=devices, load_failures=1, slow=[3, 8])
    ended = workbench("evaluate", "--model-file", path, "--limit", "12", "--kv-type", "q8_0", "--json")
    assert ended.code == 0, ended.err
    (run,) = ended.json["runs"]
    assert (run["device"], run["n_layers"], run["n_layers_offloaded"], run["kv_type"]) == ("CUDA0", 33, 33, "q8_0")
    (attempt,) = run["failed_load_attempts"]
    assert attempt["slots"] > run["slots"]
    assert f"did not fit on CUDA0, 33 of 33 layers, {attempt['slots']} answers at a time" in ended.err
    assert f"Loaded fallible on CUDA0, 33 of 33 layers, {run['slots']} answer" in ended.err
    assert "A part of this was chosen by hand." in ended.err
    assert ended.err.index("Slower than usual") < ended.err.index("Back to the usual speed")
    again = workbench("results", "--json").json["runs"][0]
    assert again["failed_load_attempts"] == run["failed_load_attempts"]


def test_a_resume_keeps_how_conversations_are_kept(llm: Path) -> None:
    evaluate("--model-file", llm, "--limit", "2", "--kv-type", "q8_0")
    refused = workbench("evaluate", "--resume", "1", "--kv-type", "f16")
    assert refused.code == 1
    assert "kept conversations was q8_0, now f16" in refused.err
