"""The tasks of the manifest against the table of the benchmark."""

import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.results.agreement import HEAR_DOMAINS
from dasheng_lib.tasks.hear.fetch import hear_source, hear_sources

# Column of Dasheng's Table 2, folder, folds, seconds, clips, classes, score.
# Source: hear-preprocess 2021.1.1 and hearbenchmark.com/hear-tasks.html.
TABLE = """
D16|dcase2016_task2-hear2021-full|TVT|120|72|11|event_onset_200ms_fms
NS-5|nsynth_pitch-v2.2.3-5h|TVT|4|5000|88|pitch_acc
NS-50|nsynth_pitch-v2.2.3-50h|TVT|4|49060|88|pitch_acc
SPC-5|speech_commands-v0.0.2-5h|TVT|1|22890|12|top1_acc
SPC-F|speech_commands-v0.0.2-full|TVT|1|100503|12|top1_acc
Beehive|beehive_states_fold{0,1}-v2-full|TVT|600|576|2|aucroc
BJ|beijing_opera-v1.0-hear2021-full|5|4.77|236|4|top1_acc
CD|tfds_crema_d-1.0.0-full|5|5|7438|6|top1_acc
E50|esc50-v2.0.0-full|5|5|2000|50|top1_acc
F50k|fsd50k-v1.0-full|TVT|0.3 to 30|51185|200|mAP
Gun|gunshot_triangulation-v1.0-full|7|1.5|88|4|top1_acc
GZ-Gen|tfds_gtzan-1.0.0-full|10|30|1000|10|top1_acc
GZ-M/S|tfds_gtzan_music_speech-1.0.0-full|10|30|128|2|top1_acc
LiCt|libricount-v1.0.0-hear2021-full|5|5|5720|11|top1_acc
MST|maestro-v3.0.0-5h|5|120|185|88|event_onset_50ms_fms
Mri-S|mridangam_stroke-v1.5-full|5|0.81|6977|10|top1_acc
Mri-T|mridangam_tonic-v1.5-full|5|0.81|6977|6|top1_acc
VI|vocal_imitation-v1.1.3-full|3|11.26|5601|302|mAP
VL|vox_lingua_top10-hear2021-full|5|18.64|972|10|top1_acc
"""
BOTH_HIVES = (
    "beehive_states_fold0-v2-full beehive_states_fold1-v2-full",
    "beehive_states_fold{0,1}-v2-full",
)
NINETEEN = [source for source in hear_sources().values() if source.name != "spoken_digit"]


def test_the_nineteen_are_as_published():
    rows = {line.split("|")[0]: line.split("|") for line in TABLE.split("\n") if line}
    assert len(rows) == 19 and sorted(rows) == sorted(task.column for task in NINETEEN)
    for task in NINETEEN:
        row = [
            task.column,
            " ".join(task.folders).replace(*BOTH_HIVES),
            str(task.folds or "TVT"),
            f"{task.shortest} to " * bool(task.shortest) + f"{task.seconds:g}",
            str(task.clips),
            str(task.classes),
            task.metric,
        ]
        assert row == rows[task.column]


def test_eighteen_are_averaged_in_three_domains():
    averaged = [column for columns in HEAR_DOMAINS.values() for column in columns]
    assert len(averaged) == 18
    assert {task.column for task in NINETEEN} - set(averaged) == {"Beehive"}


def test_a_task_by_any_of_its_names():
    for name in ("esc50", "E50", "e50", "esc50-v2.0.0-full"):
        assert hear_source(name).name == "esc50"
    assert hear_source("beehive_states_fold1-v2-full").name == "beehive_states"
    with pytest.raises(UserError, match=r"no HEAR task 'esc51': choose one of .*beijing_opera"):
        hear_source("esc51")


def test_only_the_small_one_lies_outside_the_records():
    for source in hear_sources().values():
        assert source.licence and (source.url is None) == (source in NINETEEN)
