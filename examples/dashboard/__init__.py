"""The trace routes of a small MES dashboard, before and after."""
