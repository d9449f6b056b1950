"""Sections of the vehicle file: transponder, identification, radio channel, evidence of spoofing."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Fraction, Integer, NonNegative, Number, Positive, Section

_Count = Annotated[Integer, Field(ge=1, le=100_000)]
_Share = Annotated[Fraction, Field(gt=0.0)]


class Transponder(Section):
    """Transmissions of the own transponder. Its power is `avionics.loads.transponder`."""

    claim_rate: Annotated[Positive, Field(ge=1.0, le=50.0)]  # Hz, claims of id, position and velocity
    manifest_period: Positive  # s, signed manifests
    manifest_life: Positive  # s, validity of a manifest
    eirp: Number  # dBm, radiated power
    arm_time: Positive  # s for which SPOOF stays armed
    answers: Positive  # 1/s, most interrogations that are answered

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.manifest_period <= self.manifest_life:
            raise ValueError(
                f"manifest_period {self.manifest_period} s; allowed: up to manifest_life ({self.manifest_life} s)"
            )
        if self.manifest_period * self.claim_rate > 60.0:
            raise ValueError(f"manifest_period {self.manifest_period} s; allowed: at most 60 claims of claim_rate")
        return self


class Iff(Section):
    """Verification of receptions."""

    checks_per_frame: _Count  # signatures checked in a radar frame; the rest wait
    queue_max: _Count  # signatures that wait; the rest is dropped and counted
    queue_per_source: _Count  # of them, of one source and key
    receptions_per_frame: _Count  # receptions read in a radar frame, half of them of no track; the rest is dropped
    skew: NonNegative  # s, between two clocks
    claim_age: Positive  # s, of a claim at its arrival
    pending: Positive  # s for which a claim waits for its manifest
    friend_valid: Positive  # s for which a verification counts
    replay_cache: _Count  # messages remembered
    interrogation_timeout: Positive  # s


class Radio(Section):
    """Radio channel: accuracy of a reception."""

    frequency: Positive  # Hz
    round_trip: Positive  # s, standard deviation of a round trip
    strength: Positive  # dB
    direction: Annotated[Positive, Field(lt=0.5)]  # rad, per axis across the line of sight
    sensitivity: Number  # dBm, weakest reception


class Weight(Section):
    """Say of a channel of evidence whose residuals are measured."""

    share: _Share  # 1, of the false alarms
    cap: Annotated[Positive, Field(ge=0.1, le=2.0)]  # 1, of the threshold, of its statistic


class FaultWeight(Weight):
    """Say of a channel of evidence that shows faults."""

    honest: Annotated[Fraction, Field(gt=0.0, lt=0.5)]  # 1, share of looks with a fault, of an honest transponder
    forged: Annotated[Fraction, Field(gt=0.5, lt=1.0)]  # 1, of a forged one


class Offsets(Section):
    """Channels whose residuals shift."""

    position: Weight  # claimed position against the return of that look
    jump: Weight  # claimed position against the claims before
    doppler: Weight  # claimed velocity against its radial velocity
    round_trip: Weight  # of the reply against the return's range
    direction: Weight  # of arrival against the return's direction
    strength: Weight  # against the return's range


class Faults(Section):
    """Channels that show faults."""

    signature: FaultWeight  # of the id's key: forged, replayed, unlisted
    freshness: FaultWeight  # claims too old or too early
    uniqueness: FaultWeight  # the id is claimed on another track too
    kinematics: FaultWeight  # claims that no body flies
    identity: FaultWeight  # the track has claimed another id
    no_return: FaultWeight  # a claimed position without a return
    witness: FaultWeight  # another bot received the claim from elsewhere, or sees no return there


class Spoofing(Section):
    """Sequential test of each track and claimed id."""

    arl: Annotated[Positive, Field(ge=1e3, le=1e12)]  # looks between two false alarms
    windows: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=64)]  # looks, of the tests for an offset
    jump_windows: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=64)]  # looks, of that for a jump
    clip: Annotated[Positive, Field(ge=1.0, le=2.0)]  # 1, of the threshold, most that one look counts
    claim_position: Positive  # m, deviation of a truthful claim, per axis
    claim_velocity: Positive  # m/s
    skew: NonNegative  # s, constant error of a truthful clock
    acceleration: Positive  # m/s^2, most that a body is believed
    speed: Positive  # m/s
    suspect: Fraction  # 1, of the threshold: SUSPECT
    release: Fraction  # 1, of the threshold, under which
    release_time: Positive  # s later the state goes down by one step
    forget: Positive  # s without a claim: UNVERIFIED, and the test begins again
    pairs_max: _Count  # pairs that are tested
    ghosts_max: _Count  # pairs without a track, of one frame
    looks_min: _Count  # looks of a pair before a verdict of SPOOF
    recent: Positive  # s for which another claim of the id, or another id of the track, counts
    offsets: Offsets
    faults: Faults

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("windows", "jump_windows"):
            lengths = getattr(self, name)
            if list(lengths) != sorted(set(lengths)) or lengths[-1] > 1000:
                raise ValueError(f"{name} {lengths}; allowed: rising, up to 1000 looks")
        if not self.release < self.suspect < 1.0:
            raise ValueError(f"suspect {self.suspect}; allowed: above release ({self.release}) and below 1")
        weights = [getattr(part, name) for part in (self.offsets, self.faults) for name in type(part).model_fields]
        total = sum(weight.share for weight in weights)
        if not abs(total - 1.0) < 1e-6:
            raise ValueError(f"shares of offsets and faults add up to {total:g}; allowed: 1")
        return self
