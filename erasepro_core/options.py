"""How to solve: the choices of a user, as values that the core works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from .methods import METHODS, Method, Preserve, Where
from .schedule import Schedule


class OptionError(ValueError):
    """An option that does not exist, or a choice that it does not have."""


@dataclass(frozen=True)
class Options:
    """How to solve; the defaults were chosen by measurement (docs/decisions)."""

    where: Where = Where.BOTH
    schedule: Schedule = Schedule.PROGRESSIVE
    preserve: Preserve = Preserve.EXACT
    preserve_strength: float = 1.0
    """How much preserved prompts count against everyday prompts, which count 1."""
    templates: int = 28
    """Sentences for each name."""
    tolerance: float = 0.1
    """A direction is corrected while everyday prompts move by less than this share of what is corrected."""
    method: Method = METHODS[0]
    own_tokens: bool = True
    """Whether rows of the tables of token embeddings may change, those of tokens that only targets use. The layers also
    meet what does not use these tokens, such as a textual inversion."""
    forms: bool = True
    """Whether the forms of a name that people also write are erased with it, such as its plural."""

    @property
    def must_erase(self) -> bool:
        """Whether a concept that is left in place is an error; the other choices are for comparison."""
        return self.method.must_erase and self.schedule is Schedule.PROGRESSIVE

    def as_dict(self) -> dict[str, Any]:
        """The options as a user names them, in their order."""
        return {each.name: _named(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def named(cls, **values: Any) -> Options:
        """The options from names and numbers, as widgets and files have them; one that is missing has its default.

        Raises:
            OptionError: naming the option, what was given and what it can be.
        """
        kinds = {name: type(value) for name, value in cls().as_dict().items()}
        if unknown := set(values) - set(kinds):
            raise OptionError(f"there are no options {sorted(unknown)}; the options are {', '.join(kinds)}.")
        return cls(**{name: _choice(name, kinds[name], value) for name, value in values.items()})


CHOICES: Mapping[str, Mapping[str, Any]] = {
    "where": {choice.value: choice for choice in Where},
    "schedule": {choice.value: choice for choice in Schedule},
    "preserve": {choice.value: choice for choice in Preserve},
    "method": {method.name: method for method in METHODS},
}
"""By option, then by the name that the user sees."""


def _choice(name: str, kind: type, value: Any) -> Any:
    """The value of an option that a name or a number stands for."""
    choices = CHOICES.get(name)
    if choices is not None:
        if value not in choices:
            raise OptionError(f"its option {name} is {str(value)[:40]!r}; expected one of {', '.join(choices)}.")
        return choices[value]
    if kind is bool and isinstance(value, bool):
        return value
    if kind is bool or not isinstance(value, (kind, int)) or isinstance(value, bool):
        raise OptionError(
            f"its option {name} is {str(value)[:40]!r}; expected {'true or false' if kind is bool else 'a number'}."
        )
    return kind(value)


def _named(value: Any) -> Any:
    if isinstance(value, Method):
        return value.name
    return value.value if isinstance(value, Enum) else value
