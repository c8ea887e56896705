"""Print each dependency of pyproject.toml at its lower bound, as pip takes requirements.

    python tests/dependencies/lowest.py [EXTRA ...]

Of an exact pin that pin. ``make lowest`` installs what this prints and runs the tests on it, so that the lower
bounds are versions that were tried, and not guesses.
"""

import argparse
import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+(\[[a-z,]+\])?)(?P<bounds>.*)")
LOWER = re.compile(r"(?:>=|==)\s*([^,;\s]+)")


def lowest(requirement: str) -> str:
    """``name==lower``. Raises ValueError where a requirement has no lower bound."""
    found = REQUIREMENT.fullmatch(requirement.strip())
    lower = LOWER.search(found["bounds"]) if found else None
    if not found or not lower:
        raise ValueError(f"{requirement}: has no lower bound; write name>=LOWEST,<FIRST_NOT_TRIED")
    return f"{found['name']}=={lower[1]}"


def requirements(extras: list[str]) -> list[str]:
    """What the package and some of its extras ask for, as it stands in pyproject.toml."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    asked = parser.parse_args()
    print("\n".join(sorted({lowest(line) for line in requirements(asked.extras)})))


if __name__ == "__main__":
    main()
