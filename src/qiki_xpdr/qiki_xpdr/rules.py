"""Guard rules: their file and what they may ask for."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle import ConfigurationError
from qiki_vehicle.files import Fraction, Name, NonNegative, Number, Positive, Section, read, validate
from qiki_xpdr.modes import Allegiance, Mode, SpoofState

SEVERITIES = ("info", "warning", "critical")


def _names(kind: type[Allegiance] | type[Mode] | type[SpoofState]) -> str:
    return f"^({'|'.join(kind.__members__)})$"


_Allegiances = tuple[Annotated[str, Field(pattern=_names(Allegiance))], ...]
_Modes = tuple[Annotated[str, Field(pattern=_names(Mode))], ...]
_Spoofs = tuple[Annotated[str, Field(pattern=_names(SpoofState))], ...]


class When(Section):
    """Conditions on a track, all of which hold. One that is left out is not asked for."""

    iff: _Allegiances | None = None
    transponder_on: bool | None = None
    mode: _Modes | None = None  # as declared
    spoof: _Spoofs | None = None
    range: tuple[NonNegative, Positive] | None = None  # m, from and up to
    quality_min: Fraction | None = None
    closing_min: Number | None = None  # m/s, of the range, above which
    cpa_max: Positive | None = None  # m, closest point of approach, within
    cpa_time_max: Positive | None = None  # s

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        asked = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if not asked:
            raise ValueError(f"nothing is asked for; allowed: at least one of {', '.join(type(self).model_fields)}")
        for name in ("iff", "mode", "spoof"):
            if getattr(self, name) == ():
                raise ValueError(f"{name} []; allowed: at least one")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range {list(self.range)} m; allowed: rising")
        if self.cpa_time_max is not None and self.cpa_max is None:
            raise ValueError(f"cpa_time_max {self.cpa_time_max} s without cpa_max; allowed: with it")
        return self


class Rule(Section):
    """A rule, evaluated on every track by itself."""

    id: Name
    when: When
    severity: Annotated[str, Field(pattern=f"^({'|'.join(SEVERITIES)})$")]
    hysteresis: NonNegative = 0.0  # m, beyond the range, before an alert ends
    cooldown: NonNegative = 60.0  # s, from one alert on a track to the next
    min_duration: NonNegative = 0.0  # s for which the conditions hold before the alert


class Rules(Section):
    """Content of a file of rules."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [rule.id for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules {', '.join(twice)} given twice; allowed: each id once")
        return self

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a file of rules (YAML).

        Raises:
            ConfigurationError: the file is missing or a field is refused; naming file, rule, field, value and range.
        """
        path = Path(path)
        data = read(path)
        try:
            return validate(path, data, cls)
        except ConfigurationError as error:
            raise ConfigurationError(_with_names(str(error), data)) from error


def _with_names(text: str, data: object) -> str:
    """The rules' ids in place of their numbers."""
    rules = data.get("rules") if isinstance(data, dict) else None
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict) and isinstance(rule.get("id"), str) and rule["id"].isidentifier():
            text = text.replace(f"rules[{number}]", f"rules.{rule['id']}")
    return text
