"""From running statements to batches: sized by bytes, whole by key, tried again, read ahead."""
