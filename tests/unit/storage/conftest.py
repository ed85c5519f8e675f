from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.storage.store import SqliteEvaluationStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "workbench.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteEvaluationStore]:
    store = SqliteEvaluationStore.open(path)
    yield store
    store.close()
