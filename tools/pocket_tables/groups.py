"""The pocket corpus: which sounds of its packages are clips, and what must stay together.

Nobody has listened to all of it: what a sound is is told by package, path and length.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

SPEECH = {
    "kajongg",
    "gcin-voice",
    "klettres-data",
    "fillets-ng-data-nl",
    "fillets-ng-data-cs",
    "ktuberling-data",
}
ENVIRONMENT = {"minetest-data", "ufoai-sound", "openttd-opensfx", "bucklespring-data"}
# Packages of several domains: the first pattern that their path matches, else environment.
MIXED = {
    "hedgewars-data",
    "megaglest-data",
    "tuxpaint-stamps-default",
    "qabcs-data",
    "colobot-common-sounds",
    "btanks-data",
    "lincity-ng-data",
    "scorched3d-data",
    "searchandrescue-data",
    "openarena-data",
    "lugaru-data",
    "wesnoth-1.16-data",
    "simutrans-pak64",
    "bzflag-data",
    "atanks-data",
}
_INSTRUMENT = (
    "accordion|aeoline|bagpipes|bass_drum|cello|changu|clarinet|cuica|cymbals|drums|dulzaina"
    "|electric_guitar|erhu|flute|gamba|grand_piano|guitar|hand_organ|hang|harmonica|harp|horn|ipu"
    "|kazoo|keyboard|lute|maracas|natural_horn|ney|oboe|ode|oedephon|organ|piano|pipe"
    "|quarter_note|quena|rabel|ratchet|recorder|rozhok|saxophone|slit_drum|spoons|squeezebox"
    "|timpani|topshuur|trumpet|ukulele|.*_flag|christmas_tree|circus"
)
_DOMAINS = (
    ("speech", r"_desc(_\w+)?\.(ogg|wav)$|/stamps/symbols/(alphabets|chess|math)/|/voices/"),
    ("music", r"/(music|tunes)/|/Sounds/(\d[A-G]|ride_of_the_valkyries|Music\w+)\.ogg$"),
    ("music", rf"/noises/({_INSTRUMENT})\.ogg$|/horn-signals/|roll-call"),
    # Units that talk; beasts and machines answer in their own way.
    (
        "speech",
        r"/megaglest/.*/(?!air|behemoth|bull|catapult|chicken|cow|daemon|dragon|eagle|golem|horse_"
        r"|machine|mummy|ornithopter|pig|sheep|ship|tower|wolf)\w+_(ack|select)\d*\.wav$",
    ),
)
MUSIC_FROM = 20.0  # seconds; wordwarvi-sound holds both pieces of music and sound effects

# Left out, and why.
LEFT_OUT = {
    r"^freepats:.*/046_Harp\.pat#": "the harp of FluidR3Mono",
    r"^freepats:.*/(075_Pan_Flute\.pat#2|069_English_Horn\.pat#0)$": "a note of TimGM6mb",
    r"^hydrogen-data:.*/data/(click|emptySample)\.wav$": "not a drum",
    r"^lmms-common:.*/drums/clap01\.ogg$": "the hand clap of freepats",
    r"^asterisk-.*/silence/": "silence",
    r"^(openarena-data:.*/silence|hydrogen-drumkits:.*/emptySample)\.": "silence",
    r"^tuxpaint-stamps-default:.*/(giraffe|iguana|nandou|wombat)\.ogg$": "silence",
    r"^(hedgewars-data:.*/custom1|wesnoth.*/select-unit|atanks-data:.*/40)\.": "below 10 ms",
    r"^sonic-pi-samples:.*/buffers/": "random numbers",
    r"^openarena-data:.*/voices/": "speech of a synthesiser, and of another game",
    r"^qabcs-data:(?!.*/noises/)": "a word, at a rate of 24 kHz that suggests a synthesiser",
    r"^qabcs-data:.*/(adjutant|cheburashka|chef|clown|dogmatix|dunno|emelya|firebird|gamekeeper"
    r"|grommet|iotshin|ivasyk|jack|joker|kinder_surprise_egg|little_monkey|ole_lukoje|pishik|prince"
    r"|pupil|quiz_game|sailorboy|schooler|star|umka)\.ogg$": "a figure of films and tales",
    # Found by cross-correlating the sounds of the large packages with all others and with ESC.
    r"^qabcs-data:.*/clock\.ogg$": "ESC's clock tick 4-188033-A",
    r"^qabcs-data:.*/crow\.ogg$": "ESC's crow 4-188287-A, as it seems",
    r"^simutrans-pak64:.*/tree-cutting\.wav$": "ESC's chainsaw 4-169127, and a saw of OpenSFX",
    r"^megaglest-data:.*/battlemage_hit\d\.wav$": "ESC's fire 1-46272-A is under it",
    r"^megaglest-data:.*/chicken_ack4\.wav$": "ESC's laugh 4-155670-A, as it seems",
    r"^openarena-data:.*/(fire1|fire2|firesoft|death1)\.wav$": "a sound of ufoai-sound",
    r"^openarena-data:.*/gibimp3\.wav$": "a hat of the TR-808 is in it",
    r"^lincity-ng-data:.*/(ResidentialHigh2|Commune3)\.wav$": "a sound of scorched3d-data",
    r"^wesnoth-1.16-data:.*/tusker-die\.ogg$": "a sound of lincity-ng-data",
    r"^hedgewars-data:.*/ice_beam(_idle)?\.ogg$": "the water of lincity-ng-data",
    r"^searchandrescue-data:.*/thunder_": "the thunder of scorched3d-data and megaglest-data",
    r"^scorched3d-data:.*/f16_1\.wav$": "a jet of searchandrescue-data",
    r"^scorched3d-data:.*/beesting\.wav$": "the bee of tuxpaint-stamps-default",
    r"^scorched3d-data:.*/shoot/small\.wav$": "a sound of wesnoth-1.16-data",
    r"^(qabcs-data:.*/horse|wesnoth-1.16-data:.*/horse-die)\.ogg$": "a horse of megaglest-data",
    r"^atanks-data:.*/12\.wav$": "a sound of megaglest-data",
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
    (r"^weapon_hover$", "rg_hum"),
    (r"^(tim_machine|tim_drone)$", "x_rumbledrone"),
    (r"^hit_teammate$", "teleout"),
    (r"^wstbimp[dlm]$", "wstbimp"),
    (r"^mountaingoat$", "goat"),
    (r"^dromedary$", "camel"),
    (r"^stork$", "heron"),
    (r"^sniperreload$", "shotgunreload"),
)
# The drum machine TR-808, which several packages have sampled.
_TR808 = re.compile(
    r"TR808EmulationKit|#\d+ 808 |/036_Kick_2\.pat|/04\d_Tom_[A-Za-z]+_\d\.pat|/075_Claves\.pat"
    r"|/drums/(tom01|clav02)\.ogg|/bd_808\.flac"
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


def domain(package: str, member: str, seconds: float) -> str:
    """``"speech"``, ``"music"`` or ``"environment"``."""
    if package in SPEECH or package.startswith("asterisk-"):
        return "speech"
    if package in MIXED:
        path = re.sub("#", "/", member)
        found = (d for d, pattern in _DOMAINS if re.search(pattern, path, re.IGNORECASE))
        return next(found, "environment")
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
        case "fillets-ng-data-cs":
            actor = re.search(r"-([mv])-", parts[-1])
            return f"fillets-cs/{actor[1] if actor else 'other'}"
        case "ktuberling-data":  # perhaps the same volunteers as in klettres
            return f"klettres/{parts[4].partition('@')[0]}"
        case "hydrogen-data" | "hydrogen-drumkits":
            if re.search("GMRockKit|The Black Pearl|Gimme A Hand", member):
                return "drumkit/black-pearl"
            return "drumkit/millo" if parts[-2].startswith("Millo") else f"drumkit/{parts[-2]}"
        case "tuxpaint-stamps-default" if domain(package, member, 0.0) == "speech":
            found = re.search(r"_([a-z]{2}(_[A-Za-z]{2})?)\.(ogg|wav)$", member)
            language = found[1] if found else "en"
            return f"tuxpaint/{'ru' if language == 'be' else language}"  # one talker for both
        case "hedgewars-data" if "/voices/" in member:  # some are one actor's
            return "hedgewars/voices"
        case "megaglest-data" if "/music/" not in member:
            return f"{package}/{parts[5]}"  # a landscape, or all units: they share sounds
        case "wesnoth-1.16-data":  # bow, bow-fire-miss and crossbow are from one recording
            return f"{package}/{parts[-1].partition('-')[0].removeprefix('cross')}"
        case "searchandrescue-data" if re.search("engine|wheel|gear", parts[-1]):
            return f"{package}/aircraft"
        case "scorched3d-data" if re.search("/(explosions|shoot|shield)/|/thunder", member):
            return f"{package}/weapons"
        case "lincity-ng-data" | "lugaru-data" if word := re.match("[A-Z][a-z]+", parts[-1]):
            return f"{package}/{word[0].lower()}"  # PowerLine is in PowerSolar
        case "minetest-data" | "ufoai-sound" | "wordwarvi-sound" | "warzone2100-music":
            return f"{package}/{take(inner_path(member))}"
        case "openttd-opensfx":
            return f"{package}/{recording(member)}"
        case "bucklespring-data":
            return f"{package}/{PurePosixPath(member).stem.rsplit('-', 1)[0]}"
    if package.startswith("asterisk-"):  # es_MX_f_Allison is en_US_f_Allison too
        return f"asterisk/{parts[4].rpartition('_')[2].lower()}"
    if package in MIXED:  # in whichever folder
        return f"{package}/{take(PurePosixPath(inner_path(member)).name)}"
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
