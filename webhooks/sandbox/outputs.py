"""What a check run may show: texts, annotations and buttons, within GitHub's bounds."""

from __future__ import annotations

from typing import Any, cast

from webhooks.sandbox.refusals import Refusal

MOST_ANNOTATIONS = 50
MOST_ACTIONS = 3
LONGEST_TEXT = 65535
_LEVELS = frozenset({"notice", "warning", "failure"})
_LONGEST_IN_ACTION = {"label": 20, "description": 40, "identifier": 20}
_LONGEST_IN_ANNOTATION = {"message": 65536, "raw_details": 65536, "title": 255}


def read_texts(output: Any) -> dict[str, str | None]:
    """Title, summary and text of an output."""
    given = _object(output, "output")
    texts = {name: given.get(name) for name in ("title", "summary", "text")}
    for name in ("title", "summary"):
        if not isinstance(texts[name], str):
            raise _missing(name)
    for name in ("summary", "text"):
        length = len(texts[name] or "")
        if length > LONGEST_TEXT:
            raise Refusal(422, f"Only {LONGEST_TEXT} characters are allowed; {length} were supplied.")
    return texts


def read_annotations(output: Any) -> list[dict[str, object]]:
    """The annotations that an output adds."""
    given = _list(_object(output, "output").get("annotations"), "annotations")
    if len(given) > MOST_ANNOTATIONS:
        raise _invalid(f"No more than {MOST_ANNOTATIONS} items are allowed; {len(given)} were supplied.")
    return [_annotation(each) for each in given]


def read_actions(actions: Any) -> list[dict[str, object]]:
    """The buttons of a check run."""
    given = _list(actions, "actions")
    if len(given) > MOST_ACTIONS:
        raise _invalid(f"No more than {MOST_ACTIONS} items are allowed; {len(given)} were supplied.")
    found = [_object(each, "action") for each in given]
    for action in found:
        for name, most in _LONGEST_IN_ACTION.items():
            text = action.get(name)
            if not isinstance(text, str) or not text:
                raise _missing(name)
            _check_length(name, text, most)
    return found


def _annotation(value: Any) -> dict[str, object]:
    given = _object(value, "annotation")
    for name, kind in (("path", str), ("start_line", int), ("end_line", int), ("message", str)):
        if type(given.get(name)) is not kind:
            raise _missing(name)
    if given.get("annotation_level") not in _LEVELS:
        raise _missing("annotation_level")
    for name, most in _LONGEST_IN_ANNOTATION.items():
        _check_length(name, str(given.get(name) or ""), most)
    columns = given.get("start_column") is not None or given.get("end_column") is not None
    if columns and given["start_line"] != given["end_line"]:
        raise _invalid("Annotations have columns only when start_line and end_line are the same.")
    return given


def _check_length(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise _invalid(f"For {name!r}, only {most} characters are allowed; {len(text)} were supplied.")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"For 'properties/{name}', expected an object.")
    return cast("dict[str, Any]", value)


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _invalid(f"For 'properties/{name}', expected an array.")
    return cast("list[Any]", value)


def _missing(name: str) -> Refusal:
    return _invalid(f"{name!r} wasn't supplied.")


def _invalid(words: str) -> Refusal:
    return Refusal(422, f"Invalid request.\n\n{words}")
