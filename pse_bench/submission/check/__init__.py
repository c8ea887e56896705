"""The check of a submission: file names (``file_layout``), files (``file_stats``), all of them (``diagnosis``)."""
