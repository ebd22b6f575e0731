"""The pocket corpus: which sounds of its packages are clips, and what must stay together."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

SPEECH = {"kajongg", "gcin-voice", "klettres-data", "fillets-ng-data-nl"}
ENVIRONMENT = {"minetest-data", "ufoai-sound", "openttd-opensfx", "bucklespring-data"}
MUSIC_FROM = 20.0  # seconds; wordwarvi-sound holds both pieces of music and sound effects

# Left out, and why.
LEFT_OUT = {
    r"^freepats:.*/046_Harp\.pat#": "the harp of FluidR3Mono",
    r"^freepats:.*/(075_Pan_Flute\.pat#2|069_English_Horn\.pat#0)$": "a note of TimGM6mb",
    r"^hydrogen-data:.*/data/(click|emptySample)\.wav$": "not a drum",
    r"^lmms-common:.*/drums/clap01\.ogg$": "the hand clap of freepats",
}

# Sounds under two names that were cut from one recording, found by cross-correlating all clips:
# pattern of the second name, and the first.
SAME = (
    (r"footsteps/sand$", "footsteps/dirt"),
    (r"footsteps/linoleum$", "footsteps/tile"),
    (r"footsteps/water_under$", "impact/water-impact"),
    (r"ambience/firesoft$", "ambience/fire"),
    (r"soldiers/femaledeath$", "soldiers/femalehurt"),
    (r"impact/nail-bodyimpact$", "impact/nail-impact"),
    (r"misc/lobbyprivmsg$", "geoscape/mail"),
    (r"ui/item-drop$", "ui/item-drag"),
    (r"ui/click_(down|up)$", "ui/click"),
    (r"default_place_node_metal$", "default_dug_metal"),
    (r"default_place_node_hard$", "default_place_node"),
    (r"fire_large$", "fire_fire"),
    (r"^dropping a large gun$", "crash"),
    (r"^wfl5\.5_snap$", "dumpster_diving"),
)
# The drum machine TR-808, which several packages have sampled.
_TR808 = re.compile(
    r"TR808EmulationKit|#\d+ 808 |/036_Kick_2\.pat|/04\d_Tom_[A-Za-z]+_\d\.pat|/075_Claves\.pat"
    r"|/drums/(tom01|clav02)\.ogg"
)

_TRAILING = re.compile(r"[\d_\-. ]+$")
_SHOTS = re.compile(r"-\d+x$")  # bullet-rifle-3x is bullet-rifle three times
_STATE = re.compile(r"(miss|end|strt|start|stop|idle|move)$")
_ORIGINAL = re.compile(r'\bOrig[a-z]* "([^"]+)"')
_TITLE = re.compile(r'#\d+ "([^"]*)"')


def left_out(package: str, member: str) -> str | None:
    """Why a sound is no clip of the corpus; None if it is one."""
    for pattern, reason in LEFT_OUT.items():
        if re.search(pattern, f"{package}:{member}"):
            return reason
    return None


def domain(package: str, seconds: float) -> str:
    """``"speech"``, ``"music"`` or ``"environment"``."""
    if package in SPEECH:
        return "speech"
    if package in ENVIRONMENT or (package == "wordwarvi-sound" and seconds < MUSIC_FROM):
        return "environment"
    return "music"


def group(package: str, member: str) -> str:
    """What must stay on one side of every split: a talker, a font, a kit, takes of one sound."""
    parts = PurePosixPath(member).parts
    if _TR808.search(member):
        return "drumkit/tr-808"
    match package:
        case "kajongg":  # the same four people speak English and German
            return f"kajongg/{parts[-2]}"
        case "gcin-voice":
            return f"gcin-voice/{PurePosixPath(member).stem}"
        case "klettres-data":
            return f"klettres/{parts[3]}"
        case "fillets-ng-data-nl":
            actor = re.search(r"-([mv])-", parts[-1])
            return f"fillets/{actor[1] if actor else 'other'}"
        case "hydrogen-data":  # GMRockKit is The Black Pearl of other packages
            return "drumkit/black-pearl" if "GMRockKit" in member else f"drumkit/{parts[-2]}"
        case "minetest-data" | "ufoai-sound" | "wordwarvi-sound" | "warzone2100-music":
            return f"{package}/{take(inner_path(member))}"
        case "openttd-opensfx":
            return f"{package}/{recording(member)}"
        case "bucklespring-data":
            return f"{package}/{PurePosixPath(member).stem.rsplit('-', 1)[0]}"
    return package


def take(path: str) -> str:
    """What the takes of one sound have in common: the stem, or the name it shares a recording
    with."""
    name = stem(path)
    for pattern, first in SAME:
        name = re.sub(pattern, first, name)
    return name


def stem(path: str) -> str:
    """Lower-case path without extension, take number and state: takes of one sound share it."""
    name = _SHOTS.sub("", re.sub(r"\.[a-z0-9]{2,4}$", "", path.lower()))
    name = _TRAILING.sub("", name)
    return _TRAILING.sub("", _STATE.sub("", name))


def inner_path(member: str) -> str:
    """Path inside the archive in the package, or inside the package."""
    return member.rpartition("#")[2]


def title(member: str) -> str:
    """Title of a sound of OpenTTD's archive, without its credits."""
    found = _TITLE.search(member)
    return found[1] if found else member


def recording(member: str) -> str:
    """First recording that a sound of OpenTTD was cut from; several sounds may share one."""
    original = _ORIGINAL.search(member)
    return take(original[1] if original else title(member))
