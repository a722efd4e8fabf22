"""Groups on disk: one file without a name, of extents that carry checksums."""
