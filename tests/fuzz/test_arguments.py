"""Any list of arguments: the command ends with 0, 1 or 2 and a message, never with a traceback."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from random import Random

import click
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

from mesbatch.cli import COMMANDS, main
from tests.fuzz.arguments import JUNK, SQL, VALUES
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.damage import damaged, seeds


class Shell:
    """A folder with a database and files, good and broken ones, where commands run."""

    def __init__(self, folder):
        self.folder = folder
        with contextlib.closing(sqlite3.connect(folder / "db.sqlite")) as con, con:
            con.execute("create table t (a integer, b text)")
            con.executemany("insert into t values (?, ?)", [(n, f"x{n}" if n % 3 else None) for n in range(10)])
        (folder / "q.sql").write_text("select * from t")
        (folder / "keys.txt").write_text("1\n2\n\n5\n")
        (folder / "broken.bin").write_bytes(b"\xff\xfe\0\n" * 50)
        (folder / "rows.csv").write_text("a,b\n1,2\n")
        for out in (["done.csv"], PARTS):
            assert self.run([*EXPORT, *out]).exit_code == 0
        self.kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def run(self, arguments):
        with contextlib.chdir(self.folder):
            return CliRunner().invoke(main, arguments, input="", prog_name="mesbatch")

    def check(self, arguments):
        result = self.run(arguments)
        self._tidy()
        assert result.exit_code in (0, 1, 2), (result.exit_code, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        if "unexpected extra argument" not in result.output:  # click shows a stray word as it was typed
            assert "secret" not in result.output
        assert result.exit_code == 0 or result.output.strip() or "doctor" in arguments, "it failed without a word"
        return str(result.exit_code)

    def _tidy(self):
        """Put back what a command replaced, and take away what it wrote."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and path not in self.kept:
                path.unlink()
        for path, data in self.kept.items():
            if not path.exists() or path.read_bytes() != data:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)

    def damage(self, seed):
        """Verify an output, or go on with it, where a file of it is damaged: rows that differ are always refused."""
        chance = Random(seed)
        outputs = {"done.csv": self.folder, "parts/": self.folder / "parts"}
        out = chance.choice(list(outputs))
        names = [path for path in self.kept if path.parent == outputs[out] and ("done" in path.name or out == "parts/")]
        path = chance.choice(names)
        data = damaged(self.kept[path], seed)
        path.write_bytes(data)
        command = chance.choice([["verify", out], ["verify", out], [*EXPORT, *PARTS, "--resume"]])
        ending = self.check(command)
        if command[0] == "verify" and "manifest" not in path.name and data != self.kept[path]:
            assert ending == "1", path
        return ending


PARTS = ["parts/", "--format", "csv"]
EXPORT = ["export", "--url", "sqlite:///db.sqlite", "--sql", "select * from t", "--out"]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith(("TRACE_", "MESBATCH_PASSWORD", "REDIS"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

        def unbuilt(url, cids):
            raise click.ClickException("a warehouse is not built here: it takes minutes")

        monkeypatch.setattr("mesbatch.cli.demo._build_once", unbuilt)
        yield Shell(tmp_path_factory.mktemp("shell"))


def options_of(command):
    found = main.get_command(click.Context(main), command)
    return [parameter for parameter in found.params if parameter.name != "help"]


def arguments_of(seed):
    chance = Random(seed)
    command = chance.choice([*COMMANDS, *["export"] * 10, *["verify"] * 3])
    words = [command]
    for parameter in options_of(command):
        wanted = 0.97 if parameter.required else 0.12
        if chance.random() > wanted:
            continue
        value = chance.choice(VALUES.get(parameter.name, JUNK))
        if isinstance(parameter, click.Argument):
            words.append(value)
        elif parameter.is_flag:
            words.append(parameter.opts[0])
        else:
            words += [parameter.opts[0], value]
    if command == "export" and chance.random() < 0.8:
        words += ["--sql", chance.choice(SQL)]
    for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):
        words.insert(chance.randrange(len(words) + 1), chance.choice(JUNK))
    return words


TEXTS = st.lists(
    st.one_of(st.text(st.characters(exclude_characters="\0"), max_size=20), st.sampled_from([*COMMANDS, *JUNK])),
    max_size=5,
)


@pytest.mark.parametrize("arguments", corpus("arguments"), ids=" ".join)
def test_kept_arguments_end_with_a_message(shell, arguments):
    shell.check(arguments)


def test_any_arguments_end_with_a_message(shell):
    endings = fuzz_briefly(lambda seed: shell.check(arguments_of(seed)), 120, seed=seeds())
    assert min(endings["0"], endings["1"], endings["2"]) > 3, endings


def test_any_texts_end_with_a_message(shell):
    fuzz_briefly(shell.check, 60, arguments=TEXTS)


def test_a_damaged_output_is_verified_or_refused(shell):
    endings = fuzz_briefly(shell.damage, 60, seed=seeds())
    assert endings["1"] > 20, endings


@pytest.mark.long
@pytest.mark.timeout(3 * TIMEOUT)
def test_minutes_of_arguments_end_with_a_message(shell):
    fuzz_long(lambda seed: shell.check(arguments_of(seed)), seed=seeds())
    fuzz_long(shell.check, arguments=TEXTS)
    fuzz_long(shell.damage, seed=seeds())
