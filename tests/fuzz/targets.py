"""Every parser of pse-bench as a target: valid documents, and a function that reads what was made of them.

A target is opened in a folder of its own and gives a function of bytes. That function writes the bytes to where
the parser looks for them and runs the real thing. Only a ``PseBenchError`` is an answer; any other exception is
a fault. What it returns are lines that a person would be shown.

Files that have to have a known SHA-256 (weights of the speaker encoder, models of DNSMOS) are not here: nothing
else is ever parsed as one of them.
"""

import importlib.util

import corpus_targets
import dataset_targets
import result_targets
import run_targets
from target import Target

TARGETS: tuple[Target, ...] = (
    *dataset_targets.TARGETS,
    *result_targets.TARGETS,
    *run_targets.TARGETS,
    *corpus_targets.TARGETS,
)

if importlib.util.find_spec("torch"):
    import training_targets

    TARGETS += training_targets.TARGETS

BY_NAME = {target.name: target for target in TARGETS}
assert len(BY_NAME) == len(TARGETS)
