"""The pocket corpus's tasks: label and fold of each clip, from its name alone.

Labels of notes and drums are General MIDI programs and keys; labels of sound events come from
words in file names. A fold is a held-out group, or a hash of what must stay together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from pocket_tables import groups

Label = tuple[str, str]  # label, fold
FAMILIES = {
    0: "piano",
    1: "chromatic percussion",
    2: "organ",
    3: "guitar",
    4: "bass",
    5: "strings",
    7: "brass",
    8: "reed",
    9: "pipe",
}
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
INITIALS = "ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒㄓㄔㄕㄖㄗㄘㄙ"
EVENTS = ("footstep", "gun", "voice", "water", "fire", "engine", "electric", "impact")
DRUM_KEYS = {
    "kick": (35, 36),
    "snare": (38, 40),
    "hat": (42, 44, 46),
    "tom": (41, 43, 45, 47, 48, 50),
    "cymbal": (49, 51, 52, 53, 55, 57, 59),
}
DRUM_NAMES = (
    ("hat", r"hat|hho|hhc|hh_|chh|ohh|(?<![a-z])hh"),
    ("snare", r"snare|snr|sn_|(?<![a-z])sd"),
    ("kick", r"kick|bass ?drum|kik|(?<![a-z])bd"),
    ("cymbal", r"cym|crash|ride|splash|china"),
    ("tom", r"tom"),
)
SMALLEST_KIT = 8  # clips; a smaller fold says nothing

# (class, pattern) in the order in which they are tried.
MINETEST = (
    ("water", r"water"),
    ("footstep", r"footstep[^/]*$"),
    ("impact", r"_dig_|dug_|place_node"),
    ("fire", r"fire|torch|lava|gunpowder|ignite"),
    ("explosion", r"tnt_explode"),
    ("door", r"door|chest|fencegate"),
    ("impact", r"break_glass|tool_breaks"),
)
UFOAI = (
    ("water", r"footsteps/(splash|water)|ambience/water|water-impact|waterbullet|bubbles"),
    ("footstep", r"footsteps/"),
    ("voice", r"soldiers/|civilians/"),
    ("creature", r"aliens/"),
    ("gun", r"weapons/bullet|ugv-cannon"),
    ("explosion", r"explosion|thunder|rocket-exp"),
    ("fire", r"ambience/[^/]*fire|flamer"),
    ("door", r"doors/"),
    ("electric", r"laser|plasma|ptl|electr|taser|sparks"),
    ("engine", r"ugv/|engine|flyby"),
    (
        "ambience",
        r"ambience/.*(wind|machin|generator|ventil|drone|droning|hum|atm|minepump|city)",
    ),
    ("ui", r"ui/|geoscape/.*(mail|info|prom|standard|new)"),
    ("impact", r"impact/|misc/break|bounce|reload"),
)
OPENSFX = (
    (
        "engine",
        r"engine|train|plane|jet|bus|truck|helicopter|vehicle|maglev|monorail|ferry|ship",
    ),
    ("creature", r"sheep|cow|horse|bird|lion|monkey"),
    ("explosion", r"explosion"),
    ("impact", r"crash|splat|bridge"),
    ("ambience", r"wind$|heavy wind"),
    ("electric", r"electric spark"),
    ("water", r"bubble|slurp"),
    ("ui", r"beep|cash"),
)


def label_tasks(clips: pd.DataFrame) -> pd.DataFrame:
    """Labels of all tasks: ``task, package, member, label, fold`` for clips with
    ``package, member, zone``, in the order of the clips."""
    rows = list(_rows(clips))
    table = pd.DataFrame(rows, columns=["task", "package", "member", "label", "fold"])
    size = table.groupby(["task", "fold"])["member"].transform("size")
    return table[(table["task"] != "drum") | (size >= SMALLEST_KIT)].reset_index(drop=True)


def _rows(clips: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str]]:
    for name, label in TASKS.items():
        for package, member, zone in clips[["package", "member", "zone"]].itertuples(index=False):
            found = label(package, member, zone)
            if found is not None:
                yield (name, package, member, *found)


def md5_fold(text: str, folds: int = 5) -> str:
    """Fold of a string: its MD5 as a number, modulo the number of folds."""
    return str(int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), 16) % folds)


def word(package: str, member: str, zone: str) -> Label | None:
    """English word of the tile game, four talkers."""
    if package != "kajongg" or "/de/" in member:
        return None
    path = PurePosixPath(member)
    return path.stem, path.parent.name


def number(package: str, member: str, zone: str) -> Label | None:
    """Number 1 to 9 of a suit tile, spoken in English with the suit's name."""
    return None if "/de/" in member else _suit_number(package, member)


def number_de(package: str, member: str, zone: str) -> Label | None:
    """The same in German, by the same four talkers."""
    return _suit_number(package, member) if "/de/" in member else None


def _suit_number(package: str, member: str) -> Label | None:
    path = PurePosixPath(member)
    if package != "kajongg" or not re.fullmatch(r"[bcs][1-9]", path.stem):
        return None
    return path.stem[1], path.parent.name


def tone(package: str, member: str, zone: str) -> Label | None:
    """Mandarin tone 1 to 4. A folder's digit 1 is the neutral tone, which is left out."""
    syllable, digit = _syllable(package, member)
    if not syllable or digit == "1":
        return None
    return digit or "1", md5_fold(syllable)


def initial(package: str, member: str, zone: str) -> Label | None:
    """Mandarin initial consonant, or none."""
    syllable, _ = _syllable(package, member)
    if not syllable:
        return None
    return syllable[0] if syllable[0] in INITIALS else "none", md5_fold(syllable)


def _syllable(package: str, member: str) -> tuple[str, str]:
    if package != "gcin-voice":
        return "", ""
    folder = PurePosixPath(member).parent.name
    syllable = folder.rstrip("0123456789")
    return syllable, folder[len(syllable) :]


def vowel(package: str, member: str, zone: str) -> Label | None:
    """Vowel of a syllable of consonants and one vowel; a language is a talker."""
    path = PurePosixPath(member)
    language = path.parent.parent.name
    # English spelling does not name the vowel.
    if package != "klettres-data" or path.parent.name != "syllab" or language.startswith("en"):
        return None
    if not re.fullmatch(r"[bcdfghjklmnpqrstvwxyz]+[aeiou]", path.stem):
        return None
    return path.stem[-1], language


def _zone(zone: str) -> tuple[int, int, int, int, int] | None:
    found = re.fullmatch(r"(\d+):(\d+):(\d+)-(\d+):(-?\d+)", zone or "")
    return tuple(int(value) for value in found.groups()) if found else None


def instrument(package: str, member: str, zone: str) -> Label | None:
    """Family of the instrument that plays a note."""
    parsed = _zone(zone)
    if parsed is None or parsed[0] != 0 or parsed[1] // 8 not in FAMILIES:
        return None
    return FAMILIES[parsed[1] // 8], package


def pitch(package: str, member: str, zone: str) -> Label | None:
    """Pitch class of a note."""
    root = _root(package, member, zone)
    return None if root is None else (NOTES[root % 12], package)


def octave(package: str, member: str, zone: str) -> Label | None:
    """Octave of a note, 4 holding middle C."""
    root = _root(package, member, zone)
    return None if root is None else (str(root // 12 - 1), package)


def _root(package: str, member: str, zone: str) -> int | None:
    if instrument(package, member, zone) is None:
        return None
    root = _zone(zone)[4]
    return root if 24 <= root <= 107 else None


def drum(package: str, member: str, zone: str) -> Label | None:
    """Drum element, from the General MIDI key or from the file name."""
    kit = groups.group(package, member)
    parsed = _zone(zone)
    if parsed is not None:
        bank, _, low, high, _ = parsed
        if bank == 128 and high - low < 3:
            for label, keys in DRUM_KEYS.items():
                if low in keys:
                    return label, kit
        return None
    name = PurePosixPath(member).stem.lower()
    if package not in {"hydrogen-data", "lmms-common", "chuck-data"}:
        return None
    if package != "hydrogen-data" and "loop" in name:
        return None
    label = _first(DRUM_NAMES, name)
    return None if label is None else (label, kit)


def event(package: str, member: str, zone: str) -> Label | None:
    """Sound event, packages held out: the honest one."""
    label = _event(package, member)
    return (label, package) if label in EVENTS else None


def event_stem(package: str, member: str, zone: str) -> Label | None:
    """Sound event, takes of one sound held out; partly it tells packages apart."""
    label = _event(package, member)
    return (label, md5_fold(groups.group(package, member))) if label in EVENTS else None


def effect(package: str, member: str, zone: str) -> Label | None:
    """Sound event among the sounds of one game."""
    label = _event(package, member) if package == "ufoai-sound" else None
    return (label, md5_fold("ufoai/" + groups.take(groups.inner_path(member)))) if label else None


def _event(package: str, member: str) -> str | None:
    match package:
        case "minetest-data":
            return _first(MINETEST, member.lower())
        case "ufoai-sound":
            return _first(UFOAI, groups.inner_path(member).lower())
        case "openttd-opensfx":
            return _first(OPENSFX, groups.title(member).lower())
    return None


def key(package: str, member: str, zone: str) -> Label | None:
    """Key of a keyboard going down or up: a smoke test, nearly trivial."""
    if package != "bucklespring-data":
        return None
    name, _, state = PurePosixPath(member).stem.rpartition("-")
    return {"1": "press", "0": "release"}[state], md5_fold(name)


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((label for label, pattern in patterns if re.search(pattern, text)), None)


# Each says label and fold of a clip (package, member, zone), or None if it takes no part.
TASKS = {
    "word": word,
    "number": number,
    "number_de": number_de,
    "tone": tone,
    "initial": initial,
    "vowel": vowel,
    "instrument": instrument,
    "pitch": pitch,
    "octave": octave,
    "drum": drum,
    "event": event,
    "event_stem": event_stem,
    "effect": effect,
    "key": key,
}
