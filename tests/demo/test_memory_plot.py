"""The picture shows the measured memory."""

from __future__ import annotations

import pytest

from mesbatch.demo.watch import Sample, Watched
from mesbatch.units import GiB, MiB

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from mesbatch.demo.memory_plot import draw_memory

PNG = b"\x89PNG\r\n\x1a\n"


def run(seconds: float, *rss: int) -> Watched:
    samples = tuple(Sample(seconds * i / len(rss), nbytes) for i, nbytes in enumerate(rss))
    return Watched(None, seconds, 40 * MiB, max(rss, default=40 * MiB), samples)


@pytest.mark.parametrize(
    "runs",
    [
        {"mesbatch": run(1, 40 * MiB, 50 * MiB)},
        {"incident": run(60, 1 * GiB, 4 * GiB), "first repair": run(9, 2 * GiB), "mesbatch": run(4, 50 * MiB)},
        {"nobody sampled": run(3)},
        {"shrank": run(3, 30 * MiB)},
    ],
)
def test_a_picture_is_drawn_whatever_was_sampled(tmp_path, runs):
    draw_memory(tmp_path / "memory.png", "Memory", runs)

    assert (tmp_path / "memory.png").read_bytes().startswith(PNG)
