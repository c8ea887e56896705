"""Files, tables, sound and storage."""
