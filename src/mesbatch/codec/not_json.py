"""The errors with which msgspec refuses bytes: one name, so that no place forgets two of the three."""

from __future__ import annotations

import msgspec

# A validation error is a decode error. Text that is no UTF-8, and values nested deeper than the stack, are neither.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
