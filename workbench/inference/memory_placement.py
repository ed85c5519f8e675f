"""Lays the layers of a model file on devices: which share each one gets, and whether it has room for it."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from workbench.domain.llm import Device
from workbench.domain.memory import DeviceCorrection, DeviceShare, LlmLayout, device_key
from workbench.inference import memory_estimate as estimate
from workbench.inference.memory_estimate import MIB, Running

_MARGIN_BYTES: Final = 256 * MIB
_MARGIN_SHARE: Final = 0.03
"""Of a device's memory. Drivers, the screen and other programs take and give back memory while a file is loaded;
llama.cpp itself leaves 1 GiB on every card, which this gives for one of 24 GiB without wasting half of a small one."""
_LEAST_RATIO: Final = 0.5
_MOST_RATIO: Final = 4.0
"""Corrections beyond these are faults of the measurement, not of the estimate."""


class Placement:
    """The devices a file can be laid on.

    Args:
        layout: The model file.
        devices: All devices; the processor is one of them.
        corrections: What earlier loadings taught about them.
    """

    def __init__(
        self, layout: LlmLayout, devices: Sequence[Device], corrections: Sequence[DeviceCorrection] = ()
    ) -> None:
        self._layout = layout
        self._processor = next(device for device in devices if device.kind == "cpu")
        self._ratios = {correction.device: correction.compute_ratio for correction in corrections}
        self.accelerators = usable_accelerators(devices)

    def spread(self, n_layers: int, running: Running) -> tuple[int, ...]:
        """How many of so many layers each accelerator gets.

        The one with most free memory gets all of them, if they fit: cards that share a file work one after another, so
        a second one only adds room. Otherwise in proportion to what is free, where that fits; otherwise each takes what
        it can hold, in order. This last way fits whenever any does, because layers lie on devices in their order.
        """
        free_bytes = [device.free_bytes for device in self.accelerators]
        if not free_bytes:
            return ()
        roomiest = free_bytes.index(max(free_bytes))
        alone = tuple(n_layers if index == roomiest else 0 for index in range(len(free_bytes)))
        for counts in (alone, _in_proportion(n_layers, free_bytes)):
            if all(share.fits for share in self.shares(counts, running)[:-1]):
                return counts
        return self._filled(n_layers, running)

    def shares(self, counts: Sequence[int], running: Running) -> tuple[DeviceShare, ...]:
        """The share of each accelerator that gets layers, then that of the processor.

        The last layers are offloaded first, and the output layer is one of them.
        """
        first = self._layout.n_layers + 1 - sum(counts)
        bounds = pairwise(accumulate(counts, initial=first))
        offloaded = tuple(
            self._accelerator_share(device, range(start, stop), running, is_split=first > 0)
            for device, (start, stop) in zip(self.accelerators, bounds, strict=True)
            if stop > start
        )
        return (*offloaded, self._processor_share(range(first), running, offloads=bool(offloaded)))

    def missing_bytes(self, shares: Sequence[DeviceShare]) -> int:
        """What all devices together lack, margins included; 0 if everything fits."""
        lacks = [share.needed_bytes + share.margin_bytes - share.device.free_bytes for share in shares]
        # What accelerators without memory of their own hold lies in the computer's, beside the processor's share.
        lacks[-1] += sum(share.needed_bytes for share in shares[:-1] if share.device.shares_memory)
        return sum(max(0, lack) for lack in lacks)

    def _filled(self, n_layers: int, running: Running) -> tuple[int, ...]:
        """Each accelerator full in turn; the last takes what is left, whether it fits or not."""
        end = self._layout.n_layers + 1
        layer = end - n_layers
        is_split = layer > 0
        counts = []
        for device in self.accelerators[:-1]:
            start = layer
            while (
                layer < end
                and self._accelerator_share(device, range(start, layer + 1), running, is_split=is_split).fits
            ):
                layer += 1
            counts.append(layer - start)
        return (*counts, end - layer)

    def _accelerator_share(self, device: Device, layers: range, running: Running, *, is_split: bool) -> DeviceShare:
        layout = self._layout
        scratch = estimate.lent_compute_bytes if is_split else estimate.compute_bytes
        compute_bytes = scratch(layout, running)
        if len(self.accelerators) > 1:
            compute_bytes += estimate.more_input_bytes(layout, running)
        return DeviceShare(
            device=device,
            n_layers=len(layers),
            weights_bytes=estimate.weights_bytes(layout, layers, with_input=False),
            kv_bytes=estimate.kv_bytes(layout, layers, running),
            compute_bytes=round(compute_bytes * self._correction(device)),
            program_bytes=0,
            margin_bytes=_margin_bytes(device),
            correction=self._correction(device),
        )

    def _processor_share(self, layers: range, running: Running, *, offloads: bool) -> DeviceShare:
        layout = self._layout
        # Beside an accelerator the processor keeps only inputs: what it has to compute at once is computed there.
        scratch = estimate.input_bytes if offloads else estimate.compute_bytes
        compute_bytes = scratch(layout, running) + estimate.reply_bytes(layout, running)
        return DeviceShare(
            device=self._processor,
            n_layers=len(layers),
            weights_bytes=estimate.weights_bytes(layout, layers, with_input=True),
            kv_bytes=estimate.kv_bytes(layout, layers, running),
            compute_bytes=round(compute_bytes * self._correction(self._processor)),
            program_bytes=estimate.program_bytes(layout, offloads=offloads),
            margin_bytes=_margin_bytes(self._processor),
            correction=self._correction(self._processor),
        )

    def _correction(self, device: Device) -> float:
        return min(max(self._ratios.get(device_key(device), 1.0), _LEAST_RATIO), _MOST_RATIO)


def usable_accelerators(devices: Sequence[Device]) -> tuple[Device, ...]:
    """Those that llama.cpp lays layers on: graphics cards, or else the graphics unit in the processor.

    What ggml calls accelerators are libraries that help the processor and hold no layers.
    """
    graphics = tuple(device for device in devices if device.kind == "gpu")
    return tuple(device for device in graphics if not device.shares_memory) or graphics[:1]


def _in_proportion(n_layers: int, weights: Sequence[int]) -> tuple[int, ...]:
    total = max(1, sum(weights))
    bounds = [round(n_layers * reached / total) for reached in accumulate(weights, initial=0)]
    bounds[-1] = n_layers
    return tuple(stop - start for start, stop in pairwise(bounds))


def _margin_bytes(device: Device) -> int:
    return _MARGIN_BYTES + round(device.total_bytes * _MARGIN_SHARE)
