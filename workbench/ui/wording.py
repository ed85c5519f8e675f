"""How numbers, sizes, times and dates read in the window."""

from datetime import datetime, timedelta

from PySide6.QtCore import QCoreApplication

_KIB = 1024


def number(value: int) -> str:
    """A whole number with its thousands grouped: 3,600."""
    return f"{value:,}"


def counted(n: int, one: str, many: str) -> str:
    """``n`` with the noun that fits it: 1 file, 4 files."""
    return f"{number(n)} {one if n == 1 else many}"


def size(n_bytes: int) -> str:
    """A file or memory size with two significant digits at least: 4.9 GB, 850 MB."""
    value = float(n_bytes)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < _KIB or unit == "TB":
            decimals = 1 if value < 100 and unit not in ("B", "KB") else 0
            return f"{value:,.{decimals}f} {unit}"
        value /= _KIB
    raise AssertionError("the last unit always fits")


def duration(seconds: float) -> str:
    """A time span: 0:52, 14:32, 2:05:00."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough_duration(seconds: float) -> str:
    """A time span nobody should read to the second: 40 s, 4 min, 2 h 10 min."""
    if seconds < 90:
        return QCoreApplication.translate("Wording", "{n} s").format(n=max(10, round(seconds / 10) * 10))
    minutes = round(seconds / 60)
    if minutes < 90:
        return QCoreApplication.translate("Wording", "{n} min").format(n=minutes)
    text = QCoreApplication.translate("Wording", "{hours} h {minutes} min")
    return text.format(hours=minutes // 60, minutes=minutes % 60 // 10 * 10)


def clock_time(moment: datetime) -> str:
    """A time of day in the local zone: 15:20."""
    return moment.astimezone().strftime("%H:%M")


def date_and_time(moment: datetime) -> str:
    """A date and time in the local zone, for tables."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def moment_in(seconds: float, now: datetime) -> datetime:
    """The moment so many seconds from ``now``."""
    return now + timedelta(seconds=seconds)
