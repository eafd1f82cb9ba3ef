"""What pydantic finds wrong with a recipe, in words for people.

A field is named by its path in the recipe. Of a section that comes in several variants, only what is wrong with the one
that is meant is said: the one its tag names, such as `mode: fly_through`, or else the one with the likest fields.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo


def fields_of(section: type) -> dict[str, FieldInfo]:
    """The fields of a `StrictModel` or a strict dataclass by name."""
    return section.__pydantic_fields__


def sections_in(annotation: Any) -> Iterator[type]:
    """The sections that a field of this type can hold."""
    if _is_section(annotation):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, list, tuple, dict):
        for part in get_args(annotation):
            yield from sections_in(part)


def faults(model: type[BaseModel], recipe: Any, errors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each of pydantic's `errors` about `recipe` as `field: value, what is allowed`; those of other variants left out.

    A field of `recipe` whose entries are wrong is not called too short for it.
    """
    placed = [(_place(model, recipe, item["loc"]), item) for item in errors]
    choices = {choice for place, _ in placed for choice in place.choices}
    meant = [item for item in placed if all(_is_meant(choice, choices) for choice in item[0].choices)]
    return list(dict.fromkeys(_words(place, item) for place, item in meant if not _only_wrong_entries(item)))


@dataclass(frozen=True)
class _Choice:
    """A union on the way to a fault. taken: the section that the fault is about, None if it is about no section."""

    field: tuple[str, ...]
    sections: tuple[type, ...]
    keys: tuple[str, ...]
    tag: str | None
    named: Any
    taken: type | None


@dataclass(frozen=True)
class _Place:
    """field: path in the recipe. section: what holds its last name. allowed: of which types the field can be."""

    field: tuple[str, ...]
    section: type | None
    allowed: tuple[Any, ...]
    choices: tuple[_Choice, ...]


def _place(model: type[BaseModel], recipe: Any, location: Iterable[str | int]) -> _Place:
    """Where in the recipe pydantic's location is, which also names variants of unions."""
    annotation, content, section = model, recipe, None
    field, choices = [], []
    for key in location:
        allowed = _options(annotation)
        if len(allowed) > 1:
            sections = tuple(found for option in allowed for found in sections_in(option))
            tag = _tag_of(sections)
            annotation = next((option for option in allowed if key in _labels(option, tag)), None)
            taken = next((option for option in _options(annotation) if _is_section(option)), None)
            given = content if isinstance(content, dict) else {}
            named = given.get(tag) if isinstance(given.get(tag), str) else None
            choices.append(_Choice(tuple(field), sections, tuple(map(str, given)), tag, named, taken))
        elif allowed or _has(content, key):
            section = allowed[0] if allowed and _is_section(allowed[0]) else None
            annotation = _inside(allowed[0], key) if allowed else None
            content = content[key] if _has(content, key) else None
            field.append(str(key))
    return _Place(tuple(field), section, _options(annotation), tuple(choices))


def _options(annotation: Any) -> tuple[Any, ...]:
    """The types between which a union chooses; one if it is none, nothing if it is not known."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        options = tuple(part for part in get_args(annotation) if part is not NoneType)
        return _options(options[0]) if len(options) == 1 else options
    return () if annotation is None else (annotation,)


def _inside(annotation: Any, key: str | int) -> Any:
    """The type of an entry of a section, list or tuple."""
    if _is_section(annotation):
        return fields_of(annotation)[key].annotation if key in fields_of(annotation) else None
    parts = get_args(annotation)
    if get_origin(annotation) is tuple and Ellipsis not in parts:
        return parts[key] if isinstance(key, int) and key < len(parts) else None
    return parts[0] if get_origin(annotation) in (list, tuple) else None


def _labels(option: Any, tag: str | None) -> set[str]:
    """What pydantic may call this option of a union."""
    if get_origin(option) is Annotated:
        inner, *metadata = get_args(option)
        return {part.tag for part in metadata if isinstance(part, Tag)} or _labels(inner, tag)
    return {option.__name__, *_tags(option, tag)} if _is_section(option) else set()


def _tag_of(sections: tuple[type, ...]) -> str | None:
    """The field whose word tells these sections apart."""
    words = [{n for n, field in fields_of(s).items() if get_origin(field.annotation) is Literal} for s in sections]
    return min(set.intersection(*words), default=None) if len(words) > 1 else None


def _tags(section: type, tag: str | None) -> tuple[str, ...]:
    """The words that name this section."""
    return get_args(fields_of(section)[tag].annotation) if tag else ()


def _is_meant(choice: _Choice, others: Iterable[_Choice]) -> bool:
    """Whether no other variant that has faults is liker to what was entered; for what is no section all are meant."""
    rivals = [other.taken for other in others if other.field == choice.field and other.taken is not None]
    if not choice.keys or not rivals:
        return True
    best = max(choice.sections, key=lambda section: (section in rivals, *_likeness(section, choice)))
    return choice.taken is best


def _likeness(section: type, choice: _Choice) -> tuple[bool, int, int]:
    names = list(fields_of(section))
    known = sum(key in names for key in choice.keys)
    near = sum(bool(difflib.get_close_matches(key, names, n=1)) for key in choice.keys)
    return choice.named in _tags(section, choice.tag), known, near


def _only_wrong_entries(item: Mapping[str, Any]) -> bool:
    """Whether a list is called too short because pydantic does not count entries that are wrong themselves."""
    return item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]


_ALLOWED = {
    "model_type": "a section",
    "model_attributes_type": "a section",
    "dataclass_type": "a section",
    "dict_type": "a section",
    "path_type": "a path",
    "tuple_type": "a list",
}
"""Where pydantic speaks of Python, by the type of its error."""

_LENGTHS = {"too_short": ("least", "min_length"), "too_long": ("most", "max_length")}


def _words(place: _Place, item: Mapping[str, Any]) -> str:
    name, kind, value = ".".join(place.field), item["type"], item["input"]
    if kind == "missing":
        return f"{name} is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        sections = tuple(found for option in place.allowed for found in sections_in(option))
        tag = _tag_of(sections)
        possible = ", ".join(word for section in sections for word in _tags(section, tag))
        given = f": {shown(value[tag])}, must be one of" if tag in value else " is missing, possible are"
        return f"{name}.{tag}{given} {possible}"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown(place)
    if kind in _ALLOWED:
        return f"{name}: {shown(value)}, must be {_ALLOWED[kind]}"
    if kind in _LENGTHS:
        bound, limit = _LENGTHS[kind]
        count = item["ctx"][limit]
        return f"{name}: {shown(value)}, must have at {bound} {count} {'entry' if count == 1 else 'entries'}"
    message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message[:1].lower() + message[1:]
    if not name:
        return message
    return f"{name}: {message}" if isinstance(value, dict) else f"{name}: {shown(value)}, {message}"


def _unknown(place: _Place) -> str:
    """A field that its section does not have, with what was meant, or is possible."""
    name, last, allowed = ".".join(place.field), place.field[-1], sorted(fields_of(place.section))
    possible = f"possible are {', '.join(allowed)}"
    choice = next((choice for choice in place.choices if choice.field == place.field[:-1]), None)
    owners = [section for section in choice.sections if last in fields_of(section)] if choice else []
    if owners and choice.tag:
        tags, own = ([word for s in of for word in _tags(s, choice.tag)] for of in (owners, [place.section]))
        return f"{name} belongs to {choice.tag} {_either(tags)}, not {_either(own)}; {possible}"
    if owners:
        return f"{name} does not go with {_either([key for key in choice.keys if key in allowed])}; {possible}"
    near = difflib.get_close_matches(last, allowed, n=1)
    if near:
        return f"{name} is unknown, did you mean {'.'.join([*place.field[:-1], near[0]])}?"
    return f"{name} is unknown, {possible}"


def _either(words: Iterable[str]) -> str:
    return " or ".join(f"'{word}'" for word in words)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation))


def _has(content: Any, key: str | int) -> bool:
    if isinstance(content, dict):
        return key in content
    return isinstance(content, list) and isinstance(key, int) and key < len(content)


def shown(value: Any) -> str:
    """A value in a message, on one line and not too long."""
    if isinstance(value, dict):
        return "a section"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
