"""Who is answered: the headers Host, Origin and Authorization, decided before anything of the body is read.

Without tokens only the loopback address answers, and there the danger is a web page in a browser on the same machine. It
may know a name that leads to 127.0.0.1 (DNS rebinding): Host must be the address itself, localhost, or an allowed host. It
may also send a form or a text to another origin without asking first: browsers then say in Origin where the page came
from, and one that is neither this server nor allowed is refused. So what says nothing in Origin is no page, whatever its
content type, and `curl -d` works as it is.

With tokens the caller's scope decides (`serving/access/tokens.py`); Host is held against the allowed hosts where there are any.
Health, and the documentation of the interface, which is the same everywhere, ask for no token.
"""

import functools
import ipaddress
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from ml.errors import DeclarationError, EiderdownError
from serving.access.tokens import Tokens
from serving.open_inference.errors import error, is_open_inference
from serving.settings import Settings


class Headers(list[tuple[bytes, bytes]]):
    """The headers of an answer, and in `text` as they go over the wire. Shared: they must not be changed."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__((name.encode(), value.encode()) for name, value in headers.items())
        self.text = b"".join(b"%s: %s\r\n" % header for header in self)


Scope = MutableMapping[str, Any]

SECURITY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
# Swagger UI sets styles in its elements and has images in its style sheet; scripts come from files only.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_READ = ("GET", "HEAD")
_PREDICT_PATHS = ("/predict/", "/features/", "/feedback/", "/v2/models/")
_PREDICT_PATH = "/get-online-features"
_READ_POST = "/v2/repository/index"
_OPEN_PATHS = ("/health/", "/v2/health/")
_DOCS_PATHS = ("/docs", "/openapi.json")


class Guard:
    """Refuses who may not call, and gives the headers of every answer.

    Raises DeclarationError where the settings name a tokens file that cannot be read, a host with a port, or an origin
    that is none.
    """

    def __init__(self, settings: Settings) -> None:
        self.tokens = Tokens(Path(settings.tokens_file)) if settings.tokens_file else None
        self._hosts = frozenset(_host(name) for name in settings.allowed_hosts)
        plain = SECURITY | ({"vary": "origin"} if settings.allowed_origins else {})
        self._plain = Headers(plain)
        self._docs = Headers(SECURITY | {"content-security-policy": DOCS_POLICY})
        self._origins = {_origin(text): Headers(plain | _allowing(text)) for text in settings.allowed_origins}

    @property
    def problem(self) -> str | None:
        """What is wrong with the tokens file, for readiness."""
        if self.tokens is None:
            return None
        self.tokens.refresh()
        return self.tokens.problem

    def headers(self, scope: Scope) -> Headers:
        """The headers to add to the answer, whatever its status."""
        if scope["path"].startswith("/docs"):
            return self._docs
        if self._origins:
            for name, value in scope["headers"]:
                if name == b"origin" and value in self._origins:
                    return self._origins[value]
        return self._plain

    def refuse(self, scope: Scope) -> Response | None:
        """The answer to who is refused, or to a browser that asks whether a page may call; None for a request to serve."""
        host = origin = authorization = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    return _shaped(_TWO_HOSTS, scope)
                host = value
            elif name == b"origin":
                origin = value
            elif name == b"authorization":
                # Two of them are none: which one counts would depend on who reads.
                authorization = value if authorization is None else b""
        refusal = self._refuse_host(host, scope)
        if refusal is None and origin is not None:
            refusal = self._refuse_origin(origin, host, scope)
        if refusal is None and self.tokens is not None:
            refusal = self._refuse_token(authorization, scope, self.tokens)
        return refusal and _shaped(refusal, scope)

    def _refuse_host(self, host: bytes | None, scope: Scope) -> Response | None:
        if self.tokens is not None and (not self._hosts or scope["path"].startswith(_OPEN_PATHS)):
            return None
        if host is None:
            return _NO_HOST
        # The name without the port; an IPv6 address stands in brackets.
        name = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
        name = name.lower()
        if self.tokens is None:
            server = scope.get("server")
            address = server[0] if server else None
            if address is not None and not _may_be_open(address):
                return _NOT_LOOPBACK
            if name == b"localhost" or (address is not None and name == _host_of(address)):
                return None
        return None if name in self._hosts else _WRONG_HOST

    def _refuse_origin(self, origin: bytes, host: bytes | None, scope: Scope) -> Response | None:
        # The scheme is left out: behind a proxy that ends TLS it is another one than the page's.
        is_allowed = origin in self._origins or (host is not None and origin.partition(b"://")[2] == host)
        if not is_allowed:
            return _WRONG_ORIGIN
        if scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        ):
            return _PREFLIGHT
        return None

    def _refuse_token(self, authorization: bytes | None, scope: Scope, tokens: Tokens) -> Response | None:
        path: str = scope["path"]
        method: str = scope["method"]
        if method in _READ or (method == "POST" and path == _READ_POST):
            if path.startswith(_OPEN_PATHS) or path in _DOCS_PATHS or path.startswith("/docs/"):
                return None
            needed = "read"
        else:
            # What is not listed needs the greatest scope, so a route that is forgotten here is closed.
            is_predict = method == "POST" and (path.startswith(_PREDICT_PATHS) or path == _PREDICT_PATH)
            needed = "predict" if is_predict else "admin"
        if authorization is None:
            return _NO_TOKEN
        scheme, _, token = authorization.partition(b" ")
        scopes = tokens.scopes(token.strip()) if scheme.lower() == b"bearer" else None
        if scopes is None:
            return _WRONG_TOKEN
        return None if needed in scopes or "admin" in scopes else _NO_SCOPE[needed]


def check_binding(host: str, settings: Settings) -> None:
    """Raise EiderdownError where a server must not listen at an address.

    Others than the loopback address are open only with tokens; a tokens file that cannot be read is a DeclarationError.
    """
    Guard(settings)
    if settings.tokens_file or host == "localhost" or _is_loopback(host):
        return
    raise EiderdownError(
        f"{host or 'an empty host'} can be reached by others, and no tokens say who may call: make one with "
        "`eiderdown tokens new` and name its file in EIDERDOWN_TOKENS_FILE, or use 127.0.0.1."
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@functools.lru_cache(maxsize=64)
def _may_be_open(address: str) -> bool:
    """Whether the server's end of a connection is no network address, or a loopback one. Holds also where the server was
    not started by `eiderdown serve`, which checks the binding.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


@functools.lru_cache(maxsize=64)
def _host_of(address: str) -> bytes:
    return (f"[{address}]" if ":" in address else address).lower().encode()


def _host(name: str) -> bytes:
    is_ipv6 = name.startswith("[") and name.endswith("]")
    if not name.isascii() or "/" in name or (":" in name and not is_ipv6):
        raise DeclarationError(
            f"EIDERDOWN_ALLOWED_HOSTS: {name!r} is no host's name; write it without scheme and port."
        )
    return name.lower().encode()


def _origin(text: str) -> bytes:
    scheme, _, host = text.partition("://")
    if (
        scheme not in ("http", "https")
        or not host
        or not host.isascii()
        or "/" in host
        or "*" in host
        or host != host.lower()
    ):
        raise DeclarationError(
            f"EIDERDOWN_ALLOWED_ORIGINS: {text!r} is no origin; write it as https://console.example, without a path."
        )
    return text.encode()


def _allowing(origin: str) -> dict[str, str]:
    return {"access-control-allow-origin": origin, "access-control-expose-headers": "retry-after"}


class _Refusal(JSONResponse):
    """An answer to who may not call. for_open_inference: the same in the shape of the Open Inference Protocol."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__({"detail": [{"msg": message}]}, status_code=status, headers=named)
        self.for_open_inference = JSONResponse(error(message), status_code=status, headers=named)


def _shaped(refusal: Response, scope: Scope) -> Response:
    """A refusal in the shape that the path's protocol has for it."""
    if isinstance(refusal, _Refusal) and is_open_inference(scope["path"]):
        return refusal.for_open_inference
    return refusal


_TWO_HOSTS = _Refusal(400, "the header Host must be there once")
_NO_HOST = _Refusal(400, "the header Host is missing")
_WRONG_HOST = _Refusal(
    421, "this server does not answer to the name in the header Host; EIDERDOWN_ALLOWED_HOSTS lists those that it does"
)
_NOT_LOOPBACK = _Refusal(403, "without tokens this server answers on its loopback address only; see `eiderdown tokens`")
_WRONG_ORIGIN = _Refusal(403, "pages of this origin may not call; EIDERDOWN_ALLOWED_ORIGINS lists those that may")
_PREFLIGHT = Response(
    status_code=204,
    headers={
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
    },
)
_NO_TOKEN = _Refusal(401, "a token is needed: send `Authorization: Bearer <token>`", www_authenticate="Bearer")
_WRONG_TOKEN = _Refusal(
    401,
    "this token is not in force; ask who runs the server for another",
    www_authenticate='Bearer error="invalid_token"',
)
_NO_SCOPE = {
    scope: _Refusal(
        403,
        f"this token has not the scope {scope}",
        www_authenticate=f'Bearer error="insufficient_scope", scope="{scope}"',
    )
    for scope in ("predict", "read", "admin")
}
