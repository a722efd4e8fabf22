"""The command: which mutants of which packages, and what became of each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import tests.mutation
from tests.mutation.bench import TESTS, Bench
from tests.mutation.mutants import SOURCES, draw


def main() -> int:
    parser = argparse.ArgumentParser(description=tests.mutation.__doc__)
    parser.add_argument("packages", nargs="*", default=list(TESTS), help="folders below src/mesbatch")
    parser.add_argument("--mutants", type=int, default=30, help="of each package")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--notes", type=Path, help="a folder to keep what each test calls, for the next run")
    parser.add_argument("--longest", type=float, default=30, help="seconds of a test; longer ones are not run")
    parser.add_argument("--only", default="", help="of the mutants drawn, those with this in their words")
    asked = parser.parse_args()
    survived = 0
    for package in asked.packages or list(TESTS):
        with TemporaryDirectory() as folder:
            notes = Path(asked.notes or folder).resolve()
            bench = Bench(package, Path(folder), notes / f"{package.replace('/', '-')}.jsonl", asked.longest)
            for test in bench.noted.failed:
                print(f"  left out: {test} fails without a change", flush=True)
            drawn = [mutant for mutant in draw(package, asked.mutants, asked.seed) if asked.only in str(mutant)]
            alive = 0
            for mutant in drawn:
                killer = bench.killer(mutant)
                alive += killer is None
                fate = "survived" if killer is None else "killed  "
                where = f"{mutant.path.relative_to(SOURCES)} {mutant.told}"
                print(f"  {fate} {where}{f'  by {killer}' if killer else ''}", flush=True)
        survived += alive
        print(f"{package}: {len(drawn) - alive} of {len(drawn)} killed", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
