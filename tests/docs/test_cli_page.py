from __future__ import annotations

import os
import shlex
from pathlib import Path

import click
import pytest

from mesbatch.cli import main
from tests.docs.cli_page import EXAMPLES, page

pytest.importorskip("flask", reason="flask is not installed")

PAGE = Path(__file__).parents[2] / "docs/cli.md"


def test_the_page_of_the_command_line_is_what_click_says():
    """``MESBATCH_WRITE_CLI=1`` writes it."""
    written = page()
    if os.environ.get("MESBATCH_WRITE_CLI"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines.splitlines()])
def test_every_example_on_it_has_options_that_exist(line):
    _, name, *words = shlex.split(line)
    command = main.get_command(click.Context(main), name)
    command.make_parser(click.Context(command)).parse_args(words)
