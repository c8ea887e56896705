"""The command line: thin commands over the library. Data on stdout, progress and complaints on stderr.

Modules of this folder import click and nothing slow, so that ``--help`` answers at once.
"""

import errno
import os
import sys
from typing import Any

import click

from pse_bench import __version__
from pse_bench.errors import PseBenchError

REMEDIES = {
    errno.ENOSPC: "the disk is full; make room and run the same command again, it continues",
    errno.EDQUOT: "the disk quota is used up; make room and run the same command again, it continues",
    errno.EROFS: "the file system is read-only; give another output folder",
    errno.EACCES: "no right to do that; check the rights or give another folder",
    errno.EPERM: "no right to do that; check the rights or give another folder",
    errno.ENOTDIR: "a file is where a folder is needed; give another path",
    errno.EISDIR: "a folder is where a file is needed; give another path",
    errno.ENAMETOOLONG: "the name is too long for this file system; give a shorter one",
    errno.EMFILE: "too many open files; use fewer --jobs",
}


class Boundary(click.Group):
    """The one place where an error that a person can act on becomes a single line and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PseBenchError as error:
            raise click.ClickException(" ".join(str(error).splitlines())) from error
        except BrokenPipeError:
            # whoever read our output has closed it: nothing more to say, not even at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except OSError as error:
            if error.errno not in REMEDIES:
                raise
            what = error.filename or "writing"
            raise click.ClickException(f"{what}: {REMEDIES[error.errno]}") from error
        except KeyboardInterrupt:
            click.echo("interrupted; run the same command again to continue", err=True)
            ctx.exit(130)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """The version, and of what else decides how a dataset sounds."""
    if not asked or ctx.resilient_parsing:
        return
    from pse_bench.dataset import SOUND_PACKAGES, sound_versions

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


def _collect() -> None:
    from pse_bench.cli import (
        benchmark,
        checking,
        corpora,
        demo,
        exporting,
        generate,
        importing,
        leaderboards,
        merging,
        packing,
        person,
        reporting,
        results,
        rooms,
        scoring,
        system,
        training,
    )

    making = (demo, corpora, generate, rooms, benchmark)
    judging = (checking, scoring, merging, system, results, reporting, leaderboards)
    for module in (*making, *judging, training, packing, exporting, importing, person):
        for command in module.COMMANDS:
            cli.add_command(command)


_collect()
