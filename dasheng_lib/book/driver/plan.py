"""Which value each parameter of each chapter gets: its default < the profile < ``-p``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from dasheng_lib.book.driver.chapters import MEND, Chapter, Parameter
from dasheng_lib.book.parameters import (
    ParameterError,
    check_type,
    shortened,
    unknown_name,
)
from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.common.settings import conforms, type_name
from dasheng_lib.common.yaml_files import read_yaml

Values = dict[str, Any]


def read_profile(path: Path, name: str, chapters: list[Chapter]) -> dict[str, Values]:
    """One profile of ``profiles.yml``: ``{chapter: {parameter: value}}``, checked.

    Raises:
        UserError: no such profile or chapter, an undeclared parameter, a wrong type.
    """
    profiles = read_yaml(path, MEND) or {}
    shaped = isinstance(profiles, dict) and all(_is_profile(p or {}) for p in profiles.values())
    if not shaped:
        raise UserError(
            f"{path} must say PROFILE: {{CHAPTER: {{PARAMETER: VALUE}}}}, and does not: mend it."
        )
    if name not in profiles:
        raise UserError(f"There is no profile {name}: {path} has {', '.join(map(str, profiles))}.")
    profile = profiles[name] or {}
    by_name = {chapter.name: chapter for chapter in chapters}
    for chapter, values in profile.items():
        if chapter not in by_name:
            near = difflib.get_close_matches(str(chapter), by_name, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UserError(f"Profile {name} in {path} sets a chapter {chapter}{hint}, not listed.")
        for key, value in (values or {}).items():
            declared = by_name[chapter].parameters
            if key not in declared:
                where = f"{chapter} (profile {name} of {path.name} sets it)"
                raise ParameterError(unknown_name(key, declared, where))
            check_type(key, value, declared[key].annotation)
    return {chapter: values or {} for chapter, values in profile.items()}


def _is_profile(profile: Any) -> bool:
    return isinstance(profile, dict) and all(
        isinstance(values or {}, dict) for values in profile.values()
    )


def resolve(
    chapters: list[Chapter], profile: dict[str, Values], overrides: Values, corpus: str | None
) -> dict[str, Values]:
    """For each chapter, the values that differ from its defaults.

    Args:
        overrides: from :func:`read_overrides`; each applies where it is declared.
        corpus: value of every parameter ``corpus``; None leaves it alone.
    """
    plan = {}
    for chapter in chapters:
        values = dict(profile.get(chapter.name, {}))
        if corpus is not None and "corpus" in chapter.parameters:
            values["corpus"] = corpus
        values |= {key: value for key, value in overrides.items() if key in chapter.parameters}
        plan[chapter.name] = {
            key: value for key, value in values.items() if value != chapter.parameters[key].default
        }
    return plan


def read_overrides(words: Sequence[str], chapters: list[Chapter]) -> Values:
    """Parse ``name=value`` words as the chapters declare the names.

    Raises:
        UserError: no ``=``, a name that no chapter declares, a text that is not of its type.
    """
    values: Values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"-p {one_line(word)} has no value: write -p {one_line(word)}=VALUE.")
        if name == "corpus":
            raise UserError("The corpus is set for the whole book: write --corpus instead of -p.")
        declared = [c.parameters[name] for c in chapters if name in c.parameters]
        if not declared:
            known = {key for chapter in chapters for key in chapter.parameters}
            raise ParameterError(unknown_name(name, known, "any chapter that is to run"))
        for parameter in declared:
            values[name] = read_value(text, parameter)
    return values


def read_value(text: str, parameter: Parameter) -> Any:
    """``text`` as a value of the parameter's type; YAML where the type is not str."""
    value: Any = text
    if parameter.annotation is not str:
        with suppress(Exception):  # PyYAML has a dozen kinds of errors; then it stays a text
            value = yaml.safe_load(text)
    if isinstance(value, str) and not conforms(value, parameter.annotation):
        try:
            value = float(text)  # YAML reads 1e-3 as a text
        except ValueError:
            raise ParameterError(
                f"Parameter {parameter.name} must be of type {type_name(parameter.annotation)}; "
                f"-p gave {shortened(text)}."
            ) from None
    check_type(parameter.name, value, parameter.annotation)
    return value
