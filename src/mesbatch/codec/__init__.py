"""Values and rows as JSON, and the checksums of their bytes."""

from mesbatch.codec.rows import RowEncoder

__all__ = ["RowEncoder"]
