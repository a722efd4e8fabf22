"""One domain of a trace on its way to a client: its rows as JSON, their number and checksum, and its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesbatch.batch import Batch, Column
from mesbatch.codec.checksum import Checksum
from mesbatch.codec.rows import DatetimeSeparator, RowEncoder, Shape
from mesbatch.errors import ReadInterrupted
from mesbatch.manifest import Manifest
from mesbatch.sink.ndjson import check_columns


class DomainRows:
    """An encoder of one domain's rows as JSON arrays; *rows* counts them, *columns* describes them to clients."""

    def __init__(
        self, columns: Sequence[Column], *, shape: Shape = "objects", datetime_separator: DatetimeSeparator = "T"
    ) -> None:
        self._encoder = RowEncoder(columns, shape=shape, datetime_separator=datetime_separator)
        self._checksum = Checksum()
        self.columns = self._encoder.columns
        self.rows = 0

    @property
    def checksum(self) -> str:
        """The checksum of the rows so far, in eight hexadecimal digits."""
        return self._checksum.hexdigest()

    def arrays(self, batch: Batch, batch_size: int) -> Iterator[tuple[int, bytes]]:
        """Encode *batch*, at most *batch_size* rows an array; each array comes with its number of rows.

        Raises:
            SchemaChanged: *batch* has other columns.
        """
        check_columns(self._encoder, batch)
        for first in range(0, batch.num_rows, batch_size):
            rows = batch.rows[first : first + batch_size]
            data = self._encoder.encode_list(rows)
            self._checksum.update_list(data)
            self.rows += len(rows)
            yield len(rows), data


def check_ended(name: str, manifest: Manifest | None) -> Manifest:
    """Give back the *manifest* of the domain *name*, whose read has come to its end.

    Raises:
        ReadInterrupted: it has not.
    """
    if manifest is None or manifest.status in {"reading", "truncated"}:
        raise ReadInterrupted(f"the rows of {name!r} stopped before their end")
    return manifest


def failed_at_once(manifest: Manifest) -> bool:
    """Tell whether a domain failed before it could have any row; its result is then missing, not empty."""
    return manifest.status == "failed" or bool(manifest.failed and not manifest.keys_read)
