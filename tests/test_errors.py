from __future__ import annotations

import inspect
import re
from pathlib import Path

from mesbatch import errors

GUIDE = Path(__file__).parents[1] / "docs/errors.md"
CLASSES = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}


def test_every_error_stands_in_the_guide():
    """The guide's list is made from the docstrings, so each class needs one of its own."""
    assert ".. automodule:: mesbatch.errors\n   :members:" in GUIDE.read_text()
    assert [name for name, cls in CLASSES.items() if not cls.__doc__] == []
    assert [name for name, cls in CLASSES.items() if inspect.getmodule(cls) is not errors] == []


def test_the_guide_names_no_error_that_does_not_exist():
    rows = re.findall(r"^\| (`.*?) \|", GUIDE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 15
    assert named <= set(CLASSES)
