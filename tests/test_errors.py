"""The tree of errors, and the guide's page about it."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import mesbatch
from mesbatch import errors
from mesbatch.errors import MesbatchError

GUIDE = Path(__file__).parents[1] / "docs/errors.md"
CLASSES = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type)}
BRANCHES = [
    errors.SourceError, errors.QueryError, errors.DataError, errors.BudgetError, errors.AdmissionError,
    errors.StoreError, errors.JobError, errors.ExportError, errors.ClientError,
]  # fmt: skip
ALONE = [errors.InvalidSetting]  # the only error of its concern

# Importable from mesbatch.errors before there was a tree, and ever after.
OLD_NAMES = """
MesbatchError UnknownSource StatementError NotSplittable TooManyKeys KeyColumnError InvalidKey ColumnNameError
PolicyError UnknownProfile InvalidLimit PermitTooLarge LimiterBusy PermitReleased PermitLost LimiterUnavailable
RowTooLarge KeyMismatch SchemaChanged UnencodableValue ReadInterrupted ConnectionClosed ConnectionLost DatabaseTimeout
DatabaseBusy SnapshotTooOld ExportError OutputExists SpillError GroupsClosed CorruptChunk JobNotFound InvalidJobId
JobNotComplete JobFailed StatusConflict LeaseHeld LeaseLost ResultExpired InvalidDomain InvalidPage ChunkLost
ResultChanged ResultStoreFull StoreUnavailable StoreRefused InvalidJob NoWorker RequestRefused InvalidRequest
BodyTooLarge NotAcceptable NoPrincipal ClientTooSlow InvalidSetting
"""


def draw(cls: type[MesbatchError], margin: str = "") -> Iterator[str]:
    """The lines of the tree below *cls*, in the order of the definitions."""
    below = [sub for sub in CLASSES.values() if cls in sub.__bases__]
    for sub in below:
        is_last = sub is below[-1]
        own = [base.__name__ for base in sub.__bases__ if base.__name__ in vars(builtins)]
        python = f" ({', '.join(own)})" if own else ""
        yield f"{margin}{'└── ' if is_last else '├── '}{sub.__name__}{python}{' · retryable' if sub.retryable else ''}"
        yield from draw(sub, margin + ("    " if is_last else "│   "))


def named_below(heading: str) -> list[str]:
    """The errors in the first column of the table that follows *heading*."""
    section = GUIDE.read_text().partition(f"# {heading}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_the_guide_shows_the_tree_of_the_classes():
    shown = re.search(r"```text\n(MesbatchError\n.*?)\n```", GUIDE.read_text(), re.DOTALL)
    assert shown
    assert shown[1].splitlines() == ["MesbatchError", *draw(MesbatchError)]


def test_every_error_stands_below_exactly_one_branch():
    assert [cls for cls in CLASSES.values() if MesbatchError in cls.__bases__] == BRANCHES + ALONE
    for name, cls in CLASSES.items():
        branches = [branch.__name__ for branch in BRANCHES if issubclass(cls, branch)]
        assert len(branches) == (0 if cls in (MesbatchError, *ALONE) else 1), (name, branches)


def test_a_branch_promises_nothing_about_a_second_try():
    assert [branch.__name__ for branch in (MesbatchError, *BRANCHES) if branch.retryable] == []


def test_every_error_stands_in_the_reference_of_the_guide():
    """The reference is made from the docstrings, so each class needs one of its own."""
    assert ".. automodule:: mesbatch.errors\n   :members:" in GUIDE.read_text()
    assert [name for name, cls in CLASSES.items() if not cls.__doc__] == []
    assert [name for name, cls in CLASSES.items() if inspect.getmodule(cls) is not errors] == []


def test_the_guide_says_what_concern_each_branch_has():
    assert named_below("One except clause a concern") == [cls.__name__ for cls in BRANCHES + ALONE]


def test_the_guide_gives_advice_for_every_error_and_for_no_other():
    raised = [cls for cls in CLASSES.values() if cls not in (MesbatchError, *BRANCHES)]
    raised.append(errors.ExportError)  # a branch that is raised itself
    assert sorted(named_below("Advice for each error")) == sorted(cls.__name__ for cls in raised)


def test_every_old_name_stays_importable():
    assert [name for name in OLD_NAMES.split() if name not in CLASSES] == []
    assert mesbatch.MesbatchError is MesbatchError
