"""Everything that determines a pretraining run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import check_types, setting
from dasheng_lib.corpora.crops import check_crops
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.model.encoder import PRESETS
from dasheng_lib.objectives.family import FAMILIES, family_of
from dasheng_lib.objectives.mae import MAEConfig
from dasheng_lib.train.schedule import TrainConfig


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run, apart from the audio.

    Attributes:
        task: settings of the pretext task, whose type says which family's it is;
            :func:`dasheng_lib.train.recipes.family_defaults` has the other settings that go with
            it. The paper hides 0.75 of 10 s; of the second that a sound of the pocket corpus
            lasts, half teaches more.
        preset: encoder size, a name that one of the family's networks knows.
        batch, clip_seconds, short, even, speed, mix: see :class:`dasheng_lib.corpora.crops.Crops`;
            the batch is that of all processes together.
        streams: places in shards that are read at once, see
            :class:`dasheng_lib.shards.ShardCrops`; a multiple of the processes is best.
        only_domain: train on this domain of the corpus alone; what is held out is of all.
        hold_out: share of the audio that is never trained on, but validated on.
        epoch: steps between two validations; 0 validates before the first and after the last.
        keep: steps whose weights are kept besides the first and the last; by default halvings of
            the last step, down to about a fiftieth of it.
        train: see :class:`.schedule.TrainConfig`; its seed also seeds weights and crops.
    """

    task: Any = field(default_factory=lambda: MAEConfig(mask_ratio=0.5))
    preset: str = setting(
        "nano",
        f"size: {', '.join(PRESETS)}, or as in 96x4x3; of some families sfnfnet-16 and so on",
    )
    batch: int = setting(64, "crops in a step, of all processes together")
    clip_seconds: float = setting(2.0, "length of a crop")
    short: str = setting("fill", "crops of short clips: fill with more clips, or pad")
    even: str = setting("seconds", "what counts alike: seconds, clips or domains")
    speed: float = setting(1.0, "clips are played up to this times faster or slower")
    mix: float = setting(0.0, "largest share of another crop that is mixed in")
    streams: int = setting(8, "places in shards that are read at once")
    only_domain: str = setting("", "train on this domain alone: speech, music or environment")
    hold_out: float = setting(0.0, "share of the audio to validate on")
    epoch: int = setting(0, "steps between validations, 0: at the end only")
    keep: tuple[int, ...] = setting((), "steps to keep besides the last (its halvings)")
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        check_types(RunConfig, vars(self))
        family = FAMILIES[self.family]
        try:
            size = family.size(self.preset)
        except ValueError as error:
            raise UserError(f"{error}.") from error
        if self.clip_seconds < 0.1:
            raise ValueError(f"clip_seconds is at least 0.1, not {self.clip_seconds}")
        if min(self.batch, self.streams) < 1:
            raise ValueError(
                f"batch and streams are at least 1, not {self.batch} and {self.streams}"
            )
        check_crops(self.short, self.even, self.speed, self.mix)
        if not 0.0 <= self.hold_out <= 0.5 or self.epoch < 0:
            raise ValueError("hold_out is 0 to 0.5 and epoch at least 0")
        if self.keep and not 0 <= min(self.keep) <= max(self.keep) <= self.train.steps:
            raise ValueError(f"keep names steps from 0 to {self.train.steps}, not {self.keep}")
        if family.whole_batch and self.train.accumulate > 1:
            raise ValueError(
                f"{self.family} compares all clips of a batch: accumulate is 1, "
                f"not {self.train.accumulate}"
            )
        if family.labelled and self.short == "fill":
            raise ValueError(
                f"{self.family} learns a label a crop, and short='fill' puts other clips behind a "
                "short one: short is 'pad'"
            )
        family.check(size, self.task, round(self.clip_seconds * SAMPLE_RATE))

    @property
    def family(self) -> str:
        """Name of the pretext task, see :data:`dasheng_lib.objectives.family.FAMILIES`."""
        return family_of(self.task)

    @property
    def teacher(self) -> str | None:
        """The file of weights that this run learns from, if its family has such a thing."""
        return self.task.teacher if FAMILIES[self.family].has_teacher else None

    @property
    def seen_seconds(self) -> float:
        """How much of a crop the encoder is given at once: all of it, or a view."""
        crop = round(self.clip_seconds * SAMPLE_RATE)
        return FAMILIES[self.family].seen(self.task, crop) / SAMPLE_RATE

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Steps whose weights are kept, from 0 to the last."""
        steps = self.train.steps
        between = self.keep or (max(steps >> halving, 1) for halving in range(6))
        return tuple(sorted({0, *between, steps}))

    def validates_at(self, step: int) -> bool:
        """Whether a validation follows this step; the last has one, and 0, the untrained model."""
        return step in (0, self.train.steps) or (self.epoch > 0 and step % self.epoch == 0)

    def record(self) -> dict[str, Any]:
        """All settings as files keep them, those of the task beside the run's own.

        What a task leaves to a default (None) is left out, and ``only_domain`` where it says
        nothing, so that runs from before there was one go on.
        """
        own = asdict(self)
        if not self.only_domain:
            del own["only_domain"]
        task = {name: value for name, value in own.pop("task").items() if value is not None}
        return {"family": self.family, **own, **task}

    def changed(self, settings: Mapping[str, Any]) -> RunConfig:
        """The same run with other settings: fields of it, of its task, or of its training.

        Raises:
            ValueError: a value is impossible, or the family has no setting of that name.
        """
        names = [{f.name for f in fields(part)} for part in (self.task, self, self.train)]
        if unknown := set(settings) - set().union(*names) | set(settings) & {"task", "train"}:
            known = [", ".join(sorted(own - {"task", "train"})) for own in names]
            raise ValueError(
                f"{self.family} has no setting {', '.join(sorted(unknown))}: its own are "
                f"{known[0]}; those of every run {known[1]}; of every training {known[2]}"
            )
        task, run, train = ({k: v for k, v in settings.items() if k in own} for own in names)
        check_types(type(self.task), task)
        return replace(
            self, task=replace(self.task, **task), train=replace(self.train, **train), **run
        )
