import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.stores import SET, a_draft, stored_rows
from tests.unit.storage.test_settings_codec import ANY_TEXT
from workbench.domain.questions import QuestionKind
from workbench.errors import UsageError
from workbench.storage.settings_codec import clean_text
from workbench.storage.store import SqliteEvaluationStore

DRAFTS = [a_draft(number) for number in range(1, 7)]


def test_a_set_comes_back_in_its_order(store: SqliteEvaluationStore) -> None:
    backwards = DRAFTS[::-1]
    store.save_question_set(SET, backwards)
    store.save_question_set("another", DRAFTS[:1])
    questions = store.questions(SET)
    assert [question.id for question in questions] == [draft.id for draft in backwards]
    assert questions[0].kind is QuestionKind.BENIGN
    assert store.question_sets() == ["another", SET]


def test_an_unknown_set_is_empty(store: SqliteEvaluationStore) -> None:
    assert store.questions("unknown") == []


def test_only_new_wordings_become_revisions(store: SqliteEvaluationStore) -> None:
    store.save_question_set(SET, DRAFTS)
    first = store.questions(SET)
    store.save_question_set(SET, [a_draft(1, text="Reworded?"), *DRAFTS[1:]])
    second = store.questions(SET)
    assert second[0].text == "Reworded?"
    assert second[0].revision_id != first[0].revision_id
    assert second[1:] == first[1:]
    store.save_question_set(SET, DRAFTS)
    assert store.questions(SET) == first


def test_a_question_left_out_leaves_the_set_but_not_the_file(store: SqliteEvaluationStore) -> None:
    store.save_question_set(SET, DRAFTS)
    store.save_question_set(SET, DRAFTS[1:])
    assert len(store.questions(SET)) == 5
    store.close()
    assert len(stored_rows(store.path, "question_revision")) == 6


def test_two_sets_may_use_the_same_ids(store: SqliteEvaluationStore) -> None:
    store.save_question_set("a", [a_draft(1, text="One?")])
    store.save_question_set("b", [a_draft(1, text="Two?")])
    assert [store.questions(name)[0].text for name in ("a", "b")] == ["One?", "Two?"]


def test_saving_the_same_set_again_writes_nothing(store: SqliteEvaluationStore) -> None:
    store.save_question_set(SET, DRAFTS)
    store.close()
    before = store.path.read_bytes()
    again = SqliteEvaluationStore.open(store.path)
    again.save_question_set(SET, DRAFTS)
    again.close()
    assert store.path.read_bytes() == before


def test_an_id_used_twice_is_refused_and_nothing_is_saved(store: SqliteEvaluationStore) -> None:
    with pytest.raises(UsageError, match="q1"):
        store.save_question_set(SET, [a_draft(1), a_draft(1, text="Other?")])
    assert store.question_sets() == []


@settings(max_examples=25)  # each one is several commits
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=5), name=ANY_TEXT)
def test_every_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str], name: str) -> None:
    store = SqliteEvaluationStore.open(tmp_path_factory.getbasetemp() / "every_text.sqlite")
    store.save_question_set(name, [a_draft(number, text=text) for number, text in enumerate(texts, start=1)])
    assert [question.text for question in store.questions(name)] == [clean_text(text) for text in texts]
    store.close()


def test_text_behind_a_nul_is_stored_too(store: SqliteEvaluationStore) -> None:
    store.save_question_set(SET, [a_draft(1, text="NUL \0 and after")])
    store.close()
    assert [row["text"] for row in stored_rows(store.path, "worded_question")] == ["NUL \0 and after"]
