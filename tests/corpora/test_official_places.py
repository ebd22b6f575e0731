"""Where data sets are found and how deep their files may lie: any name, any folders around."""

import shutil
import warnings

import hares_sets
import pytest
from official_folders import SETS

from dasheng_lib.corpora.official.magna_tag_a_tune import TAGS
from dasheng_lib.corpora.official_sets import benchmark_task, benchmark_tasks, find_set
from dasheng_lib.tasks.arch import ARCH
from dasheng_lib.tasks.hares import HARES

# From a set to the miniature of it.
MAKE = dict(SETS) | {
    name: getattr(hares_sets, name)
    for name in ("audioset", "birdsong", "tut18", "fluent_speech_commands", "voxforge",
                 "voxceleb", "nsynth")
}  # fmt: skip


def speech_commands(folder):
    """With a word that only v0.02 has."""
    hares_sets.speech_commands(folder)
    hares_sets.sound(folder / "speech_commands_v0.02" / "backward" / "0165e0e8_nohash_0.wav")


MAKE |= dict.fromkeys(("speech_commands_v1", "speech_commands_v2"), speech_commands)
TASKS = {task.name: task for name in ("arch", "hares") for task in benchmark_tasks(name).values()}
READ = {name: own.read for name, own in (HARES | ARCH).items()}


@pytest.fixture(autouse=True)
def nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))


def rows(name, folder):
    """What a reader finds, whatever the folders are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = READ[name](folder)
    return sorted((one.path.name, one.labels, one.split, one.group) for one in found)


def test_every_set_has_a_miniature_and_a_sign():
    assert {task.set.name for task in TASKS.values()} == set(MAKE)
    assert all(task.set.signs for task in TASKS.values())


@pytest.mark.parametrize("name", TASKS)
def test_a_set_is_found_by_any_name_it_may_have(name, tmp_path):
    task = TASKS[name]
    made = tmp_path / "made"
    MAKE[task.set.name](made)
    whole = rows(name, made)
    for called in (name, task.set.name, task.column, name.upper().replace("_", "-"), "Data Of It"):
        folder = tmp_path / "data" / called
        folder.parent.mkdir(exist_ok=True)
        made.rename(folder)
        for place in (folder.parent, folder):
            found = find_set(task, place)
            assert found is not None and found.is_relative_to(folder)
            assert rows(name, found) == whole
        folder.rename(made)
    assert find_set(task, tmp_path / "data") is None


@pytest.mark.parametrize("name", TASKS)
def test_an_archive_may_have_put_two_folders_around_a_set(name, tmp_path):
    MAKE[TASKS[name].set.name](tmp_path / "made")
    whole = rows(name, tmp_path / "made")
    data = tmp_path / "data"
    # Of some the miniature has the folder of its archive.
    own = ("tut18", "fluent_speech_commands", "speech_commands_v1", "speech_commands_v2")
    inner = data / "archive" if name in own else data / "archive" / "archive"
    inner.parent.mkdir(parents=True)
    (tmp_path / "made").rename(inner)
    (data / "__MACOSX" / "archive").mkdir(parents=True)
    assert rows(name, data) == whole
    assert rows(name, find_set(TASKS[name], data)) == whole


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("fsd50k", "FSD50K.dev_audio"), ("fsd50k", "FSD50K.ground_truth"),
        ("irmas", "IRMAS-TrainingData"), ("irmas", "IRMAS-TestingData-Part1"),
        ("slurp", "slurp_real"), ("nsynth_pitch", "nsynth-train"), ("fma_small", "fma_small"),
        ("birdsong", "freefield1010"),
    ],
)  # fmt: skip
def test_a_part_may_lie_in_a_second_folder_of_its_name(name, part, tmp_path):
    MAKE[TASKS[name].set.name](tmp_path)
    whole = rows(name, tmp_path)
    shutil.move(tmp_path / part, tmp_path / "inner")
    (tmp_path / part).mkdir()
    shutil.move(tmp_path / "inner", tmp_path / part / part)
    assert rows(name, tmp_path) == whole


def test_the_two_archives_of_fma_may_lie_beside_each_other(tmp_path):
    SETS["fma_small"](tmp_path)
    assert find_set(TASKS["fma_small"], tmp_path) == tmp_path / "fma_small"
    assert rows("fma_small", tmp_path / "fma_small") == rows("fma_small", tmp_path)


def test_the_two_archives_of_speech_commands_may_lie_beside_each_other(tmp_path):
    hares_sets.speech_commands(tmp_path)
    archive = tmp_path / "speech_commands_v0.02"
    assert rows("speech_commands_v1", archive) == rows("speech_commands_v1", tmp_path)
    hares_sets.speech_commands(tmp_path / "speech_commands_v0.01", test_set=False)
    assert find_set(TASKS["speech_commands_v2"], tmp_path) == archive
    older = find_set(TASKS["speech_commands_v1"], tmp_path)
    assert older == tmp_path / "speech_commands_v0.01"
    assert ("1024.wav", ("_silence_",), "test", "") not in rows("speech_commands_v1", older)
    alone = tmp_path / "speech_commands_test_set_v0.02"
    assert find_set(TASKS["speech_commands_v1"], alone) == alone
    assert {split for *_, split, _ in rows("speech_commands_v1", alone)} == {"test"}


def test_labels_may_lie_apart_from_birds_and_tags_from_music(tmp_path):
    hares_sets.birdsong(tmp_path / "birdsong")
    whole = rows("birdsong", tmp_path / "birdsong")
    (tmp_path / "birdsong" / "labels").mkdir()
    for path in list((tmp_path / "birdsong").glob("*/*.csv")):
        path.rename(path.parents[1] / "labels" / path.name)
    assert rows("birdsong", tmp_path / "birdsong") == whole

    mtt = tmp_path / "magna_tag_a_tune"
    hares_sets.magna_tag_a_tune(mtt, TAGS)
    whole = rows("magna_tag_a_tune", mtt)
    (mtt / "audio").mkdir()
    for path in list(mtt.iterdir()):
        if path.is_dir() and path.name != "audio":
            path.rename(mtt / "audio" / path.name)
    assert rows("magna_tag_a_tune", mtt) == whole


def test_every_real_set_is_found_under_its_own_name(real_clips):
    found = {
        name: folder.relative_to(real_clips).as_posix()
        for name, task in TASKS.items()
        if (folder := find_set(task, real_clips))
    }
    assert found == {
        "emovo": "emovo", "esc50": "esc50", "fsd50k": "fsd50k-3",
        "medleydb": "medley-solos-db-20", "birdsong": "birds-3",
        "nsynth_instrument": "nsynth-test-60", "nsynth_pitch": "nsynth-test-60",
        "speech_commands_v1": "speech_commands_v0.01-60",
    }  # fmt: skip
    esc50 = benchmark_task("arch", "esc50")
    assert find_set(esc50, real_clips / "esc50-5") == real_clips / "esc50-5"
