"""`amity up`: one command that runs all of Amity."""

import contextlib
import subprocess
import sys
import time

import click

from amity.cli.supervisor import Supervisor, addresses
from amity.infra import config
from amity.infra.config import settings
from amity.infra.process import hold_lock


def _say(line: str) -> None:
    # Where it is written to may be full or gone; that is no reason to stop everything.
    with contextlib.suppress(OSError):
        click.echo(f"amity: {line}", err=True)


@click.command()
@click.option("--demo", is_flag=True, help="Load the demo shop once everything runs.")
@click.option("--full", is_flag=True, help="With --demo: the whole data set, not a tenth of it.")
def up(*, demo: bool, full: bool) -> None:
    """Start Amity: the database, the collector, the screens and the worker, until Ctrl-C.

    Everything lives in the folder AMITY_DATA. A second `amity up` on the same folder is refused.
    """
    if demo:
        # Whoever tries the demo at night should see mail arrive; nothing leaves the machine.
        config.prefer(quiet_from=0, quiet_until=0, mail_from_name="Journey Market", demo_shop=True)
    using = settings()
    lock = hold_lock(using.data / "amity.lock")
    supervisor = Supervisor(say=_say, using=using, lock=lock)
    began = time.monotonic()
    try:
        supervisor.start()
        if supervisor.stopping:
            return
        _say(f"everything runs after {time.monotonic() - began:.1f} s")
        if demo:
            _load_demo(supervisor, full=full)
        if not supervisor.stopping:
            _greet()
        supervisor.run()
    finally:
        if supervisor.stopping:
            _say("stopping")
        supervisor.stop()
        if supervisor.stopping:
            _say("stopped")


def _load_demo(supervisor: Supervisor, *, full: bool) -> None:
    """Run `amity demo load` beside the watch, so that a process that dies is still mended."""
    command = [sys.executable, "-m", "amity.cli", "demo", "load"]
    loading = subprocess.Popen(  # noqa: S603  # our own arguments
        [*command, "--full"] if full else command, env=config.environment()
    )
    supervisor.run(until=lambda: loading.poll() is not None)
    if loading.poll() is None:
        loading.terminate()
        loading.wait()
    elif loading.returncode:
        _say("the demo shop could not be loaded whole; `amity demo load` goes on where it stopped")


def _greet() -> None:
    where = addresses(settings())
    done = subprocess.run(  # our own arguments
        [sys.executable, "-m", "amity.cli", "sign-in-link"],
        env=config.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    link = done.stdout.strip() or f"(no sign-in link: {done.stderr.strip()})"
    click.echo(
        f"\n  Screens     {where['web']}\n"
        f"  Collector   {where['edge']}/v1/batch\n"
        f"  Sign in     {link}\n"
        f"              (works once; ask for another with `amity sign-in-link`)\n\n"
        f"  Ctrl-C stops everything.\n"
    )
