"""Lag, look-ahead and speed of published systems that are installed: the table of docs/how-to/public-systems.md.

    python benchmarks/public_systems.py [NAME ...]

Each is measured by ``pse-bench system``, on one core; lag and delay are in samples at the system's own rate. The
speed is of processor time, so that a busy machine changes it little.
"""

import json
import subprocess
import sys

from pse_bench.systems import public

HEAD = ("system", "delay declared", "lag found", "latency stated, ms", "look-ahead seen, ms", "class", "RTF")


def main() -> None:
    """Print the table."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name in sys.argv[1:] or [name for name, system in public.systems().items() if system.installed]:
        command = [sys.executable, "-m", "pse_bench", "system", f"{public.PREFIX}{name}", "--json"]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
        declared = found["delay_to_declare"] - found["lag_samples"]
        lag, stated, seen = found["delay_to_declare"], found["latency_ms"], found["look_ahead_ms"]
        latency = f"{declared} | {lag} | {stated:.4g} | {seen:.1f} | {found['latency_class']}"
        print(f"| `public:{name}` | {latency} | {found['rtf_cpu']:.2g} |", flush=True)


if __name__ == "__main__":
    main()
