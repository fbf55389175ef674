"""What a model is trained on and how, as one JSON file says it."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from nerlite.errors import ModelError
from nerlite.files import AnyPath

Layout = Literal["sentences", "lines", "prose", "wrapped"]
Case = Literal["as it is", "lower", "upper", "title"]


class SetRules(NamedTuple):
    """A labelled set: a CoNLL file and how its labels are read.

    path: relative to the folder of the data, or to one of them. labels: the set's label → the model's, "" for one that
    is none of the model's, or null where it may be any or none; a label that is missing stands for itself. hidden:
    labels of the model's that the set does not annotate, so that its O may be one of them. handles: whether "@" and the
    word after it are one word that is no name. share: how often an epoch sees its documents, a part of 1 by chance; 0
    for a list of names, of which `listings` and `renamed` take half of theirs.
    """

    path: str
    labels: dict[str, str | None] = {}  # noqa: RUF012  # nobody writes into it
    hidden: tuple[str, ...] = ()
    handles: bool = False
    share: float = 1.0


class Recipe(NamedTuple):
    """How a model is trained.

    name: the model's. train, valid: sets; the weights with the best mean F1 of the valid ones are kept, or the mean of
    those after the `averaged` epochs (0: before the first), the last of which is then the last that is trained. start:
    the model directory that training begins with; of one with other tags, or none, the encoder alone.
    line_piece: the piece that stands for a line break, "" for a model without breaks. shapes: whether the encoder sees
    how words are written (see `nerlite.shapes`), as it does too if the start's does. agreement: whether the model makes
    a document agree with itself (see `nerlite.agreement`), as it does too if its start does. layouts, cases: how
    documents are laid out and their words written, with weights; listings: how many lists, tables and letters of names
    an epoch adds; renamed: label → the share of its names in whose place an epoch reads others of all sets, so that
    what stands around a name counts for more than which name it is. epochs: of which the encoder rests in the first
    frozen_epochs. batch_pieces: pieces a batch, padding counted. The rates are the largest of a linear rise over
    `warm_up` of the steps, and of a fall over the rest.
    characters: how often one must be seen to have an id.
    """

    name: str
    train: tuple[SetRules, ...]
    valid: tuple[SetRules, ...]
    start: str
    line_piece: str = "[unused1]"
    shapes: bool = False
    agreement: bool = False
    layouts: dict[str, int] = {"sentences": 4, "lines": 3, "prose": 2, "wrapped": 2}  # noqa: RUF012
    cases: dict[str, int] = {"as it is": 58, "lower": 22, "upper": 10, "title": 10}  # noqa: RUF012
    listings: int = 1000
    renamed: dict[str, float] = {}  # noqa: RUF012
    epochs: int = 8
    averaged: tuple[int, ...] = ()
    frozen_epochs: int = 1
    seed: int = 1
    batch_pieces: int = 1536
    encoder_rate: float = 1.2e-4
    head_rate: float = 1.2e-3
    warm_up: float = 0.08
    characters: int = 10


def read_recipe(path: AnyPath) -> Recipe:
    """Read a recipe; `ModelError` names each key that is unknown, missing or of another type."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}") from None
    problems: list[str] = []
    recipe = _object(Recipe, data, "", problems)
    if not problems:
        problems.extend(_contradictions(recipe))
    if problems:
        raise ModelError(f"{path}: " + "; ".join(problems))
    return recipe


def _contradictions(recipe: Recipe) -> Iterator[str]:
    for name, weights, known in (("layouts", recipe.layouts, Layout), ("cases", recipe.cases, Case)):
        if unknown := [key for key in weights if key not in typing.get_args(known)]:
            yield f"{name}: expected {', '.join(typing.get_args(known))}, got {', '.join(unknown)}"
        elif not any(weights.values()) or min(weights.values()) < 0:
            yield f"{name}: expected weights of 0 or more, and one above, got {weights}"
    if not all(0 <= share <= 1 for share in recipe.renamed.values()):
        yield f"renamed: expected shares of 0 to 1, got {recipe.renamed}"
    if not 0 <= recipe.frozen_epochs <= recipe.epochs or recipe.epochs < 1:
        yield f"epochs: expected at least 1 and frozen_epochs ({recipe.frozen_epochs}), got {recipe.epochs}"
    elif any(not 0 <= epoch <= recipe.epochs for epoch in recipe.averaged):
        yield f"averaged: expected epochs, 0 to {recipe.epochs}, got {', '.join(map(str, recipe.averaged))}"


def _object(kind: Any, data: Any, key: str, problems: list[str]) -> Any:
    """Return a named tuple of a JSON object's values; add to problems what does not fit."""
    if not isinstance(data, dict):
        problems.append(f"{key or 'the file'}: expected an object, got {data!r:.80}")
        return None
    hints, prefix, before = typing.get_type_hints(kind), f"{key}." if key else "", len(problems)
    problems.extend(f"{prefix}{name}: unknown key" for name in data if name not in hints)
    problems.extend(f"{prefix}{name}: missing" for name in hints
                    if name not in data and name not in kind._field_defaults)
    values = {name: _value(hint, data[name], prefix + name, problems) for name, hint in hints.items() if name in data}
    return None if len(problems) > before else kind(**values)


def _value(kind: Any, value: Any, key: str, problems: list[str]) -> Any:
    item, *others = typing.get_args(kind) or (None,)
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        if hasattr(item, "_fields"):
            return tuple(_object(item, each, f"{key}[{i}]", problems) for i, each in enumerate(value))
        if all(type(each) is item for each in value):
            return tuple(value)
    elif typing.get_origin(kind) is dict and isinstance(value, dict):
        wanted = {"int": (int,), "float": (int, float)}.get(getattr(others[0], "__name__", ""), (str, type(None)))
        if all(type(each) in wanted for each in value.values()):
            return value
    elif (kind is float and type(value) is int) or type(value) is kind:
        return value
    problems.append(f"{key}: expected {getattr(kind, '__name__', kind)}, got {value!r:.80}")
    return None
