"""The command line, run in the process of the test."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from amity.cli.main import main


@pytest.fixture
def amity(db: object, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """Run a command in this process: its exit code, its output, its errors."""

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def document(amity: Callable[..., tuple[object, str, str]]) -> Callable[..., Any]:
    """Run a command with --json and read the one document it prints."""

    def run(*arguments: str) -> Any:
        code, out, err = amity(*arguments, "--json")
        assert code == 0, err
        assert out.count("\n") == 1
        return json.loads(out)

    return run
