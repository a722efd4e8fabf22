"""Delivering keys whole in record batches."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mesbatch.read.whole_keys import WholeKeys


class WholeArrowKeys(WholeKeys):
    """`WholeKeys` for record batches: cut without copying, joined where a key goes on from one to the next."""

    def cut(self, rows: Any, nbytes: int) -> Any:
        batch = pa.concat_batches([self._held, rows]) if len(self._held) else rows
        keys = batch.column(self._index)
        first, last = keys[0], keys[-1]
        self._walk.follow(rows.column(self._index).to_pylist())
        if self.open_key is not None and first.as_py() != self.open_key:
            self._whole_until(self.open_key)
        start = len(keys) - 1 if first != last else 0
        while start and keys[start - 1] == last:
            start -= 1
        if start:
            self._whole_until(keys[start - 1].as_py())
            self._held, self.held_bytes = batch.slice(start), nbytes * (len(batch) - start) // len(batch)
            return batch.slice(0, start)
        if self.held_bytes + nbytes < self._max_held and self.open_key is None:
            self._held, self.held_bytes = batch, self.held_bytes + nbytes
            return []
        self._held, self.held_bytes, self.open_key = [], 0, last.as_py()
        return batch

    def rest(self) -> Any:
        rows, self._held = self._held, []
        if len(rows):
            self._whole_until(rows.column(self._index)[-1].as_py())
        self.open_key = None
        return rows
