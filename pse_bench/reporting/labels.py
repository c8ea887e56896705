"""Where the names of points stand in a plot: beside their points where there is room, further off at the end of a
line where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench import rng

BESIDE = (
    *((12, -6, "start"), (-12, -6, "end"), (12, 16, "start"), (-12, 16, "end")),
    *((0, -16, "middle"), (0, 26, "middle"), (12, -24, "start"), (-12, 34, "end")),
)
"""Places of a name beside its point, the best first, and how its text is anchored there."""
FAR = tuple(
    (right, down, anchor)
    for down in (-36, -52, -68, -84, -100, -116, -140, 44, 60, 76)
    for right, anchor in (
        *((0, "middle"), (16, "start"), (-16, "end"), (48, "start")),
        *((-48, "end"), (80, "start"), (-80, "end")),
    )
)
"""Places that a line ties to the point."""
PLACES = (*BESIDE, *FAR)
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""The share of a text that stands left of its place."""
ABOVE, BELOW = 11.0, 3.0
"""How far a text reaches from its place."""
KEPT = 300
"""How many places of all names are looked at together: those of each that are best without any other."""
ATTEMPTS, ROUNDS = 24, 6
"""In how many orders names are placed, and how often each in turn."""
OF_NAME, OF_LINE, OF_PIXEL, OF_EDGE = 20.0, 150.0, 1.0, 1e4
"""What is bad, in square pixels of a mark that a name covers: one of another name, a line that crosses a name, a
pixel between a point and its name, an end outside."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


@dataclass(frozen=True)
class Label:
    """Where a name goes, and how its text is anchored; ``leader`` is where the line that leads there ends."""

    x: float
    y: float
    anchor: str
    leader: tuple[float, float] | None


def placed(
    points: Sequence[tuple[float, float]], widths: Sequence[float], taken: Sequence[Box], inside: Box
) -> list[Label]:
    """A label for each point.

    Args:
        points: x and y in pixels.
        widths: of their names, in pixels.
        taken: boxes of marks that a name had better not cover.
        inside: what no name may leave.
    """
    if not points:
        return []
    boxes, ends = _candidates(np.array(points, dtype=float), np.array(widths))
    alone = _alone(np.array(points, dtype=float), boxes, ends, np.array(taken, dtype=float).reshape(-1, 4), inside)
    kept = np.argsort(alone, axis=1, kind="stable")[:, : max(KEPT // len(points), len(BESIDE))]
    own = np.arange(len(points))[:, None]
    far = kept >= len(BESIDE)
    together = _together(np.array(points, dtype=float), boxes[own, kept], ends[own, kept], far)
    chosen = _chosen(alone[own, kept], together)
    found = []
    for number, place in enumerate(kept[own[:, 0], chosen].tolist()):
        (x, y), (right, down, anchor), (to_x, to_y) = points[number], PLACES[place], ends[number, place].tolist()
        leader = (to_x, to_y) if place >= len(BESIDE) else None
        found.append(Label(round(x + right, 1), round(y + down, 1), anchor, leader))
    return found


def _candidates(points: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that names may fill, shape (points, places, 4), and where lines to them end, shape (points,
    places, 2)."""
    moved = np.array([(right, down) for right, down, _ in PLACES])
    left = points[:, :1] + moved[:, 0] - widths[:, None] * [ANCHORS[anchor] for *_, anchor in PLACES]
    base = points[:, 1:] + moved[:, 1]
    boxes = np.stack([left, base - ABOVE, left + widths[:, None], base + BELOW], axis=-1)
    ends = np.clip(points[:, None], boxes[..., :2] + [4, 0], boxes[..., 2:] - [4, 0])
    return boxes, ends.round(1)


def _alone(points: np.ndarray, boxes: np.ndarray, ends: np.ndarray, marks: np.ndarray, inside: Box) -> np.ndarray:
    """How bad each place is without any other name, shape (points, places); of equal ones the first is better."""
    outside = (boxes[..., :2] < inside[:2]).any(axis=-1) | (boxes[..., 2:] > inside[2:]).any(axis=-1)
    far = np.hypot(*np.moveaxis(ends - points[:, None], -1, 0))
    far[:, : len(BESIDE)] = 0.0
    covered = _overlaps(boxes.reshape(-1, 4), marks).sum(axis=1).reshape(outside.shape)
    return covered + OF_EDGE * outside + OF_PIXEL * far + 1e-3 * np.arange(len(PLACES))


def _together(points: np.ndarray, boxes: np.ndarray, ends: np.ndarray, far: np.ndarray) -> np.ndarray:
    """How bad each place of a name is beside each place of another, shape (points, places, points, places)."""
    number, places = far.shape
    flat = boxes.reshape(-1, 4)
    begins = np.repeat(points, places, axis=0)
    crossed = OF_LINE * (_crossings(flat, begins, ends.reshape(-1, 2)) & far.ravel())
    bad = OF_NAME * _overlaps(flat, flat) + crossed + crossed.T
    bad = bad.reshape(number, places, number, places)
    bad[np.arange(number), :, np.arange(number)] = 0.0
    return bad


def _chosen(alone: np.ndarray, together: np.ndarray) -> np.ndarray:
    """The number of the place of each name: all are least bad, as far as placing one at a time finds it."""
    number, best, least = len(alone), alone.argmin(axis=1), np.inf
    every = np.arange(number)
    for attempt in range(ATTEMPTS):
        order = rng.generator(0, "labels", attempt).permutation(number) if attempt else every
        chosen, there = np.zeros(number, dtype=int), np.zeros(number, dtype=bool)
        for _ in range(ROUNDS):
            before = chosen.copy()
            for one in order:
                bad = alone[one] + together[one][:, every[there], chosen[there]].sum(axis=1)
                chosen[one], there[one] = bad.argmin(), True
            if (chosen == before).all():
                break
        pairs = together[every[:, None], chosen[:, None], every, chosen].sum() / 2
        whole = alone[every, chosen].sum() + pairs
        if whole < least:
            best, least = chosen, whole
        if not pairs:  # no name is in another's way
            break
    return best


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Square pixels that boxes share with others, shape (boxes, others)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(high - low, 0.0).prod(axis=-1)


def _crossings(boxes: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether lines cross boxes: bool, shape (boxes, lines). Where a line ends is not looked at."""
    way = ends - begins
    way = np.where(way == 0, 1e-9, way)
    sides = [(boxes[:, None, side : side + 2] - begins) / way for side in (0, 2)]
    enters = np.minimum(*sides).max(axis=-1)
    leaves = np.maximum(*sides).min(axis=-1)
    return np.maximum(enters, 0.05) < np.minimum(leaves, 0.97)
