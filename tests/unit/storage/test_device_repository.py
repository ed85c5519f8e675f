from dataclasses import replace

import pytest

from tests.helpers.records import a_device, a_load_report, a_plan, a_share
from tests.helpers.stores import stored_rows
from workbench.domain.memory import DeviceCorrection
from workbench.storage.store import SqliteEvaluationStore

CARD = a_device("CUDA0")


def test_a_new_database_corrects_nothing(store: SqliteEvaluationStore) -> None:
    assert store.device_corrections() == ()


def test_the_highest_of_the_last_five_ratios_counts_for_each_device(store: SqliteEvaluationStore) -> None:
    for taken in (3.0, 1.0, 1.25, 2.0, 1.5, 1.0):
        store.record_loading(a_load_report(a_plan(a_share(CARD), a_share()), taken=taken))
    store.record_loading(a_load_report(taken=4.0))  # the processor only
    assert store.device_corrections() == (
        DeviceCorrection(device="CPU (Invented processor)", compute_ratio=4.0),
        DeviceCorrection(device="CUDA0 (Invented graphics)", compute_ratio=2.0),
    )


def test_what_was_planned_and_taken_is_kept_beside_the_ratio(store: SqliteEvaluationStore) -> None:
    share = replace(a_share(), program_bytes=1000)
    store.record_loading(a_load_report(a_plan(share), taken=1.5))
    store.close()
    (row,) = stored_rows(store.path, "device_correction")
    assert row["compute_ratio"] == pytest.approx(1.5)
    assert row["planned_bytes"] == share.needed_bytes - 1000
    assert row["allocated_bytes"] == share.needed_bytes - 1000 + share.compute_bytes // 2


def test_a_backend_that_reports_nothing_teaches_nothing(store: SqliteEvaluationStore) -> None:
    store.record_loading(replace(a_load_report(), allocations=()))
    assert store.device_corrections() == ()
