"""Sentences with named parameters, so that what is explained in English can be told in any language.

A parameter may itself be a sentence, or several that follow one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Say = Callable[[str, Mapping[str, object]], str]
"""A sentence and its parameters, all told by now, to text in one language."""


def english(message: str, parameters: Mapping[str, object]) -> str:
    return message % parameters


@dataclass(frozen=True, slots=True)
class Sentence:
    """Immutable. ``message`` is the English one, with ``%(name)s`` for each parameter."""

    message: str
    parameters: Mapping[str, str | int | Sentence | tuple[Sentence, ...]]

    def told(self, say: Say = english) -> str:
        """The text, in the language of ``say``."""
        return say(self.message, {name: _told(value, say) for name, value in self.parameters.items()})

    def __str__(self) -> str:
        return self.told()


def sentence(message: str, **parameters: str | int | Sentence | tuple[Sentence, ...]) -> Sentence:
    return Sentence(message, parameters)


def _told(value: str | int | Sentence | tuple[Sentence, ...], say: Say) -> str:
    if isinstance(value, Sentence):
        return value.told(say)
    return "".join(part.told(say) for part in value) if isinstance(value, tuple) else str(value)
