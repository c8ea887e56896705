"""The command line's entry point: ``pse-bench`` and ``python -m pse_bench``."""

from pse_bench.cli import cli


def main() -> None:
    """Run the command line."""
    cli(prog_name="pse-bench")


if __name__ == "__main__":
    main()
