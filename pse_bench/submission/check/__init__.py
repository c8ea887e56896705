"""What ``check`` looks at: names (``layout``), a file (``examine``), all files (``offsets``, ``verdicts``)."""
