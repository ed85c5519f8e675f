"""Finds a place for the name of each point of a scatter plot so that no name covers another or a point."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF

_GAP_PX = 11.0
_RING_STEP_PX = 9.0
_N_RINGS = 26
_EDGE_STEP_PX = 2.0
_LEADER_FROM_PX = 20.0
"""A name further away than this from its point is tied to it by a line."""
_ANGLES = (0, -45, 45, 180, -135, 135, -90, 90, -20, 20, -70, 70, -160, 160, -110, 110)
_DIRECTIONS = tuple((math.cos(math.radians(angle)), math.sin(math.radians(angle))) for angle in _ANGLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPoint:
    """A point that wants its name beside it. All lengths in pixels."""

    at: QPointF
    label: QSizeF
    symbol: QRectF
    """What the point's symbol covers; no label may lie on it."""
    bars: tuple[QLineF, ...] = ()
    """Its error bars; labels keep off them while there is room elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLabel:
    """Where a name goes."""

    rect: QRectF
    leader: QLineF | None
    """From the point to its name, where they are not next to each other."""


def place_labels(points: Sequence[LabelledPoint], bounds: QRectF) -> list[PlacedLabel | None]:
    """Place each label as near to its point as the others allow.

    Points with little room go first. The same input always gives the same picture.

    Args:
        points: The points, any order.
        bounds: Where labels may lie.

    Returns:
        One place for each point, in the order given; ``None`` where no room is left.
    """
    placed: list[PlacedLabel | None] = [None] * len(points)
    taken: list[QRectF] = [point.symbol for point in points]
    leaders: list[QLineF] = []
    bars = [bar for point in points for bar in point.bars]
    for position in _most_crowded_first(points):
        found = None
        for place in _places(points[position], bounds):
            if not _free(place, taken, leaders):
                continue
            found = found or place
            if not any(_crosses(bar, place.rect) for bar in bars):
                found = place
                break
        if found is None:
            continue
        placed[position] = found
        taken.append(found.rect)
        if found.leader is not None:
            leaders.append(found.leader)
    return placed


def place_in_column(points: Sequence[LabelledPoint], column: QRectF) -> list[PlacedLabel | None]:
    """Place many labels below each other beside the plot, in the order of their points, tied to them by lines.

    Args:
        points: The points, any order.
        column: Room for the labels, free of points.

    Returns:
        One place for each point, in the order given; ``None`` where the column is full.
    """
    order = sorted(range(len(points)), key=lambda position: (points[position].at.y(), -points[position].at.x()))
    tops: list[float] = []
    bottom = column.top()
    for position in order:
        height = points[position].label.height()
        tops.append(max(bottom, points[position].at.y() - height / 2))
        bottom = tops[-1] + height
    # What has run out at the bottom pushes the labels above it up again.
    below = column.bottom()
    for place, position in reversed(list(enumerate(order))):
        tops[place] = min(tops[place], below - points[position].label.height())
        below = tops[place]
    placed: list[PlacedLabel | None] = [None] * len(points)
    for top, position in zip(tops, order, strict=True):
        label = points[position].label
        if top >= column.top():
            rect = QRectF(column.left(), top, min(label.width(), column.width()), label.height())
            leader = QLineF(points[position].at, QPointF(rect.left(), rect.center().y()))
            placed[position] = PlacedLabel(rect=rect, leader=leader)
    return placed


def _most_crowded_first(points: Sequence[LabelledPoint]) -> list[int]:
    def nearest_px(position: int) -> float:
        at = points[position].at
        others = (QLineF(at, other.at).length() for index, other in enumerate(points) if index != position)
        return min(others, default=math.inf)

    return sorted(range(len(points)), key=lambda position: (nearest_px(position), points[position].at.y(), position))


def _places(point: LabelledPoint, bounds: QRectF) -> Iterator[PlacedLabel]:
    """Rings of growing radius around the point, then every line at the right edge."""
    width, height = point.label.width(), point.label.height()
    at_x, at_y = point.at.x(), point.at.y()
    for ring in range(_N_RINGS):
        radius = _GAP_PX + ring * _RING_STEP_PX
        for across, down in _DIRECTIONS:
            left = at_x + across * (radius + width / 2) - width / 2
            top = at_y + down * (radius + height / 2) - height / 2
            rect = QRectF(left, top, width, height)
            if bounds.contains(rect):
                yield PlacedLabel(rect=rect, leader=_leader(point.at, rect))
    top = bounds.top()
    while top + height <= bounds.bottom():
        rect = QRectF(bounds.right() - width, top, width, height)
        yield PlacedLabel(rect=rect, leader=_leader(point.at, rect))
        top += _EDGE_STEP_PX


def _free(place: PlacedLabel, taken: Sequence[QRectF], leaders: Sequence[QLineF]) -> bool:
    if any(place.rect.intersects(other) for other in taken):
        return False
    return not any(_crosses(leader, place.rect) for leader in leaders)


def _crosses(line: QLineF, rect: QRectF) -> bool:
    if rect.contains(line.p1()) or rect.contains(line.p2()):
        return True
    corners = (rect.topLeft(), rect.topRight(), rect.bottomRight(), rect.bottomLeft())
    bounded = QLineF.IntersectionType.BoundedIntersection
    return any(
        line.intersects(QLineF(start, end))[0] == bounded
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True)
    )


def _leader(at: QPointF, rect: QRectF) -> QLineF | None:
    end = QPointF(
        min(max(at.x(), rect.left()), rect.right()),
        min(max(at.y(), rect.top()), rect.bottom()),
    )
    line = QLineF(at, end)
    return line if line.length() > _LEADER_FROM_PX else None
