"""``init``: a complete deployment to start from."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path
from typing import Annotated

import typer

import gateway
from gateway.cli.output import err, out
from gateway.cli.schema import Kind, text

FOLDERS = ("routes", "policies", "transformers")
CONTRACTS = "gateway/demo/erp/contracts"


def example() -> Path:
    """Where the example deployment is: beside the package in a checkout, under the data folder when installed."""
    package = Path(gateway.__file__).parent
    if (package.parent / "gateway.yaml").is_file():
        return package.parent
    return Path(sysconfig.get_path("data")) / "share" / "erp-gateway" / "example"


def init(folder: Annotated[Path, typer.Argument(help="An empty or new folder.")]) -> None:
    """Write a complete, commented deployment over the demo ERP, to be changed into your own."""
    if folder.exists() and any(folder.iterdir()):
        err.print(f"{folder} is not empty; choose another folder", style="red")
        raise typer.Exit(1)
    write_example(folder)
    out.print(f"Wrote a deployment to {folder}. Next: erp-gateway check -c {folder / 'gateway.yaml'}", highlight=False)


def write_example(folder: Path) -> None:
    """Copy the example deployment to where it stands alone: contracts and schemas beside it."""
    source = example()
    for name in FOLDERS:
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(Path(gateway.__file__).parent / "demo" / "erp" / "contracts", folder / "contracts")
    settings = (source / "gateway.yaml").read_text("utf-8").replace(CONTRACTS, "contracts")
    (folder / "gateway.yaml").write_text(settings, "utf-8")
    (folder / "docs" / "schema").mkdir(parents=True)
    for kind in Kind:
        (folder / "docs" / "schema" / f"{kind}.json").write_text(text(kind), "utf-8")
