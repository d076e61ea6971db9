"""Who may call: bearer tokens, known by their SHA-256 only.

The file has a line for each token, `<scope>[,<scope>] <name> <SHA-256 of the token, in hex>`; empty lines and lines that
begin with # are passed over. Its mode is 600. A name may have several tokens: the old one and the new one, while callers
change over. The scopes:

- `predict`: POST to /predict, /features, /v2 and /feedback. Who was given a prediction reports what came of it, under a
  request_id that nobody else was given.
- `read`: GET of models, releases and metrics.
- `admin`: all of that, and POST to /push, which changes what everybody is answered.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from ml.errors import DeclarationError

SCOPES = ("predict", "read", "admin")
LOOK_SECONDS = 1.0
HEADER = "# scopes, name and SHA-256 of each token; see `eiderdown tokens --help`\n"

logger = logging.getLogger("serving")


@dataclass(frozen=True)
class Entry:
    """A token as the file has it. `digest`: the token's SHA-256, 32 bytes."""

    scopes: frozenset[str]
    name: str
    digest: bytes

    def line(self) -> str:
        """The entry as a line of the file."""
        return f"{','.join(scope for scope in SCOPES if scope in self.scopes)} {self.name} {self.digest.hex()}\n"


def new_token(scopes: list[str], name: str) -> tuple[str, Entry]:
    """A fresh token of 256 random bits, and its entry. Raises DeclarationError for another scope or name."""
    token = f"eiderdown_{secrets.token_urlsafe(32)}"
    line = f"{','.join(scopes)} {name} {hashlib.sha256(token.encode()).hexdigest()}"
    return token, _entry(line, "the new token")


def read_tokens(path: Path) -> list[Entry]:
    """The entries of a tokens file. Raises DeclarationError with the file and the line."""
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise DeclarationError(f"{path}: {reason}. `eiderdown tokens new` makes a tokens file.") from None
    if mode & 0o077:
        raise DeclarationError(f"{path}: others may read or change it (mode {mode:03o}); `chmod 600` it.")
    if not text.endswith("\n"):
        raise DeclarationError(f"{path}: empty, or the last line lacks its end; write it again.")
    lines = [line.strip() for line in text.splitlines()]
    return [
        _entry(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line and not line.startswith("#")
    ]


def _entry(line: str, place: str) -> Entry:
    scopes, name, digest, *more = [*line.split(), "", "", ""]
    if unknown := [scope for scope in scopes.split(",") if scope not in SCOPES]:
        raise DeclarationError(f"{place}: {len(unknown)} unknown scope(s); the scopes are {', '.join(SCOPES)}.")
    if not re.fullmatch(r"[\w.@-]{1,64}", name, re.ASCII):
        raise DeclarationError(f"{place}: a name is letters, digits and ._@- , at most 64 of them.")
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or any(more):
        raise DeclarationError(f"{place}: it must be `<scope>[,<scope>] <name> <64 hex digits>`, nothing more.")
    return Entry(frozenset(scopes.split(",")), name, bytes.fromhex(digest))


class Tokens:
    """The tokens in force: those of the file as it was last read whole.

    The file is looked at no more than once a second, when somebody calls. One that cannot be read leaves the tokens before
    it in force; `problem` says why, until one can. Raises DeclarationError where the first one cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._state = self._look()
        self._entries = read_tokens(path)
        self._next_look = time.monotonic() + LOOK_SECONDS

    def scopes(self, token: bytes) -> frozenset[str] | None:
        """What a token may do; None for one that is not in force."""
        if time.monotonic() >= self._next_look:
            self.refresh()
        digest = hashlib.sha256(token).digest()
        found = None
        # All entries, each in constant time: how long it takes says nothing of which one came close.
        for entry in self._entries:
            if hmac.compare_digest(entry.digest, digest):
                found = entry.scopes
        return found

    def refresh(self) -> None:
        """Read the file again where it is another one than before."""
        self._next_look = time.monotonic() + LOOK_SECONDS
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self._entries = read_tokens(self.path)
        except DeclarationError as error:
            self.problem = f"{error} The tokens before it stay in force."
            logger.error({"event": "tokens_not_read", "problem": self.problem})
        else:
            self.problem = None
            logger.info({"event": "tokens_read", "count": len(self._entries)})

    def _look(self) -> tuple[int, ...] | None:
        try:
            state = self.path.stat()
        except OSError:
            return None
        # Unlike the time of its content, this one cannot be set back, and it moves with the mode too.
        return state.st_ctime_ns, state.st_ino, state.st_size
