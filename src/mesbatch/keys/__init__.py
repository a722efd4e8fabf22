"""The keys of a read: checked, sorted, and brought into statements."""
