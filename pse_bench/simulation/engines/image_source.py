"""Responses of a shoebox by image sources: every image at its exact time, all of a plane of them at once.

An image's pulse falls between samples. It is laid onto a grid eight times finer as a weight and a first moment
about its cell, so that the grid's spectrum is the images' own up to the second order of what is left of the
delay; one transform back gives the response, band-limited below half the sample rate.

Source of the model: J. B. Allen, D. A. Berkley, "Image method for efficiently simulating small-room acoustics",
JASA 65, 1979, eq. 8. Gain is 1 at one metre.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SPEED_OF_SOUND = 343.0

LEAD = 40
"""Samples before time zero that a response begins with: half the width of the band-limited pulse."""

FINE = 8
"""Cells a sample. With them an image is off by -48 dB at the upper end of the band, -55 dB on average."""

ROLL_OFF = 0.85
"""From this share of half the sample rate on, responses fade to nothing at half the rate."""

DIRECTIONS = 16
STEP_S = 0.002

ONSET_S = 0.030
"""The mean pressure of the images is taken away gradually from the direct sound on."""

WALLS = ("x=0", "x=length", "y=0", "y=width", "z=0", "z=height")


@dataclass(frozen=True)
class Images:
    """The images of one source within ``reach_m`` of the microphone.

    They are the planes of the first axis times the points of the other two, nearest first: plane ``i`` has the
    first ``counts[i]`` points. ``hits`` of an axis, shape (2, num_coordinates), counts reflections at its walls.
    """

    size_m: tuple[float, ...]
    direct_m: float
    reach_m: float
    planes_m: np.ndarray  # (num_planes,): distance from the microphone along the first axis
    points_m2: np.ndarray  # (num_points,): squared distance along the other two
    counts: np.ndarray  # (num_planes,)
    axes: tuple[int, int, int]  # which axis of the room is the first, second, third
    hits: tuple[np.ndarray, np.ndarray, np.ndarray]
    second: np.ndarray  # (num_points,): index of the coordinate on the second axis
    third: np.ndarray

    def __len__(self) -> int:
        return int(self.counts.sum())


def along(length_m: float, source_m: float, microphone_m: float, reach_m: float) -> tuple[np.ndarray, np.ndarray]:
    """A source's images along one axis: offsets from the microphone in metres, shape (num,), and the number of
    reflections at the wall at 0 and at the one at ``length_m``, shape (2, num)."""
    most = math.ceil(reach_m / (2 * length_m)) + 1
    n = np.arange(-most, most + 1)
    offset_m = np.concatenate([2 * n * length_m + source_m, 2 * n * length_m - source_m]) - microphone_m
    at_zero = np.concatenate([np.abs(n), np.abs(n - 1)])
    at_length = np.concatenate([np.abs(n), np.abs(n)])
    near = np.abs(offset_m) <= reach_m
    return offset_m[near], np.stack([at_zero[near], at_length[near]])


def images(
    size_m: Sequence[float], source_m: Sequence[float], microphone_m: Sequence[float], reach_m: float
) -> Images:
    """All images of a source that are at most ``reach_m`` metres away from the microphone."""
    found = [along(*given, reach_m) for given in zip(size_m, source_m, microphone_m, strict=True)]
    # few planes with many points each: the points of a plane are one vector
    a, b, c = sorted(range(3), key=lambda axis: len(found[axis][0]))
    squares = (found[b][0] ** 2)[:, None] + (found[c][0] ** 2)[None]
    second, third = np.nonzero(squares <= reach_m**2)
    points_m2 = squares[second, third]
    order = np.argsort(points_m2, kind="stable")
    points_m2 = points_m2[order]
    planes_m, direct_m = found[a][0], math.dist(source_m, microphone_m)
    counts = np.searchsorted(points_m2, reach_m**2 - planes_m**2, side="right")
    axes, hits = (a, b, c), (found[a][1], found[b][1], found[c][1])
    indices = second[order], third[order]
    return Images(tuple(size_m), direct_m, reach_m, planes_m, points_m2, counts, axes, hits, *indices)


def num_images(size_m: Sequence[float], reach_m: float) -> float:
    """About how many images of a source lie within reach: the sphere's volume over the room's."""
    return 4 / 3 * math.pi * reach_m**3 / math.prod(size_m)


def response(source: Images, reflection: Sequence[float], sample_rate: int) -> np.ndarray:
    """The response of one source, float32, shape (num_samples,), beginning ``LEAD`` samples before time zero;
    ``reflection`` is the pressure reflection factor of each of the ``WALLS``."""
    from scipy.fft import irfft, rfft

    per_metre = sample_rate / SPEED_OF_SOUND
    length = 2 * LEAD + math.ceil(source.reach_m * per_metre)
    size = _transform_length(length + LEAD)
    cells = _lay(source, reflection, per_metre * FINE, size * FINE)
    # one row an interleaved grid; put together by Horner's rule
    parts = rfft(np.ascontiguousarray(cells.view(np.float32).reshape(size, 2 * FINE).T), axis=1)
    advance, weight, moment = _filters(size)
    weights, moments = parts[-2:]
    for cell in range(FINE - 2, -1, -1):
        weights *= advance
        weights += parts[2 * cell]
        moments *= advance
        moments += parts[2 * cell + 1]
    spectrum = weight * weights + moment * moments
    samples = irfft(spectrum, size)
    first = int(source.direct_m * per_metre)
    samples[:first] = 0  # the direct sound's own pulse begins here
    samples[first + LEAD :] -= _mean_pressure(source, reflection, sample_rate, size - LEAD)[first:]
    return samples[:length]


def loss_rates(size_m: Sequence[float], walls: Sequence[float]) -> np.ndarray:
    """Nepers a second that sound loses on a straight way through the images, in all directions: as many equally
    likely values as ``DIRECTIONS``; ``walls`` are the nepers that a reflection at each of the ``WALLS`` costs."""
    grid = (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    up, angle = grid[:, None], grid * (math.pi / 2)
    level = np.sqrt(1 - up**2)
    x, y, z = ((walls[2 * axis] + walls[2 * axis + 1]) / (2 * length_m) for axis, length_m in enumerate(size_m))
    rates = np.sort((level * (np.cos(angle) * x + np.sin(angle) * y) + up * z).ravel())
    return SPEED_OF_SOUND * rates.reshape(DIRECTIONS, -1).mean(axis=1)


def _mean_pressure(source: Images, reflection: Sequence[float], sample_rate: int, num_samples: int) -> np.ndarray:
    """What the images of a room add up to on average, from time zero on, float32, shape (num_samples,).

    They all push in the same direction, and the more of them arrive in a sample the more they pile up: a pressure
    that is no sound, for it varies more slowly than the lowest mode of the room. It is known in closed form:
    the number of images a second grows like 4 pi c^3 t^2 / V, the pressure of one falls like 1 / (c t).
    """
    rates = loss_rates(source.size_m, [-math.log(factor) for factor in reflection])
    seconds = np.arange(math.ceil(num_samples / sample_rate / STEP_S) + 1) * STEP_S
    kept = np.exp(-rates[:, None] * seconds).mean(axis=0)
    mean = 4 * math.pi * SPEED_OF_SOUND**2 / math.prod(source.size_m) / sample_rate * seconds * kept
    mean *= smooth_step((seconds - source.direct_m / SPEED_OF_SOUND) / ONSET_S)
    return np.interp(np.arange(num_samples) / sample_rate, seconds, mean).astype(np.float32)


def _lay(source: Images, reflection: Sequence[float], cells_per_metre: float, num_cells: int) -> np.ndarray:
    """Images on the fine grid, complex64, shape (num_cells,): real the sum of weights in a cell, imaginary of
    weights times the place within the cell, from -1/2 to 1/2."""
    gains = [_gains(hits, reflection[2 * a : 2 * a + 2]) for a, hits in zip(source.axes, source.hits, strict=True)]
    points = (gains[1][source.second] * gains[2][source.third] * cells_per_metre).astype(np.float32)
    points_2 = (source.points_m2 * cells_per_metre**2).astype(np.float32)
    planes_2 = (source.planes_m**2 * cells_per_metre**2).astype(np.float32)
    planes = gains[0].astype(np.float32)
    cells = np.zeros(num_cells, np.complex64)
    # single precision is good to 1/1000 of a sample at 200 m and twice as fast; room for one plane
    most = int(source.counts.max())
    scratch = np.empty((3, most), np.float32)
    indices = np.empty(most, np.intp)
    pairs = np.empty((most, 2), np.float32)
    for count, plane_2, plane in zip(source.counts, planes_2, planes, strict=True):
        if count == 0:
            continue
        place, gain, whole = scratch[:, :count]
        index, pair = indices[:count], pairs[:count]
        np.add(points_2[:count], plane_2, out=place)
        np.sqrt(place, out=place)
        np.multiply(points[:count], plane, out=gain)
        np.divide(gain, place, out=gain)
        np.floor(place, out=whole)
        index[:] = whole
        place -= whole
        place -= np.float32(0.5)
        place *= gain
        pair[:, 0], pair[:, 1] = gain, place
        np.add.at(cells, index, pair.view(np.complex64)[:, 0])
    return cells


def _gains(hits: np.ndarray, reflection: Sequence[float]) -> np.ndarray:
    """The product of an axis's reflections for each coordinate. Powers by multiplication: alike everywhere."""
    at_zero, at_length = (
        np.cumprod(np.concatenate([[1.0], np.full(int(count.max()), factor)]))[count]
        for count, factor in zip(hits, reflection, strict=True)
    )
    return at_zero * at_length


def _transform_length(least: int) -> int:
    """A good length, of a few an octave only, so that filters are made once."""
    power = max(0, (least - 1).bit_length() - 4)
    return next(few << power for few in (8, 9, 10, 12, 14, 15, 16) if few << power >= least)


def smooth_step(x: np.ndarray) -> np.ndarray:
    """From 0 at 0 to 1 at 1, with two continuous derivatives."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


@lru_cache(maxsize=16)
def _filters(size: int) -> tuple[np.ndarray, ...]:
    """By frequency: a cell's delay, and the factors of weights and of moments.

    Of exp(-jwe) for e from -1/2 to 1/2, the first two are the best fit by a constant and a line.
    """
    bins = np.arange(size // 2 + 1)
    w = 2 * np.pi * bins / (size * FINE)
    weight = np.sinc(w / (2 * np.pi))
    safe = np.maximum(w, 1e-2)  # below it the difference of the two terms is lost to rounding
    moment = -12j * (2 * np.sin(safe / 2) / safe**2 - np.cos(safe / 2) / safe)
    moment *= w / safe
    pulse = _pass_band(bins * (2 / size)) * np.exp(-1j * w * (0.5 + LEAD * FINE))
    return (
        np.exp(-1j * w).astype(np.complex64),
        (weight * pulse).astype(np.complex64),
        (moment * pulse).astype(np.complex64),
    )


def band_limited(samples: np.ndarray) -> np.ndarray:
    """A signal with the band of a response: float64, shape (num_samples,)."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(samples), real=True)
    spectrum = rfft(samples.astype(np.float64), size)
    share = np.arange(len(spectrum)) * (2 / size)
    spectrum *= _pass_band(share)
    return irfft(spectrum, size)[: len(samples)]


def _pass_band(share: np.ndarray) -> np.ndarray:
    """What is left at a share of half the sample rate."""
    return 1 - smooth_step((share - ROLL_OFF) / (1 - ROLL_OFF))
