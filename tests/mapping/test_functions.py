from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.mapping import load_functions


def test_functions_by_name(tmp_path: Path) -> None:
    file = tmp_path / "codes.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\nfrom math import floor\n\n"
        "@dataclass\nclass Code:\n    value: str\n\n"
        "def _hidden(value):\n    return value\n\n"
        "def to_erp(value):\n    return Code(_hidden(value)).value + '!'\n"
    )
    before = set(sys.modules)
    functions = load_functions([file])
    assert list(functions) == ["to_erp"]
    assert functions["to_erp"]("x") == "x!"
    assert {name for name in sys.modules if name.startswith("_transformers")} <= before
    assert str(tmp_path) not in sys.path
    assert [path.name for path in tmp_path.iterdir()] == ["codes.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(value:\n    return 1\n", ":1: is not valid Python: '(' was never closed; mend the syntax here or just above"),
        ("\nvalue = 1 / 0\n", ":2: fails while it is loaded: ZeroDivisionError: division by zero; mend the statement"),
        ("import sys\nsys.exit(3)\n", ":2: fails while it is loaded: SystemExit: 3; mend the statement"),
        ("x = 1\0", ": is not valid Python: source code string cannot contain null bytes; mend the syntax here or just above"),
    ],
)
def test_a_file_that_cannot_be_loaded(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_functions([file], names={file: "transformers/bad.py"})
    assert [str(finding) for finding in caught.value.findings] == ["transformers/bad.py" + expected]


def test_everything_wrong_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(value):\n    return value\n")
    (tmp_path / "b.py").write_text("\n\ndef f(value):\n    return value\n")
    with pytest.raises(ConfigError) as caught:
        load_functions([tmp_path / "a.py", tmp_path / "b.py", tmp_path / "gone.py"])
    assert [(Path(f.file).name, f.line, f.what) for f in caught.value.findings] == [
        ("b.py", 3, "defines 'f', as another file does"),
        ("gone.py", 0, "cannot be read (No such file or directory)"),
    ]
