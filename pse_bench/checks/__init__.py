"""What ``check`` looks at: names (``layout``), each file (``examine``), all of them (``offsets``, ``verdicts``)."""
