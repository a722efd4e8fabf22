"""`python -m tests.docs.screenshots`: pictures of the manual's first page and of the dashboard, to be looked at.

They go to `docs/images/screens`, in 256 colours, so that they stay small.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from tests.docs.manual import ROOT
from tests.frontend import rig

SCREENS = ROOT / "docs/images/screens"
WINDOWS = {"light": (1280, "light"), "dark": (1280, "dark"), "390": (390, "light"), "390-dark": (390, "dark")}
COLOURS = 256
CIDS = 5_000


def main() -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, rig.chromium() as browser:
        manual = Path(folder, "manual")
        subprocess.run([sys.executable, "-m", "sphinx", "-q", "-b", "html", ROOT / "docs", manual], check=True)
        for name, window in WINDOWS.items():
            with _opened(browser, *window) as page:
                page.goto((manual / "index.html").as_uri())
                _keep(page, f"landing-{name}.png")
        with rig.dashboard(Path(folder), CIDS) as address:
            for name, window in WINDOWS.items():
                with _opened(browser, *window) as page:
                    _run_a_trace(page, address)
                    _keep(page, f"dashboard-{name}.png")


@contextmanager
def _opened(browser: Any, width: int, scheme: str) -> Iterator[Any]:
    with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme) as context:
        yield context.new_page()


def _run_a_trace(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".chip")
    page.fill("[name=keys]", str(CIDS))
    rig.wait_for(page, "document.querySelector('#decision .badge') && !document.querySelector('#start').disabled")
    page.click("#start")
    rig.wait_for(page, "document.querySelector('#state').dataset.state === 'complete'")
    rig.wait_for(page, "document.querySelector('#memory polyline')")


def _keep(page: Any, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(SCREENS / name, optimize=True)


if __name__ == "__main__":
    main()
