"""The manual as Sphinx builds it, in a real browser: `tox -e docs` runs this."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.manual import ROOT
from tests.frontend import rig

pytest.importorskip("sphinx", reason="sphinx is not installed: `tox -e docs` has it")

WINDOWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
TOO_WIDE = """[...document.querySelectorAll('pre')].filter((block) => block.scrollWidth > block.clientWidth)
    .map((block) => block.textContent.slice(0, 100))"""


@pytest.fixture(scope="module")
def browser():
    with rig.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """The folder of the built pages."""
    built = tmp_path_factory.mktemp("manual")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ROOT / "docs", built]
    subprocess.run(command, check=True)
    return built


@pytest.fixture(scope="module")
def wide(browser):
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context.new_page()


def test_no_code_needs_scrolling_in_a_window_of_1280_pixels(wide, manual):
    found = {}
    for path in sorted(manual.glob("*.html")):
        wide.goto(path.as_uri())
        found[path.name] = wide.evaluate(TOO_WIDE)
    assert len(found) > 30
    assert {name: blocks for name, blocks in found.items() if blocks} == {}


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.parametrize("name", ["index", "api", "cli", "coming-from"])
def test_axe_finds_nothing_on_the_page(browser, manual, name, width, scheme):
    with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((manual / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert rig.axe(page) == []
