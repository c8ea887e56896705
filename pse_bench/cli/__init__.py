"""The command line: thin commands over the library. Data on stdout, progress, notes and errors on stderr.

Modules of this folder import click and nothing slow, so that ``--help`` answers at once.
"""

import errno
import os
import signal
import sys
from typing import Any

import click

from pse_bench import __version__
from pse_bench.errors import PseBenchError, one_line

AGAIN = "run the same command again, it continues"
REMEDIES = {
    errno.ENOSPC: f"the disk is full; make room and {AGAIN}",
    errno.EDQUOT: f"the disk quota is used up; make room and {AGAIN}",
    errno.EFBIG: "larger than the file system or a limit of the shell (ulimit -f) allows; give another folder",
    errno.EIO: f"the disk or the network share failed; when it is well, {AGAIN}",
    errno.ESTALE: f"the network share was lost; when it is back, {AGAIN}",
    errno.ETIMEDOUT: f"the network share does not answer; when it does, {AGAIN}",
    errno.ENOENT: f"gone while it was worked with; bring it back and {AGAIN}",
    errno.EROFS: "the file system is read-only; give another output folder",
    errno.EACCES: "no right to do that; check the rights or give another folder",
    errno.EPERM: "no right to do that; check the rights or give another folder",
    errno.ENOTDIR: "a file is where a folder is needed; give another path",
    errno.EISDIR: "a folder is where a file is needed; give another path",
    errno.ENAMETOOLONG: "the name is too long for this file system; give a shorter one",
    errno.EMFILE: "too many open files; use fewer --jobs",
    errno.ENOMEM: "not enough memory; use fewer --jobs",
}
OTHERWISE = f"put that right, or give another folder, and {AGAIN}"


class Boundary(click.Group):
    """The group of all commands, which turns an error that a person can act on into one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PseBenchError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            # whoever read our output has closed it: nothing more to say, not even at exit
            _write_nowhere(sys.stdout)
            ctx.exit(1)
        except OSError as error:
            # the machine's fault and not ours, whatever it is
            remedy = REMEDIES.get(error.errno or 0) or f"{error.strerror or error}; {OTHERWISE}"
            raise click.ClickException(one_line(f"{error.filename or 'writing'}: {remedy}")) from error
        except MemoryError as error:
            raise click.ClickException(REMEDIES[errno.ENOMEM]) from error
        except KeyboardInterrupt as error:
            number = getattr(error, "number", signal.SIGINT)
            what = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
            try:
                click.echo(f"{what}; run the same command again to continue", err=True)
            except OSError:  # the terminal is gone
                _write_nowhere(sys.stdout, sys.stderr)
            ctx.exit(128 + number)


def _write_nowhere(*streams: Any) -> None:
    """Discard what streams still hold whose reader has gone."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the version, and those of packages that decide how a dataset sounds."""
    if not asked or ctx.resilient_parsing:
        return
    from pse_bench.dataset.dataset import SOUND_PACKAGES, sound_versions

    found = sound_versions()
    click.echo(f"pse-bench, version {__version__}")
    click.echo(f"sound depends on {', '.join(f'{package} {found[package]}' for package in SOUND_PACKAGES)}")
    ctx.exit()


@click.group(cls=Boundary, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show versions and exit."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Scenarios, scoring and leaderboards for causal personalized speech enhancement.

    \b
    TS1  target + noise                 keep the target
    TS2  target + interferer + noise    keep the target, remove the interferer
    TS3  interferer + noise             output nothing: the enrolled target is silent

    A first look: pse-bench demo
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


# each adds its commands
from pse_bench.cli import (  # noqa: E402, F401
    corpora,
    exchange,
    first_steps,
    generate,
    leaderboard,
    listening,
    results,
    scenarios,
    scoring,
    systems,
    training,
)
