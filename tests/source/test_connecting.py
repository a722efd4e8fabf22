"""Connecting that fails says why, and no spelling of a URL brings a password anywhere."""

from __future__ import annotations

import sys
import traceback

import pytest
import sqlalchemy

from mesbatch import read_sql_iter
from mesbatch.errors import ConnectionLost, LoginRefused, MissingDriver, UnknownSource
from mesbatch.problem import problem_of
from mesbatch.read.lane import Lane
from mesbatch.source.connect import find_source
from mesbatch.source.connecting import explain
from mesbatch.source.labels import label_of

SECRET = "hunter2"
URLS = {
    "postgresql://scott:hunter2@db/x": "postgresql://db/x",
    "postgresql://scott:hunter2@db:5432/x": "postgresql://db:5432/x",
    "postgresql://scott:hunter2\n@127.0.0.1:1/db": "postgresql://127.0.0.1:1/db",
    "postgresql://scott:hun\tter2@127.0.0.1:1/db": "postgresql://127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?password=hunter2": "postgresql://127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?sslpassword=hunter2&sslmode=require": "postgresql://127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?pass%77ord=hunter2": "postgresql://127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?password=a@hunter2": "postgresql:",
    "postgresql://127.0.0.1:1/db?user=u&password=hunter2": "postgresql://127.0.0.1:1/db",
    "postgresql://u:x@hunter2@127.0.0.1:1/db": "postgresql://127.0.0.1:1/db",
    "postgresql://u:hunter2#x@127.0.0.1:1/db": "postgresql:",
    "postgresql://u:hunter2/x@127.0.0.1:1/db": "postgresql://127.0.0.1:1/db",
    "postgresql://u:hunter2?x@127.0.0.1:1/db": "postgresql:",
    "postgresql://u:hunter2": "postgresql:",
    "postgresql://u:p@[::1]:5432/db": "postgresql://[::1]:5432/db",
    "postgresql://h1:1,h2:2/db": "postgresql://h1:1,h2:2/db",
    "postgresql:///db?host=/run": "postgresql:///db",
    "oracle+oracledb://scott:hunter2@127.0.0.1:1/?service_name=x&wallet_password=hunter2": (
        "oracle+oracledb://127.0.0.1:1/"
    ),
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BX%7D%3BPWD%3Dhunter2": "mssql+pyodbc:///",
    "snowflake://u@acc/db?token=hunter2": "snowflake://acc/db",
    "sqlite:///t.db": "sqlite:///t.db",
}


@pytest.mark.parametrize(("url", "label"), URLS.items())
def test_a_label_shows_scheme_host_port_and_database_only(url, label):
    assert label_of(url) == find_source(url).label == label


@pytest.mark.parametrize("url", [*URLS, "host=127.0.0.1 port=1 user=u password=hunter2", "http://[hunter2", "hunter2"])
@pytest.mark.parametrize("keys", [None, ["a"]])
def test_no_password_comes_into_a_message_a_problem_or_a_traceback(url, keys):
    if SECRET not in url.replace("\t", "") or "@db" in url:
        pytest.skip("nothing to hide, or a host that would be looked up")
    sql = "select 1 where 'a' in (:keys)" if keys else "select 1"
    with pytest.raises(Exception) as caught:  # noqa: PT011
        next(read_sql_iter(sql, url, keys=keys))
    shown = "".join(traceback.format_exception(caught.value)) + str(problem_of(caught.value))
    lines = [line for line in shown.splitlines() if "hunter2" in line or "hun\tter2" in line]
    assert lines == []


def failure(url):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        next(read_sql_iter("select 1", url))
    return caught.value


def test_the_reasons_of_postgres_are_told_apart(postgres_url):
    pytest.importorskip("psycopg")
    base = sqlalchemy.make_url(postgres_url)
    place = f"{base.host}:{base.port}"
    told = {
        "no database": f"postgresql://postgres@{place}/nowhere",
        "no user": f"postgresql://nobody_here:hunter2@{place}/postgres",
        "no port": "postgresql://postgres@127.0.0.1:1/postgres",
        "no host": "postgresql://postgres@no-such-host.invalid/postgres",
    }
    found = {name: failure(url) for name, url in told.items()}
    assert {name: type(error) for name, error in found.items()} == {
        "no database": LoginRefused, "no user": LoginRefused, "no port": ConnectionLost, "no host": ConnectionLost,
    }  # fmt: skip
    assert f"cannot connect to postgresql://{place}/nowhere: there is no such database" in str(found["no database"])
    assert "the user or the password was refused" in str(found["no user"])
    assert "nothing listens on that port" in str(found["no port"])
    assert "the name of the host is not known" in str(found["no host"])
    assert [problem_of(error).detail for error in found.values()] == [
        *["The database does not let this user in, or there is no such database"] * 2,
        *["The database, or the way to it, went away"] * 2,
    ]


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ('FATAL:  password authentication failed for user "u"', LoginRefused, "password"),
        ("ORA-01017: invalid credential or not authorized", LoginRefused, "password"),
        ("(1045, \"Access denied for user 'u'@'h' (using password: YES)\")", LoginRefused, "password"),
        ("(1049, \"Unknown database 'x'\")", LoginRefused, "no such database"),
        ("(2003, \"Can't connect to MySQL server on 'h' ([Errno 111] Connection refused)\")", ConnectionLost, "port"),
        ("[Errno -2] Name or service not known", ConnectionLost, "name of the host"),
        ("connection timeout expired", ConnectionLost, "in time"),
        ("(2002, \"Can't connect to server on '127.0.0.1' (115)\")", ConnectionLost, "nothing listens on that port"),
        ("DPY-4001: no credentials specified", LoginRefused, "no user or no password was given"),
        ("something else", ConnectionLost, "OSError"),
    ],
)
def test_the_words_of_drivers_are_told_apart(text, kind, reason):
    error = explain("db", OSError(text))
    assert type(error) is kind
    assert reason in str(error)
    assert text not in str(error)


def test_a_missing_driver_names_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDriver, match=r"no module 'psycopg' is installed: pip install 'mesbatch\[postgres\]'"):
        next(read_sql_iter("select 1", "postgresql://u:hunter2@127.0.0.1:1/db"))
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ImportError, match="pip install 'psycopg2-binary'"):
        next(read_sql_iter("select 1", "postgresql+psycopg2://u:hunter2@127.0.0.1:1/db"))


def test_a_wrong_password_is_not_tried_again():
    assert not LoginRefused.retryable
    lane = Lane(find_source("postgresql://db/x"))
    assert not lane.is_transient(LoginRefused("no"))
    assert lane.is_transient(ConnectionLost("no"))


def test_a_client_hears_nothing_of_the_host_when_a_read_fails():
    pytest.importorskip("psycopg")
    import psycopg

    from mesbatch.source.postgres.driver import PsycopgDriver

    lane = Lane(find_source("postgresql://mes_ro:hunter2@10.20.0.7:5432/mes_prod"))
    lane._driver = PsycopgDriver()
    ours = lane.translated(psycopg.errors.AdminShutdown("terminating connection due to administrator command"))
    assert str(ours) == "postgresql://10.20.0.7:5432/mes_prod: terminating connection due to administrator command"
    assert problem_of(ours).detail == "The database, or the way to it, went away"


def test_words_for_a_client_are_those_of_the_class_or_given():
    assert ConnectionLost("x").hidden().for_client == "The database, or the way to it, went away"
    assert ConnectionLost("x").hidden("away").for_client == "away"


def test_an_unknown_dialect_is_no_source():
    with pytest.raises(UnknownSource):
        next(read_sql_iter("select 1", "nodialect://scott:hunter2@h/x"))
