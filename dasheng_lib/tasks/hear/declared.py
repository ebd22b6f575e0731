"""The 19 tasks of the HEAR benchmark, as declared by heareval and averaged by Dasheng.

Names, folders and sizes of the archives stand in ``data_manifests/corpora/hear.yml``. Where a
folder's own metadata say something else, the folder is right; these declarations are for tables,
and to notice that a folder is of another version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dasheng_lib.common.errors import UserError

Grid = tuple[tuple[float, float], ...]
ACCURACY = ("top1_acc", "mAP", "d_prime", "aucroc")
RANKED = ("mAP", "d_prime", "aucroc", "top1_acc")
PITCH = ("pitch_acc", "chroma_acc")


@dataclass(frozen=True)
class HearDeclaration:
    """One task, as published.

    Attributes:
        name: for commands.
        column: its heading in Table 2 of Dasheng.
        title: for tables.
        domain: environment, speech or music, by the grouping that gives Dasheng's Table 4.
        folders: official ``{task}-{version}-{mode}``; the score is the mean over them.
        embedding, prediction: as in :class:`dasheng_lib.tasks.task.Task`.
        folds: 0 for train, valid and test.
        metrics: the first is reported.
        clips, seconds, classes: published size; seconds of a clip, None if they differ.
        event_grid: (median filter, shortest event) in ms.
        averaged: whether it counts among the 18 of Dasheng's averages.
    """

    name: str
    column: str
    title: str
    domain: Literal["environment", "speech", "music"]
    folders: tuple[str, ...]
    folds: int
    metrics: tuple[str, ...]
    clips: int
    seconds: float | None
    classes: int
    embedding: Literal["scene", "event"] = "scene"
    prediction: Literal["multiclass", "multilabel"] = "multiclass"
    event_grid: Grid = ()
    averaged: bool = True


def _task(name, column, title, domain, folder, folds, metrics, clips, seconds, classes, **more):
    folders = (folder,) if isinstance(folder, str) else folder
    return HearDeclaration(
        name, column, title, domain, folders, folds, metrics, clips, seconds, classes, **more
    )


_EVENTS = {"embedding": "event", "prediction": "multilabel"}
_ONSET_200 = ("event_onset_200ms_fms", "segment_1s_er")
_ONSET_50 = ("event_onset_50ms_fms", "event_onset_offset_50ms_20perc_fms")
_HIVES = ("beehive_states_fold0-v2-full", "beehive_states_fold1-v2-full")
# fmt: off
HEAR = (
    _task("dcase2016_task2", "D16", "DCASE 2016, office sounds", "environment",
          "dcase2016_task2-hear2021-full", 0, _ONSET_200, 72, 120, 11, **_EVENTS,
          event_grid=((250, 125), (250, 250))),
    _task("esc50", "E50", "ESC-50, environmental sounds", "environment",
          "esc50-v2.0.0-full", 5, ACCURACY, 2000, 5, 50),
    _task("fsd50k", "F50k", "FSD50K, sound events", "environment",
          "fsd50k-v1.0-full", 0, RANKED, 51185, None, 200, prediction="multilabel"),
    _task("gunshot_triangulation", "Gun", "Gunshot triangulation", "environment",
          "gunshot_triangulation-v1.0-full", 7, ACCURACY, 88, 1.5, 4),
    _task("speech_commands_5h", "SPC-5", "Speech commands, 5 h", "speech",
          "speech_commands-v0.0.2-5h", 0, ("top1_acc",), 22890, 1, 12),
    _task("speech_commands_full", "SPC-F", "Speech commands", "speech",
          "speech_commands-v0.0.2-full", 0, ("top1_acc",), 100503, 1, 12),
    _task("vox_lingua_top10", "VL", "VoxLingua107, 10 languages", "speech",
          "vox_lingua_top10-hear2021-full", 5, ACCURACY, 972, 18.64, 10),
    _task("libricount", "LiCt", "LibriCount, number of talkers", "speech",
          "libricount-v1.0.0-hear2021-full", 5, ACCURACY, 5720, 5, 11),
    _task("vocal_imitation", "VI", "Vocal imitations", "speech",
          "vocal_imitation-v1.1.3-full", 3, RANKED, 5601, 11.26, 302),
    _task("crema_d", "CD", "CREMA-D, emotions", "speech",
          "tfds_crema_d-1.0.0-full", 5, ACCURACY, 7438, 5, 6),
    _task("beijing_opera", "BJ", "Beijing opera percussion", "music",
          "beijing_opera-v1.0-hear2021-full", 5, ACCURACY, 236, 4.77, 4),
    _task("gtzan_genre", "GZ-Gen", "GTZAN, genre", "music",
          "tfds_gtzan-1.0.0-full", 10, ACCURACY, 1000, 30, 10),
    _task("gtzan_music_speech", "GZ-M/S", "GTZAN, music or speech", "music",
          "tfds_gtzan_music_speech-1.0.0-full", 10, ACCURACY, 128, 30, 2),
    _task("mridangam_tonic", "Mri-T", "Mridangam, tonic", "music",
          "mridangam_tonic-v1.5-full", 5, ACCURACY, 6977, 0.81, 6),
    _task("mridangam_stroke", "Mri-S", "Mridangam, stroke", "music",
          "mridangam_stroke-v1.5-full", 5, ACCURACY, 6977, 0.81, 10),
    _task("maestro", "MST", "MAESTRO, piano notes, 5 h", "music",
          "maestro-v3.0.0-5h", 5, _ONSET_50, 185, 120, 88, **_EVENTS,
          event_grid=((150, 50),)),
    _task("nsynth_pitch_5h", "NS-5", "NSynth, pitch, 5 h", "music",
          "nsynth_pitch-v2.2.3-5h", 0, PITCH, 5000, 4, 88),
    _task("nsynth_pitch_50h", "NS-50", "NSynth, pitch, 50 h", "music",
          "nsynth_pitch-v2.2.3-50h", 0, PITCH, 49060, 4, 88),
    _task("beehive_states", "Beehive", "Beehive, queen or none", "environment",
          _HIVES, 0, ("aucroc", "mAP", "d_prime", "top1_acc"), 576, 600, 2, averaged=False),
)
# fmt: on
# Not of the benchmark: what its authors test their own tools with.
SPOKEN_DIGIT = _task(
    "spoken_digit",
    "digits",
    "Spoken digits, almost silent",
    "speech",
    "spoken_digit-1.0.9-small",
    5,
    ("top1_acc",),
    100,
    1,
    10,
    averaged=False,
)


def hear_task(name: str) -> HearDeclaration:
    """A declaration by name, column or folder; capitals do not matter.

    Raises:
        UserError: there is none; the sentence lists them.
    """
    wanted = name.lower()
    for task in (*HEAR, SPOKEN_DIGIT):
        if wanted in map(str.lower, (task.name, task.column, *task.folders)):
            return task
    known = ", ".join(task.name for task in (*HEAR, SPOKEN_DIGIT))
    raise UserError(f"There is no HEAR task {name!r}: choose one of {known}.")
