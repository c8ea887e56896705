"""What the tests share."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["browsers", "checkpoints", "homes", "model_files", "rendered", "tiny_dataset"]

# The same examples on every run, however slow the machine is.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that an earlier run remembers is taken for what the code computes now, and tables have one width."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


LONGEST = ("test_readme.py", "test_docs.py", "test_faults.py", "test_cli.py", "test_doctor.py", "test_offline.py")
"""The files that take longest. They run first, so that at the end no worker is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


DEV_CORPUS = "PSE_BENCH_DEV_CORPUS"


@pytest.fixture(scope="session")
def dev_corpus() -> Path:
    """The folder of the development corpus of real speech, noise and rooms; without it the test is skipped.

    Mark such tests with ``@pytest.mark.dev_corpus``.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev-corpus"
    folder = Path(os.environ.get(DEV_CORPUS) or beside)
    if not (folder / "SOURCES.md").is_file():
        pytest.skip(f"no development corpus in {folder}; set {DEV_CORPUS} to its folder")
    return folder


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The maker of the generated pages."""
    spec = importlib.util.spec_from_file_location(
        "reference", Path(__file__).parent.parent / "docs" / "reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def threads():
    """One thread for torch, put back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
