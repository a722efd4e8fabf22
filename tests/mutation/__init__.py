"""Mutation testing: a small change of the code that no test notices is a test that is missing.

``python -m tests.mutation sql keys --mutants 30 --seed 1``, or ``tox -e mutation``. Each mutant is one change of a copy
of ``src``, for which the tests of its package are run until one fails. It is our own, because mutants are drawn by a
seed from a whole package, and tests start processes that must import the changed code as well: a path does that.

The tests are run once without a change to note which functions each calls (`reached`). For a mutant only those
are run that call the changed function or start processes, the quick ones first. ``tests/mutation.md`` has the figures.
"""
