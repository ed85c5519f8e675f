"""The line at the bottom: connection, devices, free memory; on the right what runs and where it computes."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from workbench.domain.llm import Device
from workbench.services.plan_texts import device_text
from workbench.ui.jobs import EvaluationJob, Jobs, JobState
from workbench.ui.progress_texts import computing_now_text
from workbench.ui.theme import SPACE
from workbench.ui.widgets.elided import ElidedButton, ElidedLabel
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip, visible_text
from workbench.ui.wording import clock_time, counted, size

if TYPE_CHECKING:  # it reads the computer through a package the first paint need not wait for
    from workbench.computer import Computer


class StatusLine(QWidget):
    """Always visible; the button on the right opens the job panel.

    The free memory of accelerators is known for the moments at which they were asked only: the time stands beside it,
    and it is left out while a job takes some of it.
    """

    jobs_wanted = Signal()

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Status"))
        self._jobs = jobs
        self._computer: Computer | None = None
        self._devices: tuple[Device, ...] = ()
        self._asked_at = datetime.now().astimezone()
        self._problem = ""
        self._facts = ElidedLabel(self.tr("Offline"))
        self._facts.setProperty("kind", "small")
        self._running = ElidedButton()
        self._running.setProperty("kind", "status")
        self._running.setAutoDefault(False)
        self._running.clicked.connect(self.jobs_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, SPACE // 2, SPACE, SPACE // 2)
        row.addWidget(self._facts, 1)
        row.addWidget(self._running)
        jobs.changed.connect(self.refresh)
        self.refresh()

    @property
    def text(self) -> str:
        """What stands on the left."""
        return self._facts.text()

    @property
    def running_text(self) -> str:
        """What stands on the right."""
        return self._running.text()

    @property
    def tool_tip(self) -> str:
        """What hovering over the left tells."""
        return self._facts.toolTip()

    def set_devices(self, devices: Sequence[Device]) -> None:
        """Show where models run; the first accelerator, and all devices on hovering."""
        self._devices = tuple(devices)
        self._asked_at = datetime.now().astimezone()
        self._problem = ""
        self.refresh()

    def set_computer(self, computer: "Computer") -> None:
        """Show how much room there is."""
        self._computer = computer
        self.refresh()

    def set_problem(self, happened: str) -> None:
        """Say why nothing is known about the computer's devices."""
        self._problem = one_line(happened, 120)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known and what runs now."""
        facts = "  ·  ".join((self.tr("Offline"), *self._known()))
        self._facts.setText(facts)
        lines = [f"{device.name}: {self._room(device)}" for device in self._devices]
        offline = self.tr("This program opens no network connection.")
        self._facts.setToolTip(plain_tool_tip("\n".join([facts, offline, *map(visible_text, lines)])))
        text = self._running_now()
        self._running.setText(text)
        self._running.setToolTip(plain_tool_tip(text))
        self._running.setAccessibleName(self.tr("{text}. Open the job panel").format(text=text))

    def _known(self) -> list[str]:
        if self._problem:
            return [self._problem]
        if self._computer is None:
            return []
        accelerators = [device for device in self._devices if device.kind != "cpu"]
        facts = [self.tr("CPU {n} cores").format(n=self._computer.n_cores)]
        if accelerators:
            facts.append(self._room(accelerators[0]))
        if len(accelerators) > 1:
            facts[-1] += self.tr(" (and {n} more)").format(n=len(accelerators) - 1)
        free, total = size(self._computer.memory_free_bytes), size(self._computer.memory_total_bytes)
        return [*facts, self.tr("memory {free} of {total} free").format(free=free, total=total)]

    def _room(self, device: Device) -> str:
        if self._jobs.running is None:
            room = self.tr("{device}: {free} of {total} free at {time}")
        else:
            room = self.tr("{device}: {total}")
        text = room.format(
            device=device_text(device),
            free=size(device.free_bytes),
            total=size(device.total_bytes),
            time=clock_time(self._asked_at),
        )
        shared = self.tr("shared with the processor")
        parts = [text, shared if device.shares_memory and device.kind != "cpu" else "", one_line(device.detail, 120)]
        return ", ".join(part for part in parts if part)

    def _running_now(self) -> str:
        job = self._jobs.running
        if job is not None:
            return " · ".join(part for part in (self._job_text(job), computing_now_text(job.state)) if part)
        if self._jobs.errors:
            errors = counted(len(self._jobs.errors), self.tr("error"), self.tr("errors"))
            return self.tr("No job running · {errors} kept").format(errors=errors)
        return self.tr("No job running")

    def _job_text(self, job: EvaluationJob) -> str:
        words = {
            JobState.RUNNING: self.tr("1 job: evaluation {share}"),
            JobState.PAUSED: self.tr("1 job: evaluation {share}, paused"),
            JobState.STOPPING: self.tr("1 job: evaluation {share}, stopping"),
        }
        return words.get(job.job_state, self.tr("1 job")).format(share=f"{job.state.share_done:.0%}")
