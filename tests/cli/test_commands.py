"""``init``, ``routes``, ``explain``, ``schema``, ``token``: what people type besides ``serve`` and ``check``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import ADDED, COMMANDS, app, program
from gateway.cli.schema import Kind
from gateway.identity.hashes import hash_api_key, parse_scrypt
from tests.support import ROOT, GatewayProcess

runner = CliRunner()


def test_init_writes_a_deployment_that_passes_the_check(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    assert runner.invoke(app, ["init", str(folder)]).exit_code == 0
    result = runner.invoke(app, ["check", "--config", str(folder / "gateway.yaml"), "--strict"])
    assert result.exit_code == 0, result.stderr
    assert "8 routes" in result.stdout


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    assert runner.invoke(app, ["init", str(tmp_path)]).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_routes_lists_every_operation() -> None:
    shown = runner.invoke(app, ["routes", "--config", str(ROOT / "gateway.yaml")]).stdout
    for operation in ("payments.create@v1", "stock.get@v1", "reports.finance@v1", "CreatePurchaseOrder"):
        assert operation in shown


def test_explain_prints_the_chain_in_its_real_order() -> None:
    shown = runner.invoke(app, ["explain", "sales-orders.list", "--config", str(ROOT / "gateway.yaml")]).stdout
    stages = ("Observe", "Identify", "Authorize", "Limit", "Prepare", "RestOperation")
    places = [shown.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "50/s burst 100" in shown


def test_explain_of_an_unknown_route_names_the_known_ones() -> None:
    result = runner.invoke(app, ["explain", "payments.pay", "--config", str(ROOT / "gateway.yaml")])
    assert result.exit_code == 1
    assert "payments.create" in result.stderr


@pytest.mark.parametrize("kind", list(Kind))
def test_schema_prints_json(kind: Kind) -> None:
    schema = json.loads(runner.invoke(app, ["schema", kind]).stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_made_secret_fits_its_hash() -> None:
    secret_line, hash_line = runner.invoke(app, ["token", "secret"]).stdout.splitlines()
    made = parse_scrypt(hash_line.rpartition("secret: ")[2])
    assert made.matches(secret_line.rpartition("  ")[2])


def test_a_made_api_key_fits_its_hash() -> None:
    key_line, hash_line = runner.invoke(app, ["token", "api-key", "oa"]).stdout.splitlines()
    assert hash_api_key(key_line.rpartition("  ")[2]) in hash_line


def test_token_get_asks_a_running_gateway(gateway: GatewayProcess) -> None:
    result = runner.invoke(app, ["token", "get", "oa", "--secret", "demo-oa", "--url", gateway.url])
    assert result.exit_code == 0, result.stderr
    headers = {"authorization": f"Bearer {result.stdout.strip()}"}
    assert gateway.call(None, "GET", "/api/v1/payments/1999999999", headers=headers).status_code == 404


def test_token_get_says_why_not(gateway: GatewayProcess) -> None:
    wrong = runner.invoke(app, ["token", "get", "oa", "--secret", "guess", "--url", gateway.url])
    assert (wrong.exit_code, "401" in wrong.stderr) == (1, True)
    nobody = runner.invoke(app, ["token", "get", "oa", "--secret", "guess", "--url", "http://127.0.0.1:9"])
    assert (nobody.exit_code, "No gateway answers" in nobody.stderr) == (1, True)


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout.strip() == "0.1.0"


# --- what a command imports ------------------------------------------------------------------------------------------


def names(words: list[str]) -> list[str]:
    return [*typer.main.get_command(program(words)).commands]  # type: ignore[attr-defined]


def test_a_command_is_there_alone_and_all_are_where_none_is_named() -> None:
    assert names([]) == names(["--help"]) == names(["chek"]) == list(COMMANDS)
    for name in COMMANDS:
        assert names([name, "--config", "x"]) == [name]


def test_a_question_to_the_policy_needs_neither_ledger_nor_upstreams() -> None:
    heavy = "{'sqlalchemy', 'httpx', 'redis', 'gateway.snapshot'}"
    code = f"import sys; from gateway.cli import program; program(['policy', 'can']); print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_group_has_its_added_commands_unless_another_of_its_own_is_named() -> None:
    result = runner.invoke(program(["policy", "--help"]), ["policy", "--help"])
    assert all(f" {name} " in result.stdout for name in ("check", "can", *ADDED["policy"]))
    for name in ADDED["policy"]:
        assert runner.invoke(program(["policy", name]), ["policy", name, "--help"]).exit_code == 0
