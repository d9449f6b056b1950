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

    iff: _Allegiances | None = Field(None, description="identification, one of these")
    transponder_on: bool | None = Field(None, description="the declared mode transmits; false without a claim, too")
    mode: _Modes | None = Field(None, description="declared mode, one of these")
    spoof: _Spoofs | None = Field(None, description="verdict on the claimed id, one of these")
    range: tuple[NonNegative, Positive] | None = Field(None, description="m, from and up to")
    quality_min: Fraction | None = Field(None, description="share of hits in the last 32 frames, at least; 0 to 1")
    closing_min: Number | None = Field(None, description="m/s by which the range falls, more than")
    cpa_max: Positive | None = Field(None, description="m, distance at the closest point of approach, at most")
    cpa_time_max: Positive | None = Field(None, description="s until then, at most; with cpa_max")

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

    id: Name = Field(description="name, unique; letters, digits and _")
    when: When = Field(description="conditions, all of which hold")
    severity: Annotated[str, Field(pattern=f"^({'|'.join(SEVERITIES)})$", description=", ".join(SEVERITIES))]
    hysteresis: NonNegative = Field(0.0, description="m beyond the range at which an alert ends")
    cooldown: NonNegative = Field(60.0, description="s from one alert on a track to the next")
    min_duration: NonNegative = Field(0.0, description="s for which the conditions hold before the alert")


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
