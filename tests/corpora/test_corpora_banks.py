"""Sound banks: SF2, SF3, GUS patches, OpenTTD's archive; and what a clip of them is."""

import numpy as np
import pytest
from fake_packages import audio_bytes, cat_bytes, pat_bytes, sf2_bytes, tone, zip_bytes

from dasheng_lib.corpora.fetch.unpack import UnpackError
from dasheng_lib.corpora.pocket.gus import read_pat
from dasheng_lib.corpora.pocket.opensfx import read_cat
from dasheng_lib.corpora.pocket.packages import member_sources
from dasheng_lib.corpora.pocket.soundfont import read_soundfont
from dasheng_lib.corpora.source import Source


def pcm(frames, hertz=440):
    return (tone(frames / 16000, 16000, hertz)[:, 0] * 32767).astype("<i2")


def note(name, frames=1000, **more):
    return {"name": name, "pcm": pcm(frames), **more}


def sources(data):
    return list(read_soundfont(data, "f.sf2", seconds=1.0, drum_seconds=2.0))


def test_a_sound_font_tells_program_keys_and_root():
    font = sf2_bytes(
        [
            note("Flute", program=73, low=60, high=64, root=62),
            note("Oboe", program=68, root=60, override=70),
            note("Kick", bank=128, low=35, high=36, root=35),
        ]
    )
    found = sources(font)
    assert [(s.member, s.zone, s.seconds) for s in found] == [
        ("f.sf2#0000 Flute", "0:73:60-64:62", 1.0),
        ("f.sf2#0001 Oboe", "0:68:0-127:70", 1.0),
        ("f.sf2#0002 Kick (drum)", "128:0:35-36:35", 2.0),
    ]
    assert all(s.payload == pcm(1000).tobytes() and s.rate == 16000 for s in found)


@pytest.mark.parametrize(
    "left_out",
    [
        note("right", kind=2),
        note("short", frames=399),
        note("bank 1", bank=1),
        note("x", program=120),
    ],
)
def test_what_a_sound_font_leaves_out(left_out):
    assert [s.member for s in sources(sf2_bytes([left_out, note("stays")]))] == ["f.sf2#0001 stays"]


def test_sf3_samples_are_ogg_and_a_missing_pad_byte_is_forgiven():
    ogg = audio_bytes(tone(0.3, 32000), 32000, "OGG", "VORBIS")
    other = audio_bytes(tone(0.4, 44100, 900), 44100, "OGG", "VORBIS")
    short = audio_bytes(tone(0.01, 32000), 32000, "OGG", "VORBIS")
    names = [("one", ogg + b"\0" * (len(ogg) % 2 == 0)), ("two", other), ("short", short)]
    font = sf2_bytes([{"name": n, "data": d} for n, d in names], packed=True, pad=False)
    found = list(read_soundfont(font, "f.sf3", seconds=1.0, drum_seconds=2.0))
    assert [s.member for s in found] == ["f.sf3#0000 one", "f.sf3#0001 two"]
    wave, rate, channels = found[0].decode()
    assert (len(wave), rate, channels) == (4800, 32000, 1)


@pytest.mark.parametrize("keep", [0, 11, 60, 0.5, 0.95])
def test_a_truncated_sound_font_is_named(keep):
    font = sf2_bytes([note("a"), note("b")])
    with pytest.raises(UnpackError, match=r"f\.sf2"):
        sources(font[: keep if isinstance(keep, int) else int(keep * len(font))])


def test_a_short_sample_is_held_by_its_loop():
    source = Source("x", np.arange(1000, dtype="<i2").tobytes(), 16000, 1.0, (200, 300))
    wave, _, _ = source.decode()
    steps = np.rint(wave * 32768).astype(int)
    assert len(steps) == 16000
    assert steps[:300].tolist() == list(range(300))
    assert steps[300:400].tolist() == steps[400:500].tolist() == list(range(200, 300))


@pytest.mark.parametrize("loop", [None, (300, 200), (0, 5000), (-1, 4)])
def test_a_sample_without_a_usable_loop_stays_short(loop):
    wave, _, _ = Source("x", pcm(1000).tobytes(), 16000, 1.0, loop).decode()
    assert len(wave) == 1000


def test_a_long_sample_is_cut():
    assert len(Source("x", pcm(40000).tobytes(), 16000, 1.0, (0, 9)).decode()[0]) == 16000


def test_the_hash_covers_all_that_decides_the_samples():
    base = Source("x", b"1234", 16000, 1.0, (0, 2))
    others = [
        Source("x", b"1235", 16000, 1.0, (0, 2)),
        Source("x", b"1234", 16001, 1.0, (0, 2)),
        Source("x", b"1234", 16000, 2.0, (0, 2)),
        Source("x", b"1234", 16000, 1.0, None),
    ]
    assert len({s.sha256() for s in [base, *others]}) == 5
    assert Source("other name", b"1234", 16000, 1.0, (0, 2)).sha256() == base.sha256()


def patch(samples, **more):
    return list(read_pat(pat_bytes(samples, **more), "p.pat", bank=0, program=46, seconds=1.0))


def test_a_gus_patch():
    (source,) = patch(pcm(2000), root=261_626, rate=22050, loop=(200, 4000))
    assert (source.member, source.zone) == ("p.pat#0", "0:46:0-127:60")
    assert (source.rate, source.loop, source.payload) == (22050, (100, 2000), pcm(2000).tobytes())


def test_gus_samples_of_8_bit_and_without_sign():
    signed = np.arange(-128, 128, dtype=np.int8).repeat(4)
    expected = (signed.astype("<i2") * 256).tobytes()
    assert patch(signed, modes=0)[0].payload == expected
    assert patch((signed.astype(int) + 128).astype(np.uint8), modes=2)[0].payload == expected
    wide = np.arange(-600, 600, dtype="<i2")
    shifted = (wide.astype(int) + 32768).astype("<u2")
    assert patch(shifted, modes=1 | 2)[0].payload == wide.tobytes()
    assert patch(wide, modes=1)[0].loop is None


@pytest.mark.parametrize("keep", [0, 12, 130, 300, 0.9])
def test_a_truncated_patch_is_named(keep):
    data = pat_bytes(pcm(2000))
    data = data[: keep if isinstance(keep, int) else int(keep * len(data))]
    with pytest.raises(UnpackError, match=r"p\.pat"):
        list(read_pat(data, "p.pat", bank=0, program=0, seconds=1.0))


def test_the_archive_of_openttd():
    wav, empty = audio_bytes(tone(0.2), 16000), audio_bytes(np.zeros((0, 1)), 16000)
    found = list(read_cat(cat_bytes({'"Cow". By me.': wav, '"Nothing"': empty}), "o.cat"))
    assert [s.member for s in found] == ['o.cat#0 "Cow". By me.', 'o.cat#1 "Nothing"']
    assert found[0].payload == wav and len(found[1].decode()[0]) == 0
    with pytest.raises(UnpackError, match=r"o\.cat is cut short"):
        list(read_cat(cat_bytes({"Cow": wav})[:-9], "o.cat"))


def test_every_kind_of_file_is_opened_by_its_name():
    wav = audio_bytes(tone(0.2), 16000)
    pack = zip_bytes({"sound/a.ogg": wav, "sound/readme.txt": b"no"})
    members = {
        "u/a.wav": ["u/a.wav"],
        "u/a.txt": [],
        "u/0.pk3": ["u/0.pk3#sound/a.ogg"],
    }
    for name, expected in members.items():
        data = pack if name.endswith("pk3") else wav
        assert [s.member for s in member_sources(name, data)] == expected
    drum = next(member_sources("f/Drum_000/035_Kick.pat", pat_bytes(pcm(900))))
    assert (drum.zone.split(":")[:3], drum.seconds) == (["128", "35", "35-35"], 2.0)
