"""Values and rows as JSON, and the checksums of what was written."""

from mesbatch.codec.rows import RowEncoder

__all__ = ["RowEncoder"]
