"""Data flows one way: a package imports only from packages before it, and no imports go in a circle."""

import ast
import graphlib
from pathlib import Path

import pse_bench

NAMES_IN_ORDER = (
    "errors registry rng io schemas signal runtime corpora planning dataset simulation speaker metrics submission "
    "asr training torch systems scoring leaderboard reporting export importing doctor cli baseline __main__"
)
ORDER = NAMES_IN_ORDER.split()
ROOT = Path(pse_bench.__file__).parent
NAMES = {path: ".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in ROOT.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for path, name in NAMES.items()}


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports, at its top or inside functions."""
    nodes = list(ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name in MODULES and name not in ("pse_bench", module)}


def test_packages_import_only_from_those_before_them() -> None:
    for module in sorted(set(MODULES) - {"pse_bench"}):
        place = ORDER.index(module.split(".")[1])
        late = {name for name in imports(module) if ORDER.index(name.split(".")[1]) > place}
        assert not late, f"{module} imports {sorted(late)}, which come later in ORDER"


def test_no_imports_go_in_a_circle() -> None:
    graph = {module: {name for name in imports(module) if not module.startswith(f"{name}.")} for module in MODULES}
    graphlib.TopologicalSorter(graph).prepare()
