"""Which value each parameter of each chapter gets: its default < the profile < ``-p``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dasheng_lib.book.driver.chapters import Chapter, Parameter
from dasheng_lib.book.parameters import (
    ParameterError,
    check_type,
    unknown_name,
)
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import conforms, type_name

Values = dict[str, Any]


def read_profile(path: Path, name: str, chapters: list[Chapter]) -> dict[str, Values]:
    """One profile of ``profiles.yml``: ``{chapter: {parameter: value}}``, checked.

    Raises:
        UserError: no such profile or chapter, an undeclared parameter, a wrong type.
    """
    try:
        profiles = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if name not in profiles:
        raise UserError(f"There is no profile {name}: {path} has {', '.join(profiles)}.")
    profile = profiles[name] or {}
    by_name = {chapter.name: chapter for chapter in chapters}
    for chapter, values in profile.items():
        if chapter not in by_name:
            near = difflib.get_close_matches(chapter, by_name, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UserError(f"Profile {name} in {path} sets a chapter {chapter}{hint}, not listed.")
        for key, value in (values or {}).items():
            declared = by_name[chapter].parameters
            if key not in declared:
                where = f"{chapter} (profile {name} of {path.name} sets it)"
                raise ParameterError(unknown_name(key, declared, where))
            check_type(key, value, declared[key].annotation)
    return {chapter: values or {} for chapter, values in profile.items()}


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
            raise UserError(f"-p {word} has no value: write -p {word}=VALUE.")
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
    if parameter.annotation is str:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if isinstance(value, str) and not conforms(value, parameter.annotation):
        try:
            value = float(text)  # YAML reads 1e-3 as a text
        except ValueError:
            raise ParameterError(
                f"Parameter {parameter.name} must be of type {type_name(parameter.annotation)}; "
                f"-p gave {text!r}."
            ) from None
    check_type(parameter.name, value, parameter.annotation)
    return value
