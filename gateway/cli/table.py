"""``table``: field tables as a spreadsheet, and back. Its library is loaded by the commands that need it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import out
from gateway.config.source import Source, read_source
from gateway.errors import ConfigError, Finding

app = typer.Typer(no_args_is_help=True, help="Field tables as a spreadsheet (.xlsx), and back.")


@app.command()
def write(
    files: Annotated[list[Path], typer.Argument(metavar="YAML...", help="Files of transformers/, all of one folder.")],
    to: Annotated[Path | None, typer.Option(metavar="XLSX", help="The workbook; default: beside the first file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a workbook that is there.")] = False,
) -> None:
    """Write the tables of YAML files as one workbook: a sheet for each table, a row for each field."""
    from gateway.contracts.sheets import sheets
    from gateway.contracts.workbook import write as workbook

    target = to or files[0].with_suffix(".xlsx")
    if target.exists() and not force:
        raise ConfigError([Finding(str(target), 0, "exists already", "give --force to overwrite it, or --to another one")])
    sources = {path.name: read_source(path, name=str(path)) for path in files}
    _replace(target, workbook(sheets(sources)))
    _say(f"wrote {target}")


@app.command()
def read(
    file: Annotated[Path, typer.Argument(metavar="XLSX", help="A workbook that 'table write' or 'wsdl import --xlsx' wrote.")],
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the YAML files; default: the workbook's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Drop tables that only the YAML files have.")] = False,
) -> None:
    """Turn the rows of a workbook into the YAML files it names, or tell every mistake by sheet and cell and write nothing.

    Comments of the YAML files are not kept.
    """
    from gateway.contracts.listing import listing
    from gateway.contracts.sheets import tables
    from gateway.contracts.workbook import read as sheets_of

    name = str(file)
    found = tables(sheets_of(_bytes(file), name), name)
    folder = into or file.parent
    texts = {folder / target: listing(target, held) for target, held in found.files.items()}
    if not force:
        _check_kept(folder, found.files)
    for path, text in texts.items():
        _replace(path, text.encode())
        _say(f"wrote {path}")
    for title in found.unread:
        _say(f"the sheet '{title}' is not listed in the sheet Tables and was not read")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([Finding(str(path), 0, f"cannot be read ({error.strerror})", "name a workbook")]) from error


def _check_kept(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ``ConfigError`` when a table would be lost."""
    findings = []
    for name, tables in files.items():
        path = folder / name
        for table in sorted(_names(read_source(path, name=str(path))) - tables.keys()) if path.exists() else ():
            what = f"holds the table '{table}', which the workbook does not have"
            findings.append(Finding(str(path), 0, what, "put it into the workbook, or give --force to drop it"))
    if findings:
        raise ConfigError(findings)


def _names(source: Source) -> set[str]:
    data = source.data if isinstance(source.data, dict) else {}
    found = data.get("tables")
    return set(found) if isinstance(found, dict) else set()


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
