"""The fault matrix: every long command, disturbed in every way, and what was left of it.

Each row is one run that was disturbed, and the same command once more. Nothing may be lost, damaged or left
behind, no traceback may be shown, and in the end there have to be the bytes of an undisturbed run. Printed as a
table with the sums; the exit status is 1 when a row is not as it should be.

    cd tests && python -m faults.run [--only COMMAND] [--out ../docs/reliability/faults.csv]
"""

import argparse
import csv
import importlib.util
import os
import sys
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path

from faults import commands, disturb
from faults.disturb import Row, Trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="command, or command:fault")
    parser.add_argument("--kills", type=int, default=disturb.KILLS, help="how often a command is killed")
    parser.add_argument("--out", type=Path, help="CSV of all rows")
    asked = parser.parse_args()
    command, _, only = asked.only.partition(":")
    mounting = disturb.can_mount()
    if not mounting:
        print("no right to mount: nothing is tried on a full or read-only disk", file=sys.stderr)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="pse-bench-faults-") as name:
        here = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(here / "cache")
        begin = time.monotonic()
        (here / "inputs").mkdir()
        commands.prepare(here / "inputs")
        for chore in commands.CHORES:
            if command not in ("", chore.name):
                continue
            if chore.needs and not importlib.util.find_spec(chore.needs):
                print(f"{chore.name}: not tried, {chore.needs} is not installed", file=sys.stderr)
                continue
            trial = Trial(chore, here / "inputs", here / "reference")
            expected = disturb.undisturbed(trial)
            trial = Trial(chore, here / "inputs", here / "trial", trial.lasting_s)
            for fault_name, fault in disturb.faults(chore, mounting, asked.kills).items():
                if not fault_name.startswith(only):
                    continue
                row = disturb.attempt(trial, fault_name, fault, expected)
                rows.append(row)
                if asked.out:
                    write(asked.out, rows)
                print(line(row), f"[{len(rows)}, {time.monotonic() - begin:.0f} s]", flush=True)
    bad = [row for row in rows if not row.good]
    print(
        f"\n{len(rows)} fault runs, {len(rows) - len(bad)} as they should be; "
        f"{sum(row.tracebacks for row in rows)} tracebacks, {sum(row.files_lost for row in rows)} files lost, "
        f"{sum(row.files_damaged for row in rows)} damaged, "
        f"{sum(row.files_different for row in rows)} different, "
        f"{sum(row.processes_left for row in rows)} processes left"
    )
    for row in bad:
        print(f"NOT GOOD {line(row)}\n    {row}")
    return bool(bad)


def line(row: Row) -> str:
    verdict = "good" if row.good else "BAD "
    return f"{verdict} {row.command:13}{row.fault:22}{row.moment_s:>7} {row.exit_status:4}  {row.line}"


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(asdict(row).values() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
