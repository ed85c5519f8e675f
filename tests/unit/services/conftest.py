from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.evaluations import DRAFTS, small_request
from tests.helpers.fake_engine import FakeEngine
from workbench import paths
from workbench.services.evaluation import Evaluation, EvaluationRequest
from workbench.services.resources import Resources
from workbench.storage.store import SqliteEvaluationStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteEvaluationStore]:
    opened = SqliteEvaluationStore.open(tmp_path / "runs.sqlite")
    opened.save_question_set("small", DRAFTS)
    yield opened
    opened.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def resources() -> Resources:
    return Resources(paths.resources_dir(), paths.practice_models_dir())


@pytest.fixture
def evaluation(store: SqliteEvaluationStore, engine: FakeEngine, resources: Resources) -> Evaluation:
    return Evaluation(store, engine, resources)


@pytest.fixture
def request_(tmp_path: Path) -> EvaluationRequest:
    return small_request(tmp_path, "one.gguf")
