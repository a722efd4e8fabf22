"""The tables of the made-up warehouse."""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "mesbatch_"  # so that building again can never drop a table of somebody else


class Table(NamedTuple):
    """A table: *columns* as written in CREATE TABLE; *indexed* is the column with an index, if any."""

    name: str
    columns: tuple[str, ...]
    indexed: str | None

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.split()[0] for column in self.columns)

    @property
    def create_sql(self) -> str:
        return f"CREATE TABLE {self.name} ({', '.join(self.columns)})"

    @property
    def index_sql(self) -> str:
        return f"CREATE INDEX {self.name}_key ON {self.name} ({self.indexed})"


LOT_HISTORY = Table(
    PREFIX + "lot_history",
    (
        "CONTAINERID char(16)",
        "WORKCENTERNAME varchar(40)",
        "WORKCENTER_GROUP varchar(40)",
        "EQUIPMENTID varchar(16)",
        "EQUIPMENTNAME varchar(40)",
        "SPECNAME varchar(40)",
        "TRACKINTIMESTAMP timestamp",
        "TRACKOUTTIMESTAMP timestamp",
        "TRACKINQTY integer",
        "TRACKOUTQTY integer",
        "FINISHEDRUNCARD varchar(40)",
        "PJ_WORKORDER varchar(40)",
        "CONTAINERNAME varchar(40)",
        "PJ_TYPE varchar(40)",
        "PJ_BOP varchar(40)",
        "WAFERLOTID varchar(40)",
    ),
    "CONTAINERID",
)

LOT_MATERIALS = Table(
    PREFIX + "lot_materials",
    (
        "CONTAINERID char(16)",
        "CONTAINERNAME varchar(40)",
        "MATERIALPARTNAME varchar(40)",
        "MATERIALLOTNAME varchar(40)",
        "QTYCONSUMED numeric(12,3)",
        "WORKCENTERNAME varchar(40)",
        "SPECNAME varchar(40)",
        "EQUIPMENTNAME varchar(40)",
        "TXNDATE timestamp",
    ),
    "CONTAINERID",
)

LOT_REJECTS = Table(
    PREFIX + "lot_rejects",
    (
        "CONTAINERID char(16)",
        "CONTAINERNAME varchar(40)",
        "TXNDATE timestamp",
        "WORKCENTERNAME varchar(40)",
        "WORKCENTER_GROUP varchar(40)",
        "EQUIPMENTID varchar(16)",
        "EQUIPMENTNAME varchar(40)",
        "SPECNAME varchar(40)",
        "PRODUCTNAME varchar(40)",
        "PJ_TYPE varchar(40)",
        "PJ_BOP varchar(40)",
        "PJ_WORKORDER varchar(40)",
        "MATERIALPARTNAME varchar(40)",
        "LOSSREASONNAME varchar(40)",
        "LOSSREASON_CODE varchar(8)",
        "REJECTCATEGORYNAME varchar(40)",
        "REJECTQTY integer",
        "STANDBYQTY integer",
        "QTYTOPROCESS integer",
        "INPROCESSQTY integer",
        "PROCESSEDQTY integer",
        "DEFECTQTY integer",
        "REJECTCOMMENT varchar(200)",
    ),
    "CONTAINERID",
)

LOT_HOLDS = Table(
    PREFIX + "lot_holds",
    (
        "CONTAINERID char(16)",
        "CONTAINERNAME varchar(40)",
        "WORKCENTERNAME varchar(40)",
        "HOLDREASONID varchar(16)",
        "HOLDREASONNAME varchar(40)",
        "HOLDCATEGORY varchar(40)",
        "HOLDTXNDATE timestamp",
        "HOLDEMP varchar(40)",
        "HOLDEMPDEPTNAME varchar(40)",
        "HOLDCOMMENTS varchar(200)",
        "RELEASETXNDATE timestamp",
        "RELEASEEMP varchar(40)",
        "RELEASECOMMENTS varchar(200)",
        "QTY integer",
    ),
    "CONTAINERID",
)

EQUIPMENT_JOBS = Table(
    PREFIX + "equipment_jobs",
    (
        "JOBID varchar(16)",
        "EQUIPMENTID varchar(16)",
        "EQUIPMENTNAME varchar(40)",
        "JOBSTATUS varchar(16)",
        "JOBMODELNAME varchar(40)",
        "JOBORDERNAME varchar(40)",
        "CREATEDATE timestamp",
        "COMPLETEDATE timestamp",
        "SYMPTOMCODENAME varchar(40)",
        "CAUSECODENAME varchar(40)",
        "REPAIRCODENAME varchar(40)",
        "CREATEEMP varchar(40)",
        "CONTAINERIDS varchar(2000)",
        "CONTAINERNAMES varchar(2000)",
    ),
    None,  # as in the incident: ids kept as comma-separated text, and nothing to find them by
)

TABLES = (LOT_HISTORY, LOT_MATERIALS, LOT_REJECTS, LOT_HOLDS, EQUIPMENT_JOBS)

VERSION = 1  # of tables and rows: a warehouse of another version is built again
MARKER = Table(PREFIX + "warehouse", ("version integer", "cids integer"), None)  # its one row is written last
