"""Rubrics and presets have the agreed fields, and their texts fit the protocol."""

import json
import string
import tomllib
from pathlib import Path
from typing import TypedDict, cast

import pytest

RESOURCES_DIR = Path(__file__).resolve().parents[3] / "resources"
RUBRIC_FILES = sorted((RESOURCES_DIR / "rubrics").glob("*.toml"))
PRESET_FILES = sorted((RESOURCES_DIR / "presets").glob("*.toml"))
RUBRIC_KEYS = {
    "name",
    "version",
    "title",
    "source",
    "score_cue",
    "reason_cue",
    "max_reason_tokens",
    "harmful",
    "benign",
}
PRESET_KEYS = {
    "name",
    "version",
    "title",
    "description",
    "system_prompt",
    "temperature",
    "top_p",
    "max_tokens",
    "samples",
    "seed",
}


class Section(TypedDict):
    """Prompt texts for one kind of question."""

    system: str
    shared: str
    item: str


class Rubric(TypedDict):
    """Content of one rubric file."""

    name: str
    version: int
    title: str
    source: str
    score_cue: str
    reason_cue: str
    max_reason_tokens: int
    harmful: Section
    benign: Section


class Preset(TypedDict):
    """Content of one preset file."""

    name: str
    version: int
    title: str
    description: str
    system_prompt: str
    temperature: float
    top_p: float
    max_tokens: int
    samples: int
    seed: int


def _rubric(stem: str) -> Rubric:
    text = (RESOURCES_DIR / "rubrics" / f"{stem}.toml").read_text(encoding="utf-8")
    return cast(Rubric, tomllib.loads(text))


def _preset(stem: str) -> Preset:
    text = (RESOURCES_DIR / "presets" / f"{stem}.toml").read_text(encoding="utf-8")
    return cast(Preset, tomllib.loads(text))


def _placeholders(text: str) -> list[str]:
    return [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]


def test_expected_files_are_shipped() -> None:
    assert [path.stem for path in RUBRIC_FILES] == ["medical-harm-1", "practice-1"]
    assert [path.stem for path in PRESET_FILES] == ["clinical-assistant", "no-system-prompt", "paper-protocol"]


@pytest.mark.parametrize("stem", [path.stem for path in RUBRIC_FILES])
def test_rubric_has_the_agreed_fields(stem: str) -> None:
    rubric = _rubric(stem)
    assert set(rubric) == RUBRIC_KEYS
    assert f"{rubric['name']}-{rubric['version']}" == stem
    assert rubric["score_cue"] == "#score:"
    assert rubric["reason_cue"] == "#reason:"
    assert rubric["max_reason_tokens"] > 0
    assert "\n" not in rubric["title"]
    assert "2403.03744" in rubric["source"]
    assert "CC BY 4.0" in rubric["source"]


@pytest.mark.parametrize("stem", [path.stem for path in RUBRIC_FILES])
def test_rubric_placeholders_stand_in_the_item_only(stem: str) -> None:
    rubric = _rubric(stem)
    for section in (rubric["harmful"], rubric["benign"]):
        assert set(section) == {"system", "shared", "item"}
        assert _placeholders(section["item"]) == ["question", "answer"]
        assert not set("{}") & set(section["system"] + section["shared"])


@pytest.mark.parametrize("stem", [path.stem for path in RUBRIC_FILES])
def test_rubric_explains_all_five_steps(stem: str) -> None:
    rubric = _rubric(stem)
    for section in (rubric["harmful"], rubric["benign"]):
        assert all(str(step) in section["shared"] for step in range(1, 6))


def test_medical_policy_names_all_nine_principles() -> None:
    principles = json.loads((RESOURCES_DIR / "questions" / "principles.json").read_text(encoding="utf-8"))
    policy = _rubric("medical-harm-1")["harmful"]["shared"]
    for principle in principles:
        assert f"{principle['number']}. {principle['name']}." in policy


def test_medical_rubric_guards_its_material_and_asks_for_reason_then_score() -> None:
    rubric = _rubric("medical-harm-1")
    for section in (rubric["harmful"], rubric["benign"]):
        assert section["item"].index("{question}") < section["item"].index("{answer}")
        assert section["item"].count("<<<") == 4
        assert "never an instruction" in section["shared"]
        output = section["shared"].partition("OUTPUT")[2]
        assert 0 < output.index(rubric["reason_cue"]) < output.index(rubric["score_cue"])


def test_practice_rubric_fits_a_small_context() -> None:
    rubric = _rubric("practice-1")
    assert rubric["max_reason_tokens"] <= 40
    assert len(rubric["harmful"]["shared"].split()) <= 25
    assert len(rubric["benign"]["shared"].split()) <= 20
    for section in (rubric["harmful"], rubric["benign"]):
        assert section["system"] == ""
        assert section["item"] == "Question: {question}\nAnswer: {answer}\n"


@pytest.mark.parametrize("stem", [path.stem for path in PRESET_FILES])
def test_preset_is_the_greedy_protocol(stem: str) -> None:
    preset = _preset(stem)
    assert set(preset) == PRESET_KEYS
    assert preset["name"] == stem
    assert preset["title"]
    assert preset["description"]
    assert (preset["temperature"], preset["top_p"], preset["max_tokens"], preset["samples"]) == (0.0, 1.0, 512, 1)


def test_presets_differ_in_their_system_prompts() -> None:
    safety = _preset("paper-protocol")["system_prompt"]
    neutral = _preset("clinical-assistant")["system_prompt"]
    assert _preset("no-system-prompt")["system_prompt"] == ""
    assert "unethical" in safety
    assert "unethical" not in neutral
    assert all(prompt == prompt.strip() and "\n" not in prompt for prompt in (safety, neutral))


@pytest.mark.parametrize("folder", ["questions", "rubrics", "presets"])
def test_every_folder_states_author_licence_and_use(folder: str) -> None:
    source = (RESOURCES_DIR / folder / "SOURCE.md").read_text(encoding="utf-8")
    assert all(part in source for part in ("**Author:**", "CC BY 4.0", "**Use:**", "**Not:**"))
