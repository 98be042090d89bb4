"""`amity source secret`: set, made, replaced and forgotten from the command line."""

from click.testing import CliRunner

from amity.cli.main import root
from amity.store import api


def run(*arguments: str, given: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(root, ["source", "secret", *arguments], input=given)
    return done.exit_code, f"{done.output} {done.exception or ''}"


def test_a_secret_is_piped_in_and_not_shown(db: str) -> None:
    source = api.create_source(name="shop", kind="server")
    code, output = run("shop", "shopify", given="a secret of the shop\n")
    assert code == 0, output
    assert "a secret of the shop" not in output
    [known] = api.list_source_secrets(source_id=source.source_id)
    assert (known.dialect, known.former_until) == ("shopify", None)
    code, output = run("shop", "stripe", "--make")
    assert code == 0
    assert "whsec_" in output
    assert run("shop", "shopify", "--overlap-hours", "1", given="another secret")[0] == 0
    known = api.list_source_secrets(source_id=source.source_id)[0]
    assert known.former_until is not None
    assert run("shop", "shopify", "--remove")[0] == 0
    assert [each.dialect for each in api.list_source_secrets(source_id=source.source_id)] == [
        "stripe"
    ]
    assert run("shop", "shopify", "--remove")[0] != 0
    assert run("shop", "segment", given="a secret of nobody")[0] != 0
