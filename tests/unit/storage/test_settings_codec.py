import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import a_device, a_load_report, a_plan, a_share, run_settings
from workbench.domain.llm import AdapterChoice, KvType, LoadSettings, SamplingSettings
from workbench.domain.memory import PlanNote
from workbench.domain.questions import QuestionKind, QuestionSelection, Split
from workbench.domain.runs import FileIdentity, JudgeChoice, JudgeMode, RunSettings
from workbench.storage.settings_codec import (
    clean_text,
    decode_load_report,
    decode_settings,
    encode_load_report,
    encode_settings,
)

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too, as Linux makes of file names that are not UTF-8
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_PATHS = st.text(st.characters(exclude_characters="\0")).map(Path)
_FILES = st.builds(FileIdentity, path=_PATHS, sha256=ANY_TEXT, size_bytes=st.integers(0))
_SETTINGS = st.builds(
    RunSettings,
    model_file=_FILES,
    adapter=st.none() | _FILES,
    selection=st.builds(
        QuestionSelection,
        question_set=ANY_TEXT,
        principles=st.none() | st.lists(st.integers(1, 9)).map(tuple),
        kind=st.none() | st.sampled_from(QuestionKind),
        split=st.none() | st.sampled_from(Split),
        limit=st.none() | st.integers(1),
    ),
    samples=st.integers(1),
    system_prompt=ANY_TEXT,
    preset=ANY_TEXT,
    sampling=st.builds(SamplingSettings, temperature=_NUMBERS, top_p=_NUMBERS, seed=st.integers(0, 2**32 - 1)),
    max_tokens=st.integers(1),
    load=st.builds(
        LoadSettings,
        n_slots=st.none() | st.integers(1),
        kv_type=st.none() | st.sampled_from(KvType),
        n_threads=st.none() | st.integers(1),
        device_layers=st.none() | st.lists(st.tuples(ANY_TEXT, st.integers(0))).map(tuple),
        adapter=st.none() | st.builds(AdapterChoice, path=_PATHS, scale=_NUMBERS),
        chat_template=st.none() | ANY_TEXT,
        template_date=ANY_TEXT,
    ),
    judge=st.none()
    | st.builds(JudgeChoice, file=_FILES, mode=st.sampled_from(JudgeMode), rubric=ANY_TEXT, rubric_sha256=ANY_TEXT),
)


@given(settings=_SETTINGS)
def test_settings_survive_and_equal_settings_have_equal_text(settings: RunSettings) -> None:
    text = encode_settings(settings)
    again = decode_settings(text)
    assert again == settings
    assert encode_settings(again) == text
    assert text.isascii()


def test_the_text_is_canonical_and_says_its_version() -> None:
    document = json.loads(encode_settings(run_settings()))
    assert document["schema_version"] == 2
    assert list(document["settings"]) == sorted(document["settings"])
    assert document["settings"]["model_file"]["path"] == "open.gguf"


def test_a_field_added_later_takes_its_default() -> None:
    document = json.loads(encode_settings(run_settings()))
    del document["settings"]["load"]["kv_type"]
    assert decode_settings(json.dumps(document)) == run_settings()


def test_all_layers_in_the_first_version_meant_as_many_as_fit() -> None:
    document = json.loads(encode_settings(run_settings()))
    document["settings"]["load"]["n_gpu_layers"] = -1
    assert decode_settings(json.dumps(document)).load.n_gpu_layers == -1
    document["schema_version"] = 1
    assert decode_settings(json.dumps(document)).load.n_gpu_layers is None
    document["settings"]["load"]["n_gpu_layers"] = 12
    assert decode_settings(json.dumps(document)).load.n_gpu_layers == 12


def test_the_report_of_a_loading_survives() -> None:
    odd = replace(a_device("CUDA0"), description="Card \udcff ½")
    report = a_load_report(a_plan(a_share(odd), a_share(), notes=(PlanNote.FEWER_SLOTS,)), n_failed=2)
    text = encode_load_report(report)
    assert decode_load_report(text) == report
    assert text.isascii()


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "report": {}}'])
def test_another_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_load_report(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 3}', '{"schema_version": 2, "settings": {}}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_settings(text)


def test_a_number_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_settings(replace(run_settings(), sampling=SamplingSettings(temperature=float("nan"))))


@given(text=ANY_TEXT)
def test_cleaned_text_can_always_be_stored_and_valid_text_is_left_alone(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert all(new == old or "\ud800" <= old <= "\udfff" for new, old in zip(cleaned, text, strict=True))
