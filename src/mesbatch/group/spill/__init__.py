"""Groups on disk: one file without a name, made of extents with checksums."""
