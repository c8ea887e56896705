"""The command line's entry point: ``pse-bench`` and ``python -m pse_bench``."""

import os
import sys

from pse_bench.cli import cli
from pse_bench.runtime import interrupts


def main() -> None:
    """Run the command line."""
    # A stream that was closed before we began, as with 2>&-, is None; what is opened next would take its number.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)  # workers, too, would give the number to what they open
            setattr(sys, name, os.fdopen(number, mode))
    interrupts.install_handlers()
    cli(prog_name="pse-bench")


if __name__ == "__main__":
    main()
