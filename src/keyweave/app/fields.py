"""Options, read off their models: the rows from which command line, pages and schemas are derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from keyweave.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class OptionRow:
    """One option as a person sees it."""

    name: str
    flag: str
    metavar: str | None
    choices: tuple[str, ...]
    default: str | None  # as one would type it; None where leaving it out is the default
    says: str
    is_switch: bool  # given or not, without a value


def option_rows(model: type[BaseModel]) -> list[OptionRow]:
    """List the options of a model, its own before those that every film has."""
    own = [name for name in model.model_fields if name in model.__annotations__]
    shared = [name for name in model.model_fields if name not in own]
    return [_row(model, name) for name in own + shared]


def read_options(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Build the model from what was typed; what does not fit is said in one sentence that names the flag."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as fault:
        raise InputError(_sentence(fault.errors()[0])) from None


def markdown_table(model: type[BaseModel]) -> str:
    """Write the options as the table of a docs page."""
    lines = ["| option | what it does | default |", "|---|---|---|"]
    for row in option_rows(model):
        values = row.choices or ((row.metavar,) if row.metavar else ())
        typed = " ".join([f"`{row.flag}`", " or ".join(f"`{value}`" for value in values)]).strip()
        lines.append(f"| {typed} | {row.says} | {f'`{row.default}`' if row.default else ''} |")
    return "\n".join(lines) + "\n"


def _row(model: type[BaseModel], name: str) -> OptionRow:
    field = model.model_fields[name]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    metavar, default = extra.get("metavar"), extra.get("default_text")
    if default is None and field.default not in (None, False, PydanticUndefined):
        default = field.default
    return OptionRow(
        name,
        _flag(name),
        str(metavar) if metavar else None,
        choices,
        None if default is None else str(default),
        field.description or "",
        is_switch=field.annotation is bool,
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


_IN_PLAIN_WORDS = {
    **dict.fromkeys(("int_parsing", "int_from_float"), "be a whole number"),
    "float_parsing": "be a number",
}


def _sentence(fault: ErrorDetails) -> str:
    words = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return f"{words}."
    flag = _flag(str(fault["loc"][0]))
    if fault["type"] == "value_error":
        return f"{flag}: {words}."
    if fault["type"] == "extra_forbidden":
        return f"There is no option {flag}."
    # pydantic says "Input should be ...", or "Decimal input should be ..." and the like.
    due = _IN_PLAIN_WORDS.get(fault["type"]) or words.rpartition(" should ")[2]
    return f"{flag} is {fault['input']!r}; it should {due}."
