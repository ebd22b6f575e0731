"""Sliders that show one panel of many, and the masks that they are used for."""

import pytest
import torch
from browser import in_browser

from dasheng_lib.book import mel_to_wave, reconstructions
from dasheng_lib.book.figures import sounds, switch

SLIDERS = {"share": ("25 %", "50 %", "75 %"), "group": ("1", "8")}
PANELS = {(a, b): (f"{a} of {b}", "<i>x</i>") for a in SLIDERS["share"] for b in SLIDERS["group"]}


def test_a_switch_shows_the_panel_of_where_its_sliders_stand(tmp_path):
    ask = """
        const inputs = [...document.querySelectorAll(".switch input")];
        const shown = () => [...document.querySelectorAll(".switch section")]
            .filter((s) => s.checkVisibility()).map((s) => s.querySelector("p").textContent);
        const seen = [shown()];
        for (const [place, value] of [[0, 0], [1, 0], [0, 2]]) {
            inputs[place].value = value;
            inputs[place].dispatchEvent(new Event("input", {bubbles: true}));
            seen.push(shown());
        }
        return {seen, labels: inputs.map((i) => i.labels[0].textContent)};"""
    panels = PANELS | {("75 %", "8"): PANELS["50 %", "8"]}
    page = switch.switch_html(SLIDERS, panels)
    assert page.count("<section") == 5, "equal panels are there once"
    assert page.index("<details>") < page.index("<section") < page.index("</details>")
    found = in_browser(tmp_path, page, ["switch.js"], ask)
    assert found["seen"] == [["50 % of 8"], ["25 % of 8"], ["25 % of 1"], ["75 % of 1"]]
    assert found["labels"] == ["share: 75 %", "group: 1"]


def test_a_switch_without_a_panel_for_a_choice_is_refused():
    with pytest.raises(ValueError, match=r"no panel for 75 %, 8"):
        switch.switch_html(SLIDERS, {k: v for k, v in PANELS.items() if k != ("75 %", "8")})


def test_nano_is_asked_with_other_masks_and_a_pair_of_panels_is_light():
    wave_1N = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)) * 0.1
    hidden = {}
    for share, size in ((0.25, 1), (0.9, 2), (0.9, 8)):
        out = reconstructions.by_nano(wave_1N, 0, mask_ratio=share, group=size)
        hidden[share, size] = int(out.mask_BT.sum())
    assert hidden == {(0.25, 1): 7, (0.9, 2): 23, (0.9, 8): 17}, "a group stays, whatever is asked"
    pair = [
        mel_to_wave.mel_sound(reconstructions.original(out, 0), "left", out.mask_BT[0].numpy()),
        mel_to_wave.mel_sound(reconstructions.painted(out, 0), "painted"),
    ]
    assert 12 * len(sounds.figure_html(pair)) < 2_000_000, "all twelve pairs"
