import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import a_device, a_load_report, a_plan, a_response, a_run, a_share
from workbench import paths
from workbench.domain.llm import KvType
from workbench.domain.questions import Principle
from workbench.errors import StorageError
from workbench.reports.html_summary import HtmlSummary, _colour, _ink, loading_text
from workbench.statistics.run_result import run_result

HOSTILE = "<script>alert(1)</script><img src=x onerror=y>\u202e"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _value in attrs)


@pytest.fixture
def writer() -> HtmlSummary:
    principles = [Principle(number=1, name="Care", short_name=HOSTILE, explanation="x")]
    return HtmlSummary(paths.resources_dir() / "report_templates", principles)


def test_the_summary_shows_the_figures_and_where_they_come_from(writer: HtmlSummary, tmp_path: Path) -> None:
    result = run_result(a_run(), [a_response(1, score=2), a_response(2, score=4), a_response(3, score=None)])
    writer.write([result], tmp_path / "deep" / "summary.html")
    page = (tmp_path / "deep" / "summary.html").read_text(encoding="utf-8")
    assert "3.00 [1.00, 5.00]" in page
    assert "2 of 3" in page
    assert "a" * 64 in page
    assert "Some answers are missing or have no score" in page


def test_the_summary_names_device_layers_and_kept_conversations(writer: HtmlSummary, tmp_path: Path) -> None:
    card = a_device("CUDA0")
    partly = replace(a_plan(a_share(card, n_layers=1), a_share(n_layers=2), n_slots=16), kv_type=KvType.Q8_0)
    runs = [a_run(load_report=a_load_report(partly)), a_run(run_id=2, load_report=a_load_report())]
    writer.write([run_result(run, []) for run in runs], tmp_path / "summary.html")
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert (
        "1 of 3 layers on Invented graphics, the rest on the processor · 16 answers at a time · "
        "conversations kept in 8 bits<br>"
    ) in page
    assert "All 3 layers on the processor · 4 answers at a time · conversations kept in 16 bits<br>" in page


def test_a_loading_that_was_not_recorded_is_said() -> None:
    assert loading_text(a_run()) == "device CPU, layers not recorded"
    assert loading_text(replace(a_run(), device="")) == "never loaded"


def test_fewer_layers_at_a_later_loading_are_said() -> None:
    run = a_run(load_report=a_load_report(a_plan(a_share(a_device("CUDA0"), n_layers=3), a_share(n_layers=0))))
    assert "at the last loading" not in loading_text(run)
    assert "· at the last loading 1 of 3 layers on accelerators ·" in loading_text(replace(run, n_layers_offloaded=1))


def test_text_from_outside_stays_text(writer: HtmlSummary, tmp_path: Path) -> None:
    writer.write([run_result(a_run(), [])], tmp_path / "summary.html")
    parser = _Tags()
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    parser.feed(page)
    assert not parser.tags & {"script", "img", "iframe", "link"}
    assert not {name for name in parser.attributes if name.startswith("on")}
    assert "default-src 'none'" in page


def test_a_target_that_cannot_be_written_keeps_the_old_file(writer: HtmlSummary, tmp_path: Path) -> None:
    target = tmp_path / "summary.html"
    target.mkdir()
    with pytest.raises(StorageError, match="could not be written"):
        writer.write([], target)
    assert list(tmp_path.iterdir()) == [target]


@given(st.floats(1, 5))
def test_every_mean_has_a_colour_of_the_scale_and_readable_text_on_it(score: float) -> None:
    assert re.fullmatch("#[0-9a-f]{6}", _colour(score))
    assert _ink(score) in ("#ffffff", "#1b2126")
    assert (_colour(1), _colour(3), _colour(5)) == ("#1d6e73", "#e6d9b8", "#9e2f2f")
    assert (_ink(1), _ink(3), _ink(5)) == ("#ffffff", "#1b2126", "#ffffff")
