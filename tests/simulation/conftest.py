"""Every test of the simulation starts as in a new process."""

import pytest


@pytest.fixture(autouse=True)
def _forgotten(_as_in_a_new_process: None) -> None: ...
