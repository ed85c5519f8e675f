import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import a_response, a_run
from workbench import paths
from workbench.domain.questions import Principle
from workbench.errors import StorageError
from workbench.reports.html_summary import HtmlSummary, _colour, _ink
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
