"""What is wrong, in the shape that the Open Inference Protocol has for it: {"error": "..."}."""

_NOT_HERE = {
    "/v2/repository/models/": "models are loaded with their release: `dbt build` publishes one, `eiderdown promote` "
    "gives another version; clients neither load nor unload them",
    "/v2/systemsharedmemory": "shared memory is not supported; send tensors in the body, as binary data or JSON",
    "/v2/cudasharedmemory": "shared memory is not supported; send tensors in the body, as binary data or JSON",
    "/v2/trace": "trace settings are not supported; GET /metrics has the seconds of each stage",
    "/v2/logging": "log settings are not supported",
}
"""Triton's extensions that are none here, by the beginning of their paths."""


def is_open_inference(path: str) -> bool:
    """Whether a path is the protocol's."""
    return path.startswith("/v2/") or path == "/v2"


def error(message: str, location: tuple[str | int, ...] = ()) -> dict[str, str]:
    """What is wrong and its place (as `Problem` has it) as the protocol's object.

    >>> error("expected a string", ("instances", 3, "origin"))
    {'error': 'input origin, row 3: expected a string'}
    """
    match location:
        case ():
            text = message
        case ("instances", row, name):
            text = f"input {name}, row {row}: {message}"
        case ("instances", row):
            text = f"row {row}: {message}"
        case _:
            text = f"{'.'.join(map(str, location))}: {message}"
    return {"error": text}


def status_of(status: int) -> int:
    """A problem's status: what is 422 elsewhere is 400, as the protocol's clients expect for what is malformed."""
    return 400 if status == 422 else status


def no_such_path(path: str) -> str:
    """What is said of a path under /v2 that there is not."""
    for beginning, message in _NOT_HERE.items():
        if path.startswith(beginning):
            return message
    return "no such path of the Open Inference Protocol here; GET /openapi.json lists them"
