"""Faults between the driver and Oracle: no row is lost or doubled, no dead session is touched."""

from __future__ import annotations

import signal
import subprocess
import sys
from time import monotonic

import oracledb
import pytest

from mesbatch import OracleSource, read_sql_iter
from mesbatch.errors import ConnectionLost, DatabaseTimeout, ReadInterrupted, SnapshotTooOld
from mesbatch.events import PartRetried
from mesbatch.read.lane import Lane
from mesbatch.source.connect import find_source
from tests.rig.threads import threads_of_reads

ROWS = 6_000
SQL = "select id, cid, note from events where cid in (:keys)"
KEYS = list(range(100))
EXPECTED = sorted((n, n % 100) for n in range(ROWS))
STRATEGIES = ["in-list", "array", "temporary-table"]

# The driver loses sight of a socket whose other end has gone.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("oracle_server"),
]


@pytest.fixture(scope="module", autouse=True)
def tables(oracle):
    oracle.make_table("events", "id number(9), cid number(9), note varchar2(200)", [
        (n, n % 100, "x" * 100) for n in range(ROWS)
    ])  # fmt: skip


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))


@pytest.fixture(autouse=True)
def nothing_is_left(oracle_server):
    yield
    oracle_server.clear_faults()
    assert threads_of_reads() == []


def collect(reader):
    with reader:
        return [row for batch in reader for row in batch.rows]


def check_keyed(reader, events):
    rows = collect(reader)
    assert sorted(row[:2] for row in rows) == EXPECTED
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    assert reader.manifest.complete
    return [event for event in events if isinstance(event, PartRetried)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop", "after": 2_500},
        {"kind": "reset", "after": 2_500},
        {"kind": "fail", "after": 2_500, "code": 1555},
        {"kind": "fail", "after": 2_500, "code": 28},
        {"kind": "fail", "after": 0, "code": 3113},
    ],
    ids=["drop", "reset", "snapshot too old", "killed", "before the first row"],
)
def test_a_fault_in_a_keyed_read_costs_no_row_and_doubles_none(oracle_pool, oracle_server, strategy, fault):
    events = []
    oracle_server.fault(**fault, match="events")
    reader = read_sql_iter(SQL, oracle_pool, keys=KEYS, strategy=strategy, batch_size=300, on_event=events.append)
    assert len(check_keyed(reader, events)) == 1


@pytest.mark.parametrize("row", [1, 2, 3, 102, 1_001, 5_999, 6_000])
def test_wherever_a_connection_breaks(oracle_pool, oracle_server, row):
    events = []
    oracle_server.fault("drop", row, match="events")
    check_keyed(read_sql_iter(SQL, oracle_pool, keys=KEYS, batch_size=300, on_event=events.append), events)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "drop", "after": 2_500}, ConnectionLost),
        ({"kind": "reset", "after": 2_500}, ConnectionLost),
        ({"kind": "fail", "after": 2_500, "code": 28}, ConnectionLost),
        ({"kind": "fail", "after": 2_500, "code": 1555}, SnapshotTooOld),
    ],
    ids=["drop", "reset", "killed", "snapshot too old"],
)
def test_one_query_that_breaks_says_how_far_it_came(oracle_pool, oracle_server, fault, reason):
    oracle_server.fault(**fault, match="events")
    reader = read_sql_iter("select id, cid from events", oracle_pool, batch_size=100)
    with pytest.raises(ReadInterrupted, match="rows were delivered before") as caught:
        collect(reader)
    assert isinstance(caught.value.__cause__, reason)
    assert isinstance(caught.value.__cause__.__cause__, oracledb.Error)
    assert reader.manifest.status == "failed"
    assert oracle_pool.opened == 0  # the connection did not go back


def test_a_fault_that_stays_is_a_named_gap_or_an_error(oracle_pool, oracle_server):
    oracle_server.fault("drop", 500, times=None, match="events")
    with pytest.raises(ConnectionLost):  # no batch was full before it
        collect(read_sql_iter(SQL, oracle_pool, keys=KEYS, strategy="array", batch_size=10_000))
    reader = read_sql_iter(SQL, oracle_pool, keys=KEYS, strategy="array", batch_size=300, on_failure="partial")
    rows = collect(reader)
    (failed,) = reader.manifest.failed
    assert {row[1] for row in rows} == set(KEYS) - set(range(failed.first, failed.last + 1))
    assert len(rows) == 60 * reader.manifest.keys_read


def test_a_server_that_drops_all_sessions_costs_no_row_of_a_keyed_read(oracle_pool, oracle_server):
    with read_sql_iter(SQL, oracle_pool, keys=KEYS, batch_size=50) as reader:
        rows = list(next(reader).rows)
        oracle_server.drop_sessions()
        rows += [row for batch in reader for row in batch.rows]
    assert sorted(row[:2] for row in rows) == EXPECTED


def test_sessions_that_a_dba_kills_cost_no_row_either(oracle_pool, oracle_server):
    with read_sql_iter(SQL, oracle_pool, keys=KEYS, batch_size=50, parallel=2) as reader:
        rows = list(next(reader).rows)
        oracle_server.kill_sessions()
        rows += [row for batch in reader for row in batch.rows]
    assert sorted(row[:2] for row in rows) == EXPECTED


def test_a_restart_of_the_database_costs_no_row_of_a_keyed_read(oracle_pool, oracle_server):
    with read_sql_iter(SQL, oracle_pool, keys=KEYS, batch_size=50) as reader:
        rows = list(next(reader).rows)
        oracle_server.restart()
        rows += [row for batch in reader for row in batch.rows]
    assert sorted(row[:2] for row in rows) == EXPECTED


def test_a_consistent_read_is_never_begun_again(oracle_pool, oracle_server):
    oracle_server.fault("drop", 2_500, match="events")
    with pytest.raises(ReadInterrupted):
        collect(read_sql_iter(SQL, oracle_pool, keys=KEYS, consistent=True, batch_size=300))


@pytest.mark.parametrize(
    ("fault", "keyed"),
    [
        ({"kind": "stall", "after": 2_500, "seconds": 3_600}, False),
        ({"kind": "stall", "after": 2_500, "seconds": 3_600}, True),
        ({"kind": "deaf", "seconds": 3_600}, True),
        ({"kind": "delay", "seconds": 3_600}, False),
        ({"kind": "trickle", "seconds": 0.4}, False),
    ],
    ids=["stall in mid-response", "stall, keys", "unanswered break, keys", "slow statement", "trickle"],
)
def test_the_deadline_ends_a_read_whatever_the_server_does(oracle_pool, oracle_server, fault, keyed):
    oracle_server.fault(**fault, times=None, match="events")
    sql = SQL if keyed else "select id, cid, note from events"
    begin = monotonic()
    reader = read_sql_iter(sql, oracle_pool, keys=KEYS if keyed else None, timeout=0.5)
    with pytest.raises(DatabaseTimeout, match=r"timeout=0\.5 s"):
        collect(reader)
    assert monotonic() - begin < 10
    assert oracle_pool.busy == oracle_pool.opened == 0


@pytest.mark.parametrize("fault", [{"kind": "deaf", "seconds": 3_600}, {"kind": "stall", "after": 10, "seconds": 0.75}])
def test_a_call_timeout_ends_one_round_trip_and_its_connection(oracle_pool, oracle_server, fault):
    """DPY-4024 where the break is answered in time, DPY-4011 where it is not."""
    oracle_server.fault(**fault, match="events")
    source = OracleSource(oracle_pool, call_timeout=0.5)
    with pytest.raises((DatabaseTimeout, ConnectionLost), match=r"DPY-4024|DPY-4011"):
        collect(read_sql_iter("select id, cid, note from events", source))
    assert oracle_pool.opened == 0
    assert len(collect(read_sql_iter("select id from events", source))) == ROWS


def test_a_reader_that_is_left_while_the_server_works_gives_no_broken_connection_back(oracle_pool, oracle_server):
    with read_sql_iter("select id, cid, note from events", oracle_pool, batch_size=1_000) as reader:
        next(reader)
        oracle_server.fault("delay", seconds=3_600, times=None, match="events")
    for _ in range(3):
        with oracle_pool.acquire() as connection:
            assert connection.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_an_interrupted_connection_goes_to_no_pool(oracle_pool):
    """The interruption may still be on its way, and would hit the next user of the connection."""
    lane = Lane(find_source(oracle_pool))
    lane.session()
    assert oracle_pool.busy == 1
    lane.interrupt()
    lane.close()
    assert oracle_pool.opened == 0


def test_a_spent_connection_is_left_without_waiting_for_a_goodbye(oracle, oracle_server):
    session = find_source(oracle.connect).open()
    session.connection.cursor().execute("insert into events values (-1, -1, 'x')")  # so that closing would roll back
    with oracle_server.frozen():
        begin = monotonic()
        session.close(spent=True)
        assert monotonic() - begin < 2


# -- the driver's own crash

DEAD_SESSION = """
import oracledb
from mesbatch.source.oracle.source import limit_calls
from mesbatch.source.oracle.driver import OracleDriver
connection = oracledb.connect(user={user!r}, password={password!r}, dsn={dsn!r})
restore = limit_calls(connection, 30.0)
try:
    connection.cursor().execute("select /*+ fail_after(50, 28) */ id from events").fetchall()
except oracledb.Error as error:
    print(error.args[0].full_code, flush=True)  # before the crash
{then}
print("alive")
"""
TOUCHES = {"set_timeout": "connection.call_timeout = 0", "cancel": "connection.cancel()"}
CARE = "driver = OracleDriver(); driver.interrupt(connection); driver.cut(connection); restore()"


def run_with_a_dead_session(oracle, then):
    code = DEAD_SESSION.format(**oracle.credentials, then=then)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("touch", TOUCHES)
def test_touching_a_dead_session_ends_the_interpreter(oracle, touch):
    """The red control: without it the next test would prove nothing. Seen with oracledb 3.4.2, 4.0.2 and 26.1.0."""
    done = run_with_a_dead_session(oracle, TOUCHES[touch])
    assert done.stdout.split() == ["DPY-4011"]
    assert done.returncode == -signal.SIGSEGV


def test_nothing_of_ours_touches_a_dead_session(oracle):
    done = run_with_a_dead_session(oracle, CARE)
    assert (done.returncode, done.stdout.split()) == (0, ["DPY-4011", "alive"])


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_killed_session_under_a_reader_does_not_end_the_interpreter(oracle, timeout):
    code = f"""
import oracledb
from mesbatch import OracleSource, read_sql_iter
from mesbatch.errors import ConnectionLost
pool = oracledb.create_pool(user={oracle.credentials["user"]!r}, password={oracle.credentials["password"]!r},
                            dsn={oracle.credentials["dsn"]!r}, min=0, max=1)
sql = "select /*+ fail_after(50, 28) */ id from events"
for _ in range(3):
    try:
        with read_sql_iter(sql, OracleSource(pool, call_timeout=2.0), timeout={timeout}) as reader:
            list(reader)
    except ConnectionLost:
        reader.interrupt()
        print("lost", pool.busy, pool.opened)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split("\n")[:3] == ["lost 0 0"] * 3, done.stderr
    assert done.returncode == 0
