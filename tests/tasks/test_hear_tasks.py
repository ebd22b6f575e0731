"""The declared tasks against the table of the benchmark, and against the manifest."""

import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.tasks.hear.declared import HEAR, SPOKEN_DIGIT, hear_task
from dasheng_lib.tasks.hear.fetch import hear_source, hear_sources

# Column of Dasheng's Table 2, folder, embedding, prediction, folds, seconds, clips, classes, score.
# Source: hear-preprocess 2021.1.1 and hearbenchmark.com/hear-tasks.html.
TABLE = """
D16|dcase2016_task2-hear2021-full|event|multilabel|TVT|120|72|11|event_onset_200ms_fms
NS-5|nsynth_pitch-v2.2.3-5h|scene|multiclass|TVT|4|5000|88|pitch_acc
NS-50|nsynth_pitch-v2.2.3-50h|scene|multiclass|TVT|4|49060|88|pitch_acc
SPC-5|speech_commands-v0.0.2-5h|scene|multiclass|TVT|1|22890|12|top1_acc
SPC-F|speech_commands-v0.0.2-full|scene|multiclass|TVT|1|100503|12|top1_acc
Beehive|beehive_states_fold{0,1}-v2-full|scene|multiclass|TVT|600|576|2|aucroc
BJ|beijing_opera-v1.0-hear2021-full|scene|multiclass|5|4.77|236|4|top1_acc
CD|tfds_crema_d-1.0.0-full|scene|multiclass|5|5|7438|6|top1_acc
E50|esc50-v2.0.0-full|scene|multiclass|5|5|2000|50|top1_acc
F50k|fsd50k-v1.0-full|scene|multilabel|TVT|null|51185|200|mAP
Gun|gunshot_triangulation-v1.0-full|scene|multiclass|7|1.5|88|4|top1_acc
GZ-Gen|tfds_gtzan-1.0.0-full|scene|multiclass|10|30|1000|10|top1_acc
GZ-M/S|tfds_gtzan_music_speech-1.0.0-full|scene|multiclass|10|30|128|2|top1_acc
LiCt|libricount-v1.0.0-hear2021-full|scene|multiclass|5|5|5720|11|top1_acc
MST|maestro-v3.0.0-5h|event|multilabel|5|120|185|88|event_onset_50ms_fms
Mri-S|mridangam_stroke-v1.5-full|scene|multiclass|5|0.81|6977|10|top1_acc
Mri-T|mridangam_tonic-v1.5-full|scene|multiclass|5|0.81|6977|6|top1_acc
VI|vocal_imitation-v1.1.3-full|scene|multiclass|3|11.26|5601|302|mAP
VL|vox_lingua_top10-hear2021-full|scene|multiclass|5|18.64|972|10|top1_acc
"""
BOTH_HIVES = (
    "beehive_states_fold0-v2-full beehive_states_fold1-v2-full",
    "beehive_states_fold{0,1}-v2-full",
)
DOMAINS = {
    "environment": "D16 E50 F50k Gun",
    "speech": "SPC-5 SPC-F VL LiCt VI CD",
    "music": "BJ GZ-Gen GZ-M/S Mri-T Mri-S MST NS-5 NS-50",
}


def test_the_nineteen_are_as_published():
    rows = {line.split("|")[0]: line.split("|") for line in TABLE.split("\n") if line}
    assert len(rows) == 19 and sorted(rows) == sorted(task.column for task in HEAR)
    for task in HEAR:
        row = [
            task.column,
            " ".join(task.folders).replace(*BOTH_HIVES),
            task.embedding,
            task.prediction,
            str(task.folds or "TVT"),
            "null" if task.seconds is None else f"{task.seconds:g}",
            str(task.clips),
            str(task.classes),
            task.metrics[0],
        ]
        assert row == rows[task.column]


def test_the_other_scores():
    others = {task.column: task.metrics[1:] for task in HEAR}
    assert others["D16"] == ("segment_1s_er",)
    assert others["MST"] == ("event_onset_offset_50ms_20perc_fms",)
    assert others["NS-5"] == others["NS-50"] == ("chroma_acc",)
    assert others["SPC-5"] == others["SPC-F"] == ()
    assert others["F50k"] == others["VI"] == ("d_prime", "aucroc", "top1_acc")
    assert others["Beehive"] == ("mAP", "d_prime", "top1_acc")
    usual = {column for column, scores in others.items() if scores == ("mAP", "d_prime", "aucroc")}
    assert usual == {"E50", "Gun", "VL", "LiCt", "CD", "BJ", "GZ-Gen", "GZ-M/S", "Mri-T", "Mri-S"}


def test_how_events_are_found():
    grids = {"D16": ((250, 125), (250, 250)), "MST": ((150, 50),)}
    for task in HEAR:
        assert task.event_grid == grids.get(task.column, ())


def test_eighteen_are_averaged_in_three_domains():
    averaged = [task for task in HEAR if task.averaged]
    assert len(averaged) == 18 and {t.column for t in HEAR} - {t.column for t in averaged} == {
        "Beehive"
    }
    for domain, columns in DOMAINS.items():
        assert {t.column for t in averaged if t.domain == domain} == set(columns.split())


def test_a_task_by_any_of_its_names():
    for name in ("esc50", "E50", "e50", "esc50-v2.0.0-full"):
        assert hear_task(name).name == hear_source(name).name == "esc50"
    assert hear_task("beehive_states_fold1-v2-full").name == "beehive_states"
    assert hear_task("spoken_digit") is SPOKEN_DIGIT
    for find in (hear_task, hear_source):
        with pytest.raises(UserError, match=r"no HEAR task 'esc51': choose one of .*beijing_opera"):
            find("esc51")


def test_the_manifest_agrees():
    sources = hear_sources()
    assert set(sources) == {task.name for task in (*HEAR, SPOKEN_DIGIT)}
    for task in (*HEAR, SPOKEN_DIGIT):
        source = sources[task.name]
        assert (source.column, source.folders, source.clips) == (
            task.column,
            task.folders,
            task.clips,
        )
        assert source.seconds == (task.seconds or 30)
        assert source.licence and (source.url is None) == (task in HEAR)
