"""Bodies as JSON, strictly: what two parsers could read in two ways is refused."""

import asyncio
import json
import math
from typing import Any

import orjson
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from serving.problems import Problem
from serving.requests.whole_answer import AT_ONCE
from serving.settings import Settings

MAX_DEPTH = 16
_64_BITS = 2.0**63
_LONG_BODY = 256 * 1024
"""Bytes that are decoded in a thread, so that they do not hold up other requests."""


def json_body(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI of a body that `read_object` reads: an object with these properties.

    required: names of those that must be there beside the first, which always must.
    """
    schema = {
        "type": "object",
        "required": [next(iter(properties)), *required],
        "additionalProperties": False,
        "properties": properties,
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def read_object(request: Request, settings: Settings, fields: set[str]) -> dict[str, Any]:
    """A request's body as a JSON object with no other fields than these.

    Raises Problem: what `read_body` raises, 400 for what is not strict JSON (NaN, infinities, numbers past a double,
    duplicate keys, lone surrogates, deep nesting), 422 for another shape.
    """
    return await decode_object(await read_body(request, settings), fields)


async def read_body(request: Request, settings: Settings) -> bytes:
    """A request's body.

    Raises Problem: 413 past the greatest size (by the length that the client declares, or as the body comes), 408 for a
    body that comes too slowly, 415 for an encoded one, 400 for one that ends early.
    """
    # A compressed body is small on the wire and boundless in memory; none is decoded.
    encoding = header(request, b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        raise Problem(415, "the body has a content encoding; send it as it is")
    try:
        body = _read_at_once(request, settings.max_body_bytes)
        if body is None:
            async with asyncio.timeout(settings.max_body_seconds):
                body = await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise Problem(
            408, f"the body took longer than {settings.max_body_seconds} seconds; send it at once", closes=True
        ) from None
    except ClientDisconnect:
        raise Problem(400, "the body ended early") from None
    return body


async def decode_object(body: bytes, fields: set[str]) -> dict[str, Any]:
    """Strict JSON as an object with no other fields than these. Raises Problem 400 or 422."""
    value = decode(body) if len(body) < _LONG_BODY else await run_in_threadpool(decode, body)
    if not isinstance(value, dict):
        raise Problem(422, f"the body must be an object with the fields {', '.join(sorted(fields))}")
    if unknown := [name for name in value if name not in fields]:
        raise Problem(422, f"{len(unknown)} unknown field(s) in the body; the fields are {', '.join(sorted(fields))}")
    return value


def _read_at_once(request: Request, max_bytes: int) -> bytes | None:
    """The body, if all of it has come."""
    at_once = (request.scope.get("extensions") or {}).get(AT_ONCE)
    body: bytes | None = at_once.read() if at_once else None
    if body is not None and len(body) > max_bytes:
        raise _too_long(max_bytes)
    return body


async def _read(request: Request, max_bytes: int) -> bytes:
    if _declared_length(request) > max_bytes:
        raise _too_long(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_long(max_bytes)
    return bytes(body)


def _too_long(max_bytes: int) -> Problem:
    return Problem(413, f"the body is longer than {max_bytes} bytes; send fewer instances at a time")


def header(request: Request, name: bytes) -> bytes | None:
    """The first header of a name, which is in lower case. Quicker than the request's own mapping of them."""
    for given, value in request.scope["headers"]:
        if given == name:
            found: bytes = value
            return found
    return None


def _declared_length(request: Request) -> int:
    """What Content-Length says; 0 where it says nothing that can be read, since the body is counted as it comes."""
    try:
        return int(header(request, b"content-length") or 0)
    except ValueError:
        return 0


def decode(body: bytes) -> Any:
    """Strict JSON as Python values. Raises Problem 400."""
    try:
        value = orjson.loads(body)
        if b"\\" not in body and _count_colons(value) == body.count(b":"):
            return value
    except orjson.JSONDecodeError:
        # The careful decoder says what is wrong.
        pass
    return _decode_carefully(body)


def _count_colons(value: Any) -> int:
    """The colons of a text without escapes that orjson has read as this value: one for each key, and those inside of texts.

    The text of an object that has a key twice holds more, and orjson keeps the last. -1 for what orjson reads otherwise
    than strictly: an integer of more than 64 bits becomes a double; and for what is nested too deeply.
    """
    found = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = []
        for one in level:
            entries = one
            if type(one) is dict:
                found += len(one)
                for name in one:
                    found += name.count(":")
                entries = one.values()
            elif type(one) is not list:
                entries = (one,)
            for entry in entries:
                kind = type(entry)
                if kind is str:
                    found += entry.count(":")
                elif kind is dict or kind is list:
                    inner.append(entry)
                elif kind is float and not -_64_BITS < entry < _64_BITS:
                    return -1
        if not inner:
            return found
        level = inner
    return -1


def _decode_carefully(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_parse_float, object_pairs_hook=_refuse_duplicates
        )
        _refuse_depth(value)
        # A lone surrogate is valid to the parser, but no text: it cannot be written anywhere.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise Problem(400, "the body is not valid UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        hint = str(error) if isinstance(error, _Refused) else "the body is not valid JSON"
        raise Problem(400, hint) from None
    return value


class _Refused(ValueError):
    pass


def _refuse_depth(value: Any) -> None:
    """The parser itself stops at Python's limit of recursion; this is the limit that is promised."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner = [one for one in level if isinstance(one, dict | list)]
        if not inner:
            return
        level = [entry for one in inner for entry in (one.values() if isinstance(one, dict) else one)]
    raise _Refused(f"the body is nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> Any:
    raise _Refused("NaN and Infinity are no JSON; send null for a missing number")


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Refused("a number is too large for a double")
    return number


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("an object has the same key twice")
    return value
