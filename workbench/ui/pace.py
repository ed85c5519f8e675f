"""How fast work goes and how long it will still take."""


class Pace:
    """Counts finished steps over the time spent working; pauses do not count.

    All times are in seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._n = 0
        self._worked_s = 0.0
        self._since_s: float | None = None

    def begin(self, now_s: float) -> None:
        """Work starts or goes on."""
        if self._since_s is None:
            self._since_s = now_s

    def hold(self, now_s: float) -> None:
        """Work is paused or over."""
        if self._since_s is not None:
            self._worked_s += now_s - self._since_s
            self._since_s = None

    def count(self, n_steps: int = 1) -> None:
        """So many more steps are done."""
        self._n += n_steps

    def per_minute(self, now_s: float) -> float | None:
        """Steps a minute; ``None`` before the second step, when one could only guess."""
        worked_s = self._worked(now_s)
        return None if self._n < 2 or worked_s <= 0 else self._n * 60 / worked_s

    def left_s(self, n_steps: int, now_s: float) -> float | None:
        """Time for so many more steps at this pace; 0 for none, ``None`` when the pace is not known yet."""
        if n_steps == 0:
            return 0.0
        rate = self.per_minute(now_s)
        return None if rate is None else n_steps * 60 / rate

    def _worked(self, now_s: float) -> float:
        return self._worked_s + (0.0 if self._since_s is None else now_s - self._since_s)
