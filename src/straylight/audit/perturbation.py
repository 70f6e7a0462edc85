"""A perturbation of an audit: how it was made, and the counts of its effect."""

from dataclasses import dataclass, field, fields

from straylight.audit.schema import Json
from straylight.audit.sections import present_fields
from straylight.evaluation.metrics import Score, to_matrix

_CUSTOM = {"name", "settings", "class", "source_sha256"}


@dataclass(frozen=True)
class MethodInfo:
    """The attack or control that made a perturbation.

    Attributes:
        name: In the catalogue; of a user's own attack that of its class.
        settings: By name.
        class_path: ``MODULE:CLASS`` of a user's own attack, or None.
        source_sha256: Digest of the source of a user's own attack, or None.
    """

    name: str
    settings: Json = field(default_factory=dict)
    class_path: str | None = None
    source_sha256: str | None = None

    @property
    def is_custom(self) -> bool:
        """Whether it is a user's own attack."""
        return self.class_path is not None

    def to_json(self) -> Json:
        """Return the method as it is written: settings of the catalogue's stand beside the name."""
        if not self.is_custom:
            return {"name": self.name, **self.settings}
        return {
            "name": self.name,
            "settings": self.settings,
            "class": self.class_path,
            "source_sha256": self.source_sha256,
        }

    @classmethod
    def from_json(cls, data: Json) -> "MethodInfo":
        """Parse a method."""
        if data.keys() == _CUSTOM and isinstance(data["settings"], dict) and data["class"]:
            return cls(data["name"], data["settings"], data["class"], data["source_sha256"])
        return cls(data["name"], {key: value for key, value in data.items() if key != "name"})


@dataclass(frozen=True)
class CurvePoint:
    """An attack on its way: its cost so far, and how many images it fools at this point."""

    images_seen: int
    model_passes: int
    seconds: float
    n_fooled: int


@dataclass(frozen=True)
class Perturbation:
    """One perturbation and its effect.

    Attributes:
        role: ``attack``, ``control`` or ``reference``.
        threat_model: T1 (classifier and photographs), T2 (public backbone and photographs), T0 (no
            model), ``oracle`` (medical images were used: an upper bound).
        method: The attack or control that made it.
        source: What it learned on: ``photographs``, ``adapted``, ``medical``, or None (a control).
        target: Class name, or None.
        copy_of: Name of the perturbation whose spectrum a control copies, or None.
        images_seen: Photographs looked at, with repetition.
        n_forward, n_backward: Images sent through the classifier to make it.
        seconds: Wall time to make it.
        l2, linf: Its norms, on images in [0, 1].
        file: Its `.npy`, float32 (1, C, H, W), relative to the audit's folder.
        curve: The attack at some points on its way, if asked for. Nothing is chosen by it.
        sha256: Digest of the file (empty: an older audit, which did not record it).
        n_distinct_seen: Different photographs (or views of `source`) looked at (None: a control, or an
            older audit).
    """

    name: str
    role: str
    threat_model: str
    method: MethodInfo
    source: str | None
    target: str | None
    copy_of: str | None
    seed: int
    images_seen: int
    n_forward: int
    n_backward: int
    seconds: float
    score: Score
    l2: float
    linf: float
    file: str
    curve: tuple[CurvePoint, ...] = ()
    sha256: str = ""
    n_distinct_seen: int | None = None

    def to_json(self, class_names: tuple[str, ...]) -> Json:
        """Return the counts with the rates derived from them."""
        recorded = {key: value for key, value in present_fields(self).items() if key != "score"}
        recorded |= {
            "method": self.method.to_json(),
            "curve": [vars(point) for point in self.curve],
        }
        score = self.score
        target = None if self.target is None else class_names.index(self.target)
        hit = None if target is None else score.hit(target)
        moved = None if target is None else score.hit_from_elsewhere(target)
        return recorded | {
            "model_passes": self.n_forward + self.n_backward,
            "n": score.n,
            "n_fooled": score.fooled.hits,
            "fooling_rate": score.fooled.rate,
            "fooling_rate_ci95": score.fooled.ci95,
            "n_fooled_raw": score.n_fooled_raw,
            "fooling_rate_raw": score.fooled_raw.rate,
            "targeted_success_rate": hit and hit.rate,
            "targeted_success_rate_ci95": hit and hit.ci95,
            "targeted_success_rate_from_elsewhere": moved and moved.rate,
            "n_from_elsewhere": moved and moved.n,
            "accuracy": score.correct.rate,
            "recalls": [recall.rate for recall in score.recalls],
            "dominant_class": class_names[score.dominant_class],
            "dominant_share": score.dominant.rate,
            "ceiling": score.ceiling.rate,
            "confusion": score.confusion,
            "transitions": score.transitions,
        }

    @classmethod
    def from_json(cls, data: Json) -> "Perturbation":
        """Parse the counts; rates are derived again."""
        names = {item.name for item in fields(cls)} & data.keys()
        confusion, transitions = to_matrix(data["confusion"]), to_matrix(data["transitions"])
        return cls(
            **{name: data[name] for name in names - {"method", "curve"}},
            method=MethodInfo.from_json(data["method"]),
            curve=tuple(CurvePoint(**point) for point in data["curve"]),
            score=Score(confusion, transitions, data["n_fooled_raw"]),
        )
