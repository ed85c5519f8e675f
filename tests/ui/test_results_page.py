"""The Results page: figures in the background, filters, answers behind every mark, tables, and words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from tests.helpers.records import a_device, a_load_report, a_plan, a_share
from tests.helpers.sample_results import (
    SampleResults,
    hostile_results,
    many_results,
    pictured_results,
    sample_responses,
    sample_run,
    sample_workbench,
    unscored_results,
)
from workbench import paths
from workbench.domain.llm import KvType
from workbench.domain.questions import QuestionKind
from workbench.domain.runs import EvaluationRun, RunId, RunStatus
from workbench.errors import StorageError
from workbench.services.resources import Resources
from workbench.ui.background import Background
from workbench.ui.charts.figures import Figures, figures_of
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.item_models.response_table_model import ResponseColumn, ResponseTableModel
from workbench.ui.item_models.result_table_model import ResultTableModel
from workbench.ui.pages.page import PageContext
from workbench.ui.pages.results_answers import AnswersView
from workbench.ui.pages.results_overview import ResultsOverview
from workbench.ui.pages.results_page import ResultsPage
from workbench.ui.pages.results_sentences import finding, missing_scores
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Theme
from workbench.ui.widgets.score_chip import SCORE_ROLE
from workbench.ui.widgets.shielded_text import SHIELDED_ROLE, Shield

MakePage = Callable[[SampleResults], ResultsPage]


@pytest.fixture
def opened(qtbot: QtBot, theme: Theme, background: Background, preferences: Preferences) -> MakePage:
    """Makes a page, shows it, and waits for its figures."""

    def make(results: SampleResults) -> ResultsPage:
        context = PageContext(
            workbench=sample_workbench(results), theme=theme, background=background, preferences=preferences
        )
        page = ResultsPage(context)
        qtbot.addWidget(page)
        page.resize(1250, 860)
        page.show()
        with qtbot.waitSignal(page.loaded, timeout=20_000):
            page.on_shown()
        return page

    return make


def figures(results: SampleResults) -> Figures:
    principles = Resources(paths.resources_dir(), paths.resources_dir()).principles()
    return figures_of(results.of([run.id for run in results.runs()]), principles, None)


def overview_of(page: ResultsPage) -> ResultsOverview:
    assert page.overview is not None
    return page.overview


def answers_of(qtbot: QtBot, page: ResultsPage, choice: AnswerChoice) -> AnswersView:
    with qtbot.waitSignal(page.answers_shown):
        page.open_answers(choice)
    assert page.answers is not None
    return page.answers


def texts_of(page: ResultsPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel))


# The page


def test_figures_notice_and_sentence_appear(opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=8, n_unscored=3))
    overview = overview_of(page)
    assert overview.finding.text.startswith("Lowest harmfulness: Practice A · Q8_0")
    assert "Scored 861 of 864" in page.missing.text
    assert "bounds" in page.missing.text
    assert page.missing.isVisible()
    assert overview.table_model.rowCount() == 6
    assert len(overview.cards) == 4


def test_nothing_missing_needs_no_notice(opened: MakePage) -> None:
    assert not opened(pictured_results(per_cell=2, n_unscored=0)).missing.isVisible()


def test_without_runs_the_page_offers_to_evaluate(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(SampleResults())
    assert page.stack.currentWidget() is page.empty
    with qtbot.waitSignal(page.evaluation_wanted):
        qtbot.mouseClick(page.empty.findChildren(type(page._save))[0], Qt.MouseButton.LeftButton)


def test_the_newest_six_runs_are_shown_at_first_and_others_on_request(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(many_results(9, per_cell=1))
    assert overview_of(page).table_model.rowCount() == 6
    assert page.filters.runs.text().startswith("6 runs")
    with qtbot.waitSignal(page.loaded):
        page.show_runs([RunId(1), RunId(9)])
    assert overview_of(page).table_model.rowCount() == 2


def test_filters_change_the_figures(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=4, n_unscored=0))
    with qtbot.waitSignal(page.loaded):
        page.filters.runs.tick(RunId(6), ticked=False)
        page.filters.runs.close_list()
    assert overview_of(page).table_model.rowCount() == 5
    with qtbot.waitSignal(page.loaded):
        for number in range(3, 10):
            page.filters.principles.tick(number, ticked=False)
        page.filters.principles.close_list()
    assert page.figures is not None
    assert {found.principle for result in page.figures.results for found in result.by_principle} == {1, 2}
    assert all(result.harmfulness.n_answers == 8 for result in page.figures.results)
    assert page.filters.principles.text().startswith("2 principles")


def test_the_kind_of_question_can_be_chosen(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=2, n_unscored=0))
    with qtbot.waitSignal(page.loaded):
        page.filters.kind._on_triggered(QuestionKind.BENIGN)
    assert page.figures is not None
    assert all(result.harmfulness.n_answers == 0 for result in page.figures.results)
    assert all(result.over_refusal.n_total == 18 for result in page.figures.results)
    assert "nothing can be compared" in overview_of(page).finding.text


def test_wishes_that_come_while_reading_are_served_last(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(many_results(4, per_cell=1))
    with qtbot.waitSignal(page.loaded):
        page.show_runs([RunId(1)])
        page.show_runs([RunId(2), RunId(3)])
    assert overview_of(page).table_model.rowCount() == 2


def test_a_failure_is_shown_and_the_page_stays(qtbot: QtBot, opened: MakePage) -> None:
    results = pictured_results(per_cell=1, n_unscored=0)
    page = opened(results)

    class Broken(SampleResults):
        def runs(self) -> list[EvaluationRun]:
            raise StorageError("The database cannot be read.", safe="It is unchanged.", todo="Try again.")

    results.__class__ = Broken
    page.on_shown()
    qtbot.waitUntil(page.banner.isVisible)
    assert page.banner.error is not None
    assert overview_of(page).table_model.rowCount() == 6


def test_a_page_left_while_its_charts_are_made_goes_on_at_the_next_visit(qtbot: QtBot, context: PageContext) -> None:
    page = ResultsPage(replace(context, workbench=sample_workbench(pictured_results(per_cell=1, n_unscored=0))))
    qtbot.addWidget(page)
    page.on_shown()
    qtbot.waitUntil(lambda: not context.background.busy)
    assert page.overview is None
    page.show()
    with qtbot.waitSignal(page.loaded):
        page.on_shown()
    assert len(overview_of(page).cards) == 4


# Answers


def test_a_click_on_a_mark_opens_its_answers_and_escape_goes_back(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=8, n_unscored=0))
    heat_map = overview_of(page).cards[1].chart
    mark = next(mark for mark in heat_map.marks if "Medical 70B" in mark.text and "principle 4" in mark.text)
    with qtbot.waitSignal(page.answers_shown):
        qtbot.mouseClick(heat_map.focusProxy(), Qt.MouseButton.LeftButton, pos=mark.rect.center().toPoint())
    assert page.answers is not None
    assert page.stack.currentWidget() is page.answers
    assert page.answers.model.rowCount() == 8
    assert page.answers.heading.text() == "Medical 70B · Q4_K_M · 4 Confidentiality · harmful questions: 8 answers"
    page.activateWindow()
    page.answers.table.setFocus()
    qtbot.waitUntil(page.answers.table.hasFocus)
    qtbot.keyClick(page.answers.table, Qt.Key.Key_Escape)
    assert page.stack.currentWidget() is not page.answers
    focused = heat_map.focusProxy()
    assert focused is not None
    assert focused.hasFocus()


def test_a_click_on_a_row_of_the_table_opens_all_answers_of_the_run(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=2, n_unscored=0))
    table = overview_of(page).table
    with qtbot.waitSignal(page.answers_shown):
        table.clicked.emit(table.model().index(0, 0))
    assert page.answers is not None
    assert page.answers.model.rowCount() == 36


def test_the_notice_leads_to_the_unscored_answers(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=8, n_unscored=3))
    assert page._show_missing.text() == "Show the 3"
    with qtbot.waitSignal(page.answers_shown):
        qtbot.mouseClick(page._show_missing, Qt.MouseButton.LeftButton)
    assert page.answers is not None
    assert page.answers.model.rowCount() == 3
    assert not page.answers.table.isColumnHidden(ResponseColumn.RUN)


def test_answers_can_be_narrowed_to_a_score_or_to_what_is_missing(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(hostile_results())
    view = answers_of(qtbot, page, AnswerChoice(run_ids=(RunId(1),)))
    assert view.model.rowCount() == 4
    shown = {}
    for position in range(view.filter.count()):
        view.filter.setCurrentIndex(position)
        shown[view.filter.itemText(position)] = view.model.rowCount()
    assert shown["Only score 4 of 5, violates"] == 1
    assert shown["Only not scored"] == 1
    assert shown["Only failed"] == 1
    assert shown["Only score 2 of 5, warns"] == 0


def test_arrows_show_one_answer_after_the_other_with_all_that_is_known(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(hostile_results())
    page.shield.toggle()
    view = answers_of(qtbot, page, AnswerChoice(run_ids=(RunId(1),)))
    page.activateWindow()
    view.table.setFocus()
    assert "Score 4 of 5, violates" in view.detail.score.text()
    assert "Run 1" in view.detail.provenance.text()
    assert "sample 1 · 60 tokens in 1.5 s" in view.detail.provenance.text()
    qtbot.keyClick(view.table, Qt.Key.Key_Down)
    assert "failed: prompt too long" in view.detail.flags.text()
    assert view.detail.score.text() == "Not scored"


def test_hostile_text_stays_text_everywhere(qtbot: QtBot, opened: MakePage) -> None:
    page = opened(hostile_results())
    page.shield.toggle()
    answers_of(qtbot, page, AnswerChoice(run_ids=(RunId(1),)))
    page.grab()
    assert "\u202e" not in texts_of(page)
    for label in page.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText


def test_every_chart_is_saved_in_every_format(
    qtbot: QtBot, opened: MakePage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(pictured_results(per_cell=1, n_unscored=0))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_arguments: str(tmp_path))
    qtbot.mouseClick(page._save, Qt.MouseButton.LeftButton)
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".svg", ".csv"))
    assert len(names) == 12
    assert "harmfulness-by-model.png" in names
    assert not QImage(str(tmp_path / "harmfulness-by-model.png")).isNull()


def test_the_page_can_be_shown_at_double_text_size(opened: MakePage, theme: Theme) -> None:
    page = opened(pictured_results(per_cell=1, n_unscored=0))
    theme.set_percent(200)
    page.resize(1090, 690)
    page.grab()
    assert overview_of(page).width() <= page.width()


# Words


def test_overlapping_intervals_claim_no_difference() -> None:
    assert "overlap, so no difference is claimed" in finding(figures(many_results(2, per_cell=1)))
    assert "do not overlap" in finding(figures(pictured_results(per_cell=8)))


def test_one_run_is_described_alone_and_no_score_at_all_is_said() -> None:
    assert finding(figures(unscored_results())).startswith("Judged once · Q8_0: mean harmfulness 3.00 over 1 scored")
    assert "nothing can be compared" in finding(figures(SampleResults()))


def test_runs_under_different_conditions_are_not_called_comparable() -> None:
    first, second = sample_run(1, "A"), sample_run(2, "B")
    second = replace(second, settings=replace(second.settings, judge=None))
    results = SampleResults({run: sample_responses(run, 2.0, 0.1, 1) for run in (first, second)})
    assert "differ in judge" in finding(figures(results))


def test_failures_are_counted_beside_missing_scores() -> None:
    assert missing_scores(figures(hostile_results())) == "Scored 2 of 3 · bounds 2.50–4.50 · 1 failed"


# Item models


def test_the_table_of_runs_is_a_sound_model(qtmodeltester: ModelTester) -> None:
    model = ResultTableModel()
    model.set_figures(figures(pictured_results(per_cell=2, n_unscored=2)))
    qtmodeltester.check(model)


def test_runs_sort_by_number_and_unscored_ones_stay_last() -> None:
    model = ResultTableModel()
    model.set_figures(figures(unscored_results()))
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        model.sort(5, order)
        assert [model.index(row, 0).data() for row in range(2)] == ["Judged once", "Not judged"]
    assert model.index(1, 5).data() == "not scored"


def test_cells_align_numbers_and_speak_their_column() -> None:
    model = ResultTableModel()
    content = figures(pictured_results(per_cell=2, n_unscored=0))
    model.set_figures(content)
    mean = model.index(0, 5)
    assert mean.data(Qt.ItemDataRole.TextAlignmentRole) & Qt.AlignmentFlag.AlignRight
    assert str(mean.data(Qt.ItemDataRole.AccessibleTextRole)).startswith("Mean harmfulness: ")
    model.sort(0, Qt.SortOrder.DescendingOrder)
    assert model.index(0, 0).data() == "Practice A"


def test_a_selected_run_stays_selected_when_the_table_is_sorted(opened: MakePage) -> None:
    page = opened(pictured_results(per_cell=8, n_unscored=0))
    table = overview_of(page).table
    table.setCurrentIndex(table.model().index(0, 0))
    name = table.currentIndex().data()
    table.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    assert table.currentIndex().data() == name
    assert table.currentIndex().row() == 5


def test_unfinished_runs_and_flags_are_named() -> None:
    run = replace(sample_run(1), status=RunStatus.UNFINISHED)
    model = ResultTableModel()
    model.set_figures(figures(SampleResults({run: sample_responses(run, 2.0, 0.0, 4)})))
    assert _cells(model)["Flags"] == "unfinished · truncated 9 (12 %)"


def test_a_run_names_where_it_was_computed() -> None:
    graphics = a_share(a_device("CUDA0"), n_layers=3)
    report = a_load_report(replace(a_plan(graphics, a_share(n_layers=0), n_slots=16), kv_type=KvType.Q8_0))
    run = replace(sample_run(1), load_report=report)
    model = ResultTableModel()
    model.set_figures(figures(SampleResults({run: sample_responses(run, 2.0, 0.0, 4)})))
    assert _cells(model)["Computed"] == "on CUDA0, 3 of 3 layers, 16 answers at a time, conversations in 8 bits"


def _cells(model: ResultTableModel) -> dict[str, str]:
    """The first row, by heading."""
    columns = range(model.columnCount())
    return {
        str(model.headerData(column, Qt.Orientation.Horizontal)): str(model.index(0, column).data())
        for column in columns
    }


def response_model(results: SampleResults, shield: Shield) -> ResponseTableModel:
    content = figures(results)
    model = ResponseTableModel(shield, {1: "Competence"})
    model.set_responses([r for run in results.runs() for r in results.responses(run.id)], content.labels)
    return model


def test_the_table_of_answers_is_a_sound_model(qtmodeltester: ModelTester) -> None:
    qtmodeltester.check(response_model(hostile_results(), Shield()))


def test_the_table_of_answers_covers_harmful_texts_for_screen_readers_too() -> None:
    shield = Shield()
    model = response_model(hostile_results(), shield)
    question = model.index(0, ResponseColumn.QUESTION)
    assert question.data(SHIELDED_ROLE) is True
    assert question.data(Qt.ItemDataRole.AccessibleTextRole) == "shielded, press B to read"
    assert question.data(Qt.ItemDataRole.ToolTipRole) is None
    shield.toggle()
    assert "<img" in str(question.data(Qt.ItemDataRole.AccessibleTextRole))
    benign = model.index(3, ResponseColumn.QUESTION)
    assert benign.data(SHIELDED_ROLE) is False


def test_answers_show_chips_and_sort_with_missing_scores_last() -> None:
    model = response_model(hostile_results(), Shield())
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        model.sort(ResponseColumn.SCORE, order)
        scores = [model.index(row, ResponseColumn.SCORE).data(SCORE_ROLE) for row in range(4)]
        assert scores[2:] == [None, None]
        assert scores[:2] == sorted(scores[:2], reverse=order is Qt.SortOrder.DescendingOrder)
    assert model.index(3, ResponseColumn.SCORE).data() == "–"


@pytest.mark.parametrize("model_of", [ResultTableModel, lambda: ResponseTableModel(Shield(), {})])
def test_an_empty_table_is_sound_and_sorts(
    model_of: Callable[[], ResultTableModel | ResponseTableModel], qtmodeltester: ModelTester
) -> None:
    model = model_of()
    model.sort(0)
    assert model.rowCount() == 0
    assert model.data(QModelIndex()) is None
    qtmodeltester.check(model)
