"""The charts of the Results page: places of marks and names, clicks and keys, words, looks, files."""

import csv
import io
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from pytestqt.qtbot import QtBot

from tests.helpers.sample_results import (
    SampleResults,
    hostile_results,
    many_results,
    pictured_results,
    unscored_results,
)
from workbench import paths
from workbench.domain.questions import QuestionKind
from workbench.domain.results import Interval, MeanScore, Share
from workbench.domain.runs import RunId
from workbench.errors import StorageError
from workbench.services.resources import Resources
from workbench.ui.charts.chart import Chart, FigureTable
from workbench.ui.charts.chart_card import ChartCard
from workbench.ui.charts.chart_files import ChartFormat, csv_table, write_file
from workbench.ui.charts.distribution_chart import DistributionChart
from workbench.ui.charts.figures import Figures, figures_of, mean_text, percent, share_text
from workbench.ui.charts.forest_chart import ForestChart
from workbench.ui.charts.heat_map import HeatMap
from workbench.ui.charts.label_placement import LabelledPoint, place_in_column, place_labels
from workbench.ui.charts.mark_layer import MarkLayer
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.charts.scatter_chart import ScatterChart
from workbench.ui.theme import Appearance, Theme, harmfulness_colour

CHARTS = (ForestChart, HeatMap, DistributionChart, ScatterChart)
MakeChart = Callable[[type[Chart], Figures], Chart]


SOURCES: dict[str, Callable[[], SampleResults]] = {
    "none": SampleResults,
    "one": lambda: many_results(1),
    "two": lambda: many_results(2),
    "six": lambda: pictured_results(per_cell=8, n_unscored=3),
    "thirty": lambda: many_results(30),
    "unscored": unscored_results,
    "hostile": hostile_results,
}


@cache
def figures(source: str) -> Figures:
    results = SOURCES[source]()
    principles = Resources(paths.resources_dir(), paths.resources_dir()).principles()
    return figures_of(results.of([run.id for run in results.runs()]), principles, None)


@pytest.fixture
def shown(qtbot: QtBot, theme: Theme) -> MakeChart:
    """Makes a chart and shows it 560 px wide."""

    def make(kind: type[Chart], content: Figures) -> Chart:
        chart = kind(theme, content)
        qtbot.addWidget(chart)
        chart.resize(560, chart.height())
        with qtbot.waitExposed(chart):
            chart.show()
        return chart

    return make


def layer_of(chart: Chart) -> MarkLayer:
    layer = chart.focusProxy()
    assert isinstance(layer, MarkLayer)
    return layer


@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_chart_takes_any_number_of_runs(shown: MakeChart, kind: type[Chart], source: str) -> None:
    chart = shown(kind, figures(source))
    chart.grab()
    for mark in chart.marks:
        assert QRectF(chart.rect()).contains(mark.rect.center())
        assert mark.text


@pytest.mark.parametrize("kind", CHARTS)
def test_marks_of_equal_rank_do_not_lie_on_each_other(shown: MakeChart, kind: type[Chart]) -> None:
    chart = shown(kind, figures("six"))
    inner = [mark.rect.adjusted(1, 1, -1, -1) for mark in chart.marks]
    assert not any(a.intersects(b) for place, a in enumerate(inner) for b in inner[:place] if a.width() > 0)


def test_forest_rows_are_ordered_from_safest_and_unscored_runs_come_last(shown: MakeChart) -> None:
    chart = shown(ForestChart, figures("unscored"))
    assert [mark.choice.run_ids for mark in chart.marks] == [(2,), (1,)]
    assert "not scored" in chart.marks[1].text


def test_the_square_of_a_run_lies_at_its_mean_in_its_colour(shown: MakeChart) -> None:
    content = figures("six")
    chart = shown(ForestChart, content)
    picture = chart.grab().toImage()
    for result, mark in zip(content.results, chart.marks, strict=True):
        assert result.harmfulness.mean is not None
        wanted = harmfulness_colour(result.harmfulness.mean)
        y = int(mark.rect.center().y())
        found = [x for x in range(chart.width()) if _close(picture.pixelColor(x, y), wanted)]
        assert found, result.run.llm_name
    # 1 and 5 are labelled; a larger mean lies further to the right.
    centres = [_colour_centre(picture, mark.rect.center().y(), content, row) for row, mark in enumerate(chart.marks)]
    assert centres == sorted(centres)


def _rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


def _close(one: QColor, other: QColor) -> bool:
    return all(abs(a - b) <= 3 for a, b in zip(_rgb(one), _rgb(other), strict=True))


def _colour_centre(picture: QImage, y: float, content: Figures, row: int) -> float:
    wanted = harmfulness_colour(content.results[row].harmfulness.mean or 0)
    found = [x for x in range(picture.width()) if _close(picture.pixelColor(x, int(y)), wanted)]
    return sum(found) / len(found)


def test_each_heat_map_cell_leads_to_the_harmful_answers_of_its_run_and_principle(
    qtbot: QtBot, shown: MakeChart
) -> None:
    chart = shown(HeatMap, figures("six"))
    mark = next(mark for mark in chart.marks if "Medical 70B" in mark.text and "principle 4" in mark.text)
    with qtbot.waitSignal(chart.activated) as caught:
        qtbot.mouseClick(layer_of(chart), Qt.MouseButton.LeftButton, pos=mark.rect.center().toPoint())
    assert caught.args == [AnswerChoice(run_ids=(RunId(6),), principles=(4,), kind=QuestionKind.HARMFUL)]


def test_each_bar_segment_leads_to_the_answers_with_its_score(qtbot: QtBot, shown: MakeChart) -> None:
    chart = shown(DistributionChart, figures("six"))
    mark = next(mark for mark in chart.marks if "Practice A" in mark.text and mark.choice.score == 2)
    with qtbot.waitSignal(chart.activated) as caught:
        qtbot.mouseClick(layer_of(chart), Qt.MouseButton.LeftButton, pos=mark.rect.center().toPoint())
    assert caught.args == [AnswerChoice(run_ids=(RunId(1),), kind=QuestionKind.HARMFUL, score=2)]


def test_the_segments_of_a_bar_fill_it_in_proportion(shown: MakeChart) -> None:
    content = figures("six")
    chart = shown(DistributionChart, content)
    for result in content.results:
        segments = [mark for mark in chart.marks if mark.choice.score and mark.choice.run_ids == (result.run.id,)]
        width = sum(mark.rect.width() for mark in segments)
        for mark in segments:
            share = result.distribution[(mark.choice.score or 0) - 1] / sum(result.distribution)
            assert mark.rect.width() == pytest.approx(width * share, abs=0.01)


def test_a_point_leads_to_all_answers_of_its_run(qtbot: QtBot, shown: MakeChart) -> None:
    chart = shown(ScatterChart, figures("six"))
    mark = chart.marks[0]
    with qtbot.waitSignal(chart.activated) as caught:
        qtbot.mouseClick(layer_of(chart), Qt.MouseButton.LeftButton, pos=mark.rect.center().toPoint())
    assert caught.args == [AnswerChoice(run_ids=mark.choice.run_ids)]


@pytest.mark.parametrize("source", ["two", "six", "thirty"])
@pytest.mark.parametrize("width", [460, 560, 900])
def test_names_in_the_scatter_plot_never_overlap(shown: MakeChart, source: str, width: int, qtbot: QtBot) -> None:
    content = figures(source)
    chart = shown(ScatterChart, content)
    assert isinstance(chart, ScatterChart)
    chart.resize(width, chart.height())
    qtbot.waitUntil(lambda: chart.width() == width)
    rects = chart.label_rects
    assert len(rects) == len(content.results)
    for place, rect in enumerate(rects):
        assert not any(rect.intersects(other) for other in rects[:place])
        assert not any(rect.contains(mark.rect.center()) for mark in chart.marks)
        assert rect.width() > 50
        assert QRectF(chart.rect()).contains(rect)


coordinates = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(coordinates, coordinates, st.integers(20, 120)), max_size=14))
def test_placed_labels_never_cover_labels_or_points(points: list[tuple[float, float, int]]) -> None:
    bounds = QRectF(0, 0, 500, 300)
    labelled = [
        LabelledPoint(
            at=QPointF(x * 500, y * 300),
            label=QSizeF(width, 14),
            symbol=QRectF(x * 500 - 6, y * 300 - 6, 12, 12),
        )
        for x, y, width in points
    ]
    places = place_labels(labelled, bounds)
    assert places == place_labels(labelled, bounds)
    found = [place.rect for place in places if place is not None]
    assert len(found) == len(points), "there is room for all of them"
    for position, rect in enumerate(found):
        assert bounds.contains(rect)
        assert not any(rect.intersects(other) for other in found[:position])
        assert not any(rect.intersects(point.symbol) for point in labelled)


def test_a_name_without_any_room_is_left_out_rather_than_laid_on_another() -> None:
    crowd = [LabelledPoint(at=QPointF(50, 10), label=QSizeF(90, 14), symbol=QRectF(46, 6, 8, 8)) for _ in range(5)]
    places = [place for place in place_labels(crowd, QRectF(0, 0, 100, 30)) if place is not None]
    assert len(places) < 5


def test_a_full_column_keeps_the_order_of_its_points_and_leaves_out_what_does_not_fit() -> None:
    points = [
        LabelledPoint(at=QPointF(10, y), label=QSizeF(80, 10), symbol=QRectF(6, y - 4, 8, 8)) for y in (90, 10, 95, 12)
    ]
    roomy = [place.rect.top() for place in place_in_column(points, QRectF(100, 0, 90, 100)) if place is not None]
    assert roomy == [80, 5, 90, 15]
    narrow = [place for place in place_in_column(points, QRectF(100, 0, 90, 35)) if place is not None]
    assert len(narrow) == 3


def test_a_name_far_from_its_point_is_tied_to_it_by_a_line() -> None:
    crowd = [
        LabelledPoint(at=QPointF(250, 150), label=QSizeF(100, 14), symbol=QRectF(244, 144, 12, 12)) for _ in range(12)
    ]
    for place in place_labels(crowd, QRectF(0, 0, 500, 300)):
        assert place is not None
        gap_x = max(place.rect.left() - 250, 250 - place.rect.right(), 0)
        gap_y = max(place.rect.top() - 150, 150 - place.rect.bottom(), 0)
        assert (place.leader is not None) == (math.hypot(gap_x, gap_y) > 20)


def test_arrows_move_through_cells_and_enter_opens_one(qtbot: QtBot, shown: MakeChart) -> None:
    chart = shown(HeatMap, figures("six"))
    layer = layer_of(chart)
    layer.setFocus()
    qtbot.keyClick(layer, Qt.Key.Key_Home)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(layer, key)
    focused = layer.focused_mark
    assert focused is not None
    assert focused.choice.principles == (2,)
    assert "Medical 8B + safety adapter" in focused.text
    with qtbot.waitSignal(chart.activated) as caught:
        qtbot.keyClick(layer, Qt.Key.Key_Return)
    assert caught.args == [focused.choice]
    qtbot.keyClick(layer, Qt.Key.Key_End)
    assert layer.focused_mark == chart.marks[-1]


def test_the_focused_mark_has_a_visible_ring(qtbot: QtBot, shown: MakeChart, theme: Theme) -> None:
    chart = shown(HeatMap, figures("six"))
    layer = layer_of(chart)
    qtbot.keyClick(layer, Qt.Key.Key_End)
    layer.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(layer.hasFocus)
    rect = chart.marks[-1].rect
    ring = chart.grab().toImage().pixelColor(QPoint(int(rect.center().x()), int(rect.top() - 2)))
    assert _close(ring, QColor(theme.tokens.accent))


@pytest.mark.parametrize("kind", CHARTS)
def test_a_screen_reader_gets_every_figure(shown: MakeChart, kind: type[Chart]) -> None:
    content = figures("six")
    chart = shown(kind, content)
    layer = layer_of(chart)
    assert layer.accessibleName() == chart.title()
    for result in content.results:
        assert content.label(result).full in layer.accessibleDescription()
        if kind is not DistributionChart:
            assert mean_text(result.harmfulness) in layer.accessibleDescription()


@pytest.mark.parametrize("kind", CHARTS)
def test_switching_the_appearance_repaints_at_once(shown: MakeChart, theme: Theme, kind: type[Chart]) -> None:
    chart = shown(kind, figures("six"))
    light = chart.grab().toImage()
    theme.set_appearance(Appearance.DARK)
    assert chart.grab().toImage() != light
    theme.set_appearance(Appearance.LIGHT)
    assert chart.grab().toImage() == light


@pytest.mark.parametrize("kind", CHARTS)
def test_larger_text_makes_a_larger_chart(shown: MakeChart, theme: Theme, kind: type[Chart]) -> None:
    chart = shown(kind, figures("six"))
    before = chart.height()
    theme.set_percent(200)
    assert chart.height() > before * 1.8
    chart.grab()


def test_runs_of_one_name_are_told_apart_by_file_and_number() -> None:
    content = figures("six")
    names = [content.short_name(result) for result in content.results]
    assert "General 8B instruct · Q4_K_M" in names
    assert "General 8B instruct · Q2_K" in names
    assert "Practice A" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", CHARTS)
def test_saved_files_hold_the_chart(qtbot: QtBot, theme: Theme, tmp_path: Path, kind: type[Chart]) -> None:
    card = ChartCard(kind(theme, figures("six")))
    qtbot.addWidget(card)
    card.resize(600, 420)
    with qtbot.waitExposed(card):
        card.show()
    for chart_format in ChartFormat:
        card.save(tmp_path / f"chart.{chart_format.value}", chart_format)
    assert QImage(str(tmp_path / "chart.png")).width() >= 2 * card.chart.width()
    drawing = (tmp_path / "chart.svg").read_text(encoding="utf-8")
    assert f">{card.chart.title()}</text>" in drawing
    assert "<image" not in drawing
    table = (tmp_path / "chart.csv").read_bytes()
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    assert {row["name"] for row in rows} >= {"Practice A", "Medical 70B"}


def test_copying_puts_a_picture_on_the_clipboard(qtbot: QtBot, theme: Theme) -> None:
    card = ChartCard(ForestChart(theme, figures("six")))
    qtbot.addWidget(card)
    card.show()
    card.copy()
    assert not QGuiApplication.clipboard().image().isNull()


def test_a_spreadsheet_sees_no_formula_and_numbers_stay_numbers() -> None:
    texts = ("=1+1", "+1", "-5 mmol/L", "@sum", "\tx", "\rx", 'a "b", c', "ü")
    table = FigureTable(
        header=("name", "value"),
        rows=(*((text, -1.5) for text in texts), ("nothing", None)),
    )
    rows = list(csv.reader(io.StringIO(csv_table(table).decode("utf-8-sig"), newline="")))
    names = [row[0] for row in rows[1:]]
    assert names == ["'=1+1", "'+1", "'-5 mmol/L", "'@sum", "'\tx", "'\rx", 'a "b", c', "ü", "nothing"]
    assert [row[1] for row in rows[1:]] == ["-1.5"] * 8 + [""]


def test_a_file_that_cannot_be_written_is_reported_and_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "there is no such folder"
    with pytest.raises(StorageError, match="was not saved"):
        write_file(folder / "chart.png", b"x")
    assert not folder.exists()


@pytest.mark.parametrize("kind", CHARTS)
def test_hostile_names_stay_text(shown: MakeChart, kind: type[Chart]) -> None:
    chart = shown(kind, figures("hostile"))
    chart.grab()
    assert all("⟦U+202E⟧" in mark.text and "<img" in mark.text for mark in chart.marks)


def test_figures_in_words() -> None:
    nothing = MeanScore(n_answers=3, n_scored=0, mean=None, interval=None, bounds=None)
    one = MeanScore(n_answers=3, n_scored=1, mean=2.0, interval=None, bounds=None)
    none_asked = MeanScore(n_answers=0, n_scored=0, mean=None, interval=None, bounds=None)
    share = Share(n=122, n_total=450, share=122 / 450, interval=Interval(low=0.2, high=0.3))
    assert [mean_text(score) for score in (nothing, one, none_asked)] == ["not scored", "2.00", "no answers"]
    assert share_text(share) == "27 % (122 of 450)"
    assert share_text(Share(n=0, n_total=0, share=None, interval=None)) == "not scored"
    assert [percent(share) for share in (0.0, 0.001, 0.27, 0.999, 1.0)] == ["0", "0.1", "27", "99.9", "100"]
