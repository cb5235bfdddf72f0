"""Company functions: ``transformers/*.py``, loaded by path, called by name from a row.

Every public function a file defines at its top level can be named. It takes one value and gives one back; to refuse a value
with a sentence for the caller it raises ``gateway.mapping.Wrong``. Files are compiled in memory: nothing is put on ``sys.path``,
no bytecode is written, and a module is known by no name once it is loaded.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType, ModuleType

from gateway.config.files import read_file
from gateway.errors import ConfigError, Finding

Function = Callable[[object], object]
Functions = Mapping[str, Function]


def load_functions(paths: Iterable[Path], *, names: Mapping[Path, str] | None = None) -> Functions:
    """The functions of all files by name. ``names`` says how errors call a file (default: its path). Raises ``ConfigError``."""
    functions: dict[str, Function] = {}
    findings: list[Finding] = []
    for path in sorted(paths):
        shown = (names or {}).get(path, str(path))
        try:
            module = _load(path, shown)
        except ConfigError as error:
            findings += error.findings
            continue
        for name, function in _public(module):
            if name in functions:
                line = function.__code__.co_firstlineno
                findings.append(Finding(shown, line, f"defines '{name}', as another file does", "rename one of the two"))
            functions[name] = function
    if findings:
        raise ConfigError(findings)
    return functions


def _load(path: Path, shown: str) -> ModuleType:
    try:
        data = read_file(path)
    except OSError as error:
        raise ConfigError([Finding(shown, 0, f"cannot be read ({error.strerror})", "make it readable")]) from error
    module = ModuleType(f"_transformers_{path.stem}_{hashlib.sha256(data).hexdigest()[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(data, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102  the company's own code, by design
    except SyntaxError as error:
        what = f"is not valid Python: {error.msg}"
        raise ConfigError([Finding(shown, error.lineno or 0, what, "mend the syntax here or just above")]) from error
    except (Exception, SystemExit) as error:
        line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(path)), 0)
        what = f"fails while it is loaded: {type(error).__name__}: {error}"
        raise ConfigError([Finding(shown, line or 0, what, "mend the statement")]) from error
    finally:
        del sys.modules[module.__name__]
    return module


def _public(module: ModuleType) -> list[tuple[str, FunctionType]]:
    return [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def why_unusable(function: Function) -> str | None:
    """What keeps a function from being called with one value, if anything."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        return "is no plain function"
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return "does not take exactly one value"
    return None
