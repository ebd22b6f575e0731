"""Maps with sound: who is near whom is true, and a touch plays and marks it."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from browser import in_browser

from dasheng_lib.book.figures import embedding_map
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.tasks import Declared

RATE = 16_000
TASKS = [
    Declared("made", "digit", "spoken digit", "speech", "talker", True),
    Declared("made", "drum", "drum", "music", "kit", True),
]


def made_corpus(each=24, seconds=0.5):
    """Tones of a class a pitch; every fourth clip of a task is too long for a map."""
    rng, waves, rows = np.random.default_rng(0), [], []
    for number in range(2 * each):
        length = 2.0 if number % 4 == 3 else seconds
        time = np.arange(int(RATE * length)) / RATE
        waves.append(0.3 * np.sin(2 * np.pi * (200 + 150 * (number % 3)) * time))
        waves[-1] += 0.01 * rng.standard_normal(len(time))
        task = TASKS[number // each].name
        rows.append((task, number, "abc"[number % 3], f"{task}/{'xy'[number % 2]}"))
    tasks = pd.DataFrame(rows, columns=["task", "clip", "label", "group"]).assign(fold="f")
    samples = np.array([len(wave) for wave in waves])
    clips = pd.DataFrame(
        {"samples": samples, "offset": np.cumsum(samples) - samples, "group": tasks["group"]}
    )
    clips["seconds"] = samples / RATE
    store = np.concatenate(waves).astype(np.float32)
    return Corpus("made", "", clips, tasks.drop(columns="group"), store)


@pytest.fixture(scope="module")
def drawn():
    corpus = made_corpus()
    chosen = embedding_map.choose(corpus, TASKS, 24, seed=0)
    rng = np.random.default_rng(1)
    Z = {name: rng.standard_normal((len(chosen), 5)).astype(np.float32) for name in ("one", "two")}
    return corpus, chosen, Z, embedding_map.payload(corpus, chosen, Z, seed=0)


def test_short_clips_are_chosen_evenly(drawn):
    corpus, chosen, _, _ = drawn
    assert chosen["clip"].is_unique and chosen.groupby("task").size().tolist() == [12, 12]
    assert chosen.groupby(["task", "label"]).size().tolist() == [4] * 6
    assert corpus.clips["seconds"].iloc[chosen["clip"]].max() <= embedding_map.LONGEST
    assert set(chosen["name"]) == {f"{label} ({kit})" for label in "abc" for kit in "xy"}
    again = embedding_map.choose(corpus, TASKS, 24, seed=0)
    pd.testing.assert_frame_equal(chosen, again)


def test_the_nearest_are_those_of_the_full_space(drawn):
    *_, Z, data = drawn
    assert [one["name"] for one in data["maps"]] == list(Z)
    for one, Z_ND in zip(data["maps"], Z.values(), strict=True):
        for row, near in enumerate(one["near"]):
            cosine = Z_ND @ Z_ND[row] / np.linalg.norm(Z_ND, axis=1) / np.linalg.norm(Z_ND[row])
            assert near == [other for other in np.argsort(-cosine) if other != row][:3]
        xy = np.array(one["xy"])
        assert xy.min() >= 0 and xy.max() <= embedding_map.SIDE and len(np.unique(xy, axis=0)) > 20


def test_a_map_keeps_two_lots_of_clips_apart():
    rng = np.random.default_rng(0)
    lot = np.repeat([0, 1], 20)
    xy = embedding_map.layout(np.eye(8)[4 * lot] + 0.1 * rng.standard_normal((40, 8)), seed=0)
    near = embedding_map.nearest(xy - xy.mean(0) + 1e-3)
    centres = np.stack([xy[lot == one].mean(0) for one in (0, 1)])
    own = np.linalg.norm(xy[:, None] - centres, axis=2).argmin(1)
    assert (own == lot).all() and near.shape == (40, 3)


def test_sounds_are_whole_and_light(drawn):
    corpus, chosen, _, data = drawn
    for row, text in zip(chosen["clip"], data["sounds"], strict=True):
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(text)))
        true = corpus.wave(row)
        assert rate == RATE and len(wave) == len(true)
        assert np.sqrt(np.mean((wave - true) ** 2)) < 0.1 * true.std()
    assert 300 * np.mean([len(text) for text in data["sounds"]]) < 4_000_000


def test_shares_of_the_same_class_have_closed_forms(drawn):
    _, chosen, *_ = drawn
    kind = chosen.groupby(["task", "label"]).ngroup().to_numpy()
    own = np.array([[o for o in np.flatnonzero(kind == k) if o != i] for i, k in enumerate(kind)])
    other = np.array([np.flatnonzero(kind != k)[:3] for k in kind])
    alike = embedding_map.alike(chosen, {"own": own, "other": other})
    assert alike["class"].tolist() == pytest.approx([100, 0, 100 * 3 / 23])
    assert list(alike.index) == ["own", "other", "any"]


def test_without_a_script_a_table_says_who_is_near_whom(drawn):
    _, chosen, _, data = drawn
    evil = {**data, "clips": [["</script><b>", *clip[1:]] for clip in data["clips"]]}
    page = embedding_map.map_html(data)
    assert page.count('scope="row"') == len(chosen) and page.count('scope="col"') == 4
    names = [data["clips"][other][0] for other in data["maps"][1]["near"][0]]
    assert f"<td>{'; '.join(names)}</td></tr>" in page
    assert "<b>" not in embedding_map.map_html(evil)
    assert embedding_map.map_html(evil).count("</script>") == 1


ASK = """
    const box = document.querySelector(".embedding-map");
    const data = JSON.parse(box.querySelector("script").textContent);
    const played = [];
    HTMLMediaElement.prototype.play = function () {
        played.push(data.sounds.indexOf(this.src.split(",")[1]));
        return Promise.resolve();
    };
    const svgs = [...box.querySelectorAll("figure svg")];
    const ringed = () => svgs.map((svg) => [...svg.querySelectorAll("circle[data-clip]")]
        .map((ring) => Number(ring.dataset.clip)));
    const chosen = () => svgs.map((svg) =>
        Number(svg.querySelector("[aria-selected=true]").id.split("-")[3]));
    const listed = () => [...box.querySelectorAll("ol")].map((list) => list.children.length);
    const places = [];
    const note = () => places.push({ringed: ringed(), chosen: chosen(), listed: listed()});
"""


def test_a_touch_plays_and_marks_the_three_nearest(tmp_path, drawn):
    *_, data = drawn
    ask = f"""{ASK}
        note();
        const touch = (svg, x, y) => svg.dispatchEvent(new MouseEvent("click", {{
            clientX: x, clientY: y, bubbles: true}}));
        const at = (i) => {{
            const [x, y] = data.maps[1].xy[i];
            return new DOMPoint(x + 3, y - 2).matrixTransform(svgs[1].getScreenCTM());
        }};
        const point = at(7);
        touch(svgs[1], point.x, point.y);
        note();
        box.querySelectorAll("ol")[1].querySelectorAll("button")[2].click();
        note();
        return {{places, played, said: box.querySelector("[aria-live]").textContent,
            kin: [...box.querySelectorAll("ol")[1].children].map((li) => li.textContent)}};"""
    found = in_browser(tmp_path, embedding_map.map_html(data), ["embedding_map.js"], ask)
    first, touched, heard = found["places"]
    assert first["chosen"] == [0, 0] and touched["chosen"] == heard["chosen"] == [7, 7]
    for seen, row in ((first, 0), (touched, 7), (heard, 7)):
        assert seen["ringed"] == [one["near"][row] for one in data["maps"]]
        assert seen["listed"] == [3, 3]
    near = data["maps"][1]["near"][7]
    assert found["played"] == [7, near[2]]
    own = data["clips"][7]
    same = [data["clips"][other][1:] == own[1:] for other in near]
    assert [("same class" in words) for words in found["kin"]] == same
    assert f"two {sum(same)}" in found["said"]


def test_arrow_keys_go_from_point_to_point(tmp_path, drawn):
    *_, data = drawn
    ask = f"""{ASK}
        const press = (key) => svgs[0].dispatchEvent(new KeyboardEvent("keydown", {{key}}));
        for (const key of ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Enter", "x"]) {{
            const before = chosen()[0];
            press(key);
            places.push([key, before, chosen()[0], played.length]);
        }}
        return {{places, tab: svgs.map((svg) => svg.tabIndex), active: svgs.map((svg) =>
            svg.querySelector(`#${{svg.getAttribute("aria-activedescendant")}}`).ariaSelected)}};"""
    found = in_browser(tmp_path, embedding_map.map_html(data), ["embedding_map.js"], ask)
    xy, steps = data["maps"][0]["xy"], {"ArrowLeft": (0, -1), "ArrowRight": (0, 1)}
    steps |= {"ArrowUp": (1, -1), "ArrowDown": (1, 1)}
    moved = 0
    for key, before, after, _ in found["places"]:
        if key in steps and after != before:
            axis, sign = steps[key]
            assert sign * (xy[after][axis] - xy[before][axis]) > 0
            moved += 1
        elif key not in steps:
            assert after == before
    assert moved >= 2 and found["places"][-1][3] == found["places"][-2][3], "x plays nothing"
    assert found["places"][-2][3] == moved + 1, "each move plays, and Enter does again"
    assert found["tab"] == [0, 0] and found["active"] == ["true", "true"]
