"""Templates as people read them: one Jinja environment a language, and static files under an address that says what is in them.

The console and the documentation are two sites with one way of making pages. Everything shown is escaped; a name a template does
not know is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.languages import languages


def environments(folder: Path, finalize: Callable[[object], object] | None = None) -> dict[str, Environment]:
    """By language tag, over the ``templates`` and the ``locale`` of a folder. ``finalize`` sees each value before it is shown."""
    made = {}
    for language in languages(folder / "locale").values():
        environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
        made[language.tag] = environment
    return made


def address(prefix: str, file: Path) -> str:
    """Where a static file is; the address changes with the content, so that a browser may keep it."""
    return f"{prefix}/{file.name}?{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
