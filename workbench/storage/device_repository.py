"""What loadings taught about the devices of this computer."""

from sqlite_utils import Database

from workbench.domain.memory import DeviceCorrection, LoadReport, corrections_from, device_key
from workbench.storage.event_log import now_utc
from workbench.storage.settings_codec import clean_text

_REMEMBERED = 5
"""So many loadings back: the highest ratio counts, but one odd day is forgotten."""


def record_loading(db: Database, report: LoadReport) -> None:
    """Add a row for each device whose scratch memory is known."""
    with db.atomic():
        add_corrections(db, report)


def add_corrections(db: Database, report: LoadReport) -> None:
    """The same inside a transaction of the caller's."""
    shares = {device_key(share.device): share for share in report.plan.shares}
    taken_bytes = {allocation.device: allocation.total_bytes for allocation in report.allocations}
    for correction in corrections_from(report):
        share = shares[correction.device]
        db.execute(
            "INSERT INTO device_correction (device, compute_ratio, planned_bytes, allocated_bytes, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                clean_text(correction.device),
                correction.compute_ratio,
                share.needed_bytes - share.program_bytes,  # llama.cpp knows nothing of the process around it
                taken_bytes[share.device.name],
                now_utc(),
            ],
        )


def device_corrections(db: Database) -> tuple[DeviceCorrection, ...]:
    """For each device the highest of its last few ratios, devices in alphabetical order."""
    rows = db.execute(
        """
        SELECT device, max(compute_ratio) AS compute_ratio
        FROM (
            SELECT device, compute_ratio, row_number() OVER (PARTITION BY device ORDER BY id DESC) AS age
            FROM device_correction
        )
        WHERE age <= ?
        GROUP BY device
        ORDER BY device
        """,
        [_REMEMBERED],
    )
    return tuple(DeviceCorrection(device=row["device"], compute_ratio=row["compute_ratio"]) for row in rows.fetchall())
