"""Who is refused, by address, Host, Origin, token and scope; and what every answer carries."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.errors import DeclarationError, EiderdownError
from serving.access.guard import Guard, check_binding
from serving.access.tokens import SCOPES, new_token
from serving.settings import Settings

PAGE = "https://console.example"


def _scope(
    method: str = "POST",
    path: str = "/predict/m",
    server: tuple[str, int | None] | None = ("127.0.0.1", 8000),
    **headers: str,
) -> dict[str, Any]:
    named = {"host": "127.0.0.1:8000"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
    return {"type": "http", "method": method, "path": path, "server": server, "headers": raw}


def _status(guard: Guard, scope: dict[str, Any]) -> int | None:
    answer = guard.refuse(scope)
    return answer.status_code if answer else None


@pytest.mark.parametrize(
    ("server", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8000", None),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1", "LocalHost:8000", None),
        ("127.0.0.2", "127.0.0.2:1", None),
        ("::1", "[::1]:8000", None),
        ("::ffff:127.0.0.1", "localhost", None),
        ("127.0.0.1", "machine.example:8000", None),
        ("127.0.0.1", "rebound.example:8000", 421),
        ("127.0.0.1", "127.0.0.1.rebound.example", 421),
        ("127.0.0.1", "localhost.rebound.example", 421),
        ("127.0.0.1", "rebound.example#127.0.0.1", 421),
        ("127.0.0.1", "127.0.0.1@rebound.example", 421),
        ("127.0.0.1", "[::1]", 421),
        ("127.0.0.1", "[", 421),
        ("127.0.0.1", "", 421),
        ("127.0.0.1", "\xff", 421),
        # Another address than loopback, whatever Host says: a server that was not started by `eiderdown serve`.
        ("10.0.0.7", "localhost", 403),
        ("10.0.0.7", "machine.example", 403),
        ("::", "localhost", 403),
        ("fe80::1", "localhost", 403),
    ],
)
def test_without_tokens_only_the_loopback_address_answers(server: str, host: str, status: int | None) -> None:
    guard = Guard(Settings(allowed_hosts=("Machine.example",)))
    assert _status(guard, _scope(server=(server, 8000), host=host)) == status


@given(host=st.from_regex(r"\A[a-z0-9.:\[\]@/#?-]{0,20}\Z") | st.sampled_from(["localhost", "127.0.0.1:80"]))
def test_a_host_that_passes_is_one_that_a_browser_would_reach(host: str) -> None:
    """The oracle: what the standard library takes for the name in a URL."""
    if _status(Guard(Settings()), _scope(host=host)) is None:
        assert urlsplit(f"//{host.partition(':')[0]}").hostname in ("localhost", "127.0.0.1")


def test_host_is_there_once() -> None:
    scope = _scope()
    guard = Guard(Settings())
    assert _status(guard, {**scope, "headers": []}) == 400
    assert _status(guard, {**scope, "headers": scope["headers"] * 2}) == 400


def test_a_unix_socket_has_no_address() -> None:
    guard = Guard(Settings())
    assert _status(guard, _scope(server=None, host="localhost")) is None
    assert _status(guard, _scope(server=("/run/server", None), host="localhost")) is None
    assert _status(guard, _scope(server=None, host="rebound.example")) == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8000", None),
        ("https://127.0.0.1:8000", None),
        (PAGE, None),
        ("http://127.0.0.1:9000", 403),
        ("http://rebound.example", 403),
        ("null", 403),
        ("", 403),
        (f"{PAGE}:444", 403),
        (f"{PAGE}.rebound.example", 403),
        ("http://console.example", 403),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_page_of_another_origin_does_not_act(origin: str, content_type: str, status: int | None) -> None:
    guard = Guard(Settings(allowed_origins=(PAGE,)))
    assert _status(guard, _scope(origin=origin, content_type=content_type)) == status


def test_a_page_of_a_rebound_name_is_of_that_name() -> None:
    """To the browser it is the same origin, and says so; Host is what gives it away."""
    assert _status(Guard(Settings()), _scope(host="rebound.example:8000", origin="http://rebound.example:8000")) == 421
    guard = Guard(Settings(allowed_origins=(PAGE,)))
    assert _status(guard, _scope(host="rebound.example", origin=PAGE)) == 421


def test_what_is_no_page_needs_no_content_type() -> None:
    assert _status(Guard(Settings()), _scope(content_type="application/x-www-form-urlencoded")) is None


def test_a_browser_asks_first() -> None:
    ask = {"method": "OPTIONS", "access_control_request_method": "POST"}
    guard = Guard(Settings(allowed_origins=(PAGE,)))
    answer = guard.refuse(_scope(**ask, origin=PAGE))
    assert answer
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert (b"access-control-allow-origin", PAGE.encode()) in guard.headers(_scope(origin=PAGE))
    for scope in (_scope(**ask, origin="https://rebound.example"), _scope(**ask, origin="null"), _scope()):
        assert not [name for name, _ in guard.headers(scope) if name.startswith(b"access-control")]
        assert (b"vary", b"origin") in guard.headers(scope)
    assert _status(guard, _scope(**ask, origin="https://rebound.example")) == 403
    # Off by default.
    assert _status(Guard(Settings()), _scope(**ask, origin=PAGE)) == 403


PLACES = {
    ("POST", "/predict/m"): "predict",
    ("POST", "/features/v"): "predict",
    ("POST", "/get-online-features"): "predict",
    ("POST", "/v2/models/m/infer"): "predict",
    ("POST", "/feedback/m"): "predict",
    ("POST", "/push/v"): "admin",
    ("GET", "/models"): "read",
    ("GET", "/releases"): "read",
    ("HEAD", "/models/m"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/v2"): "read",
    ("GET", "/v2/models/m"): "read",
    ("POST", "/v2/repository/index"): "read",
    ("GET", "/docs/../models"): None,
    ("GET", "/docsx"): "read",
    ("GET", "/health/live"): None,
    ("GET", "/v2/health/ready"): None,
    ("GET", "/docs"): None,
    ("GET", "/docs/start.js"): None,
    ("GET", "/openapi.json"): None,
    # What no rule names is closed to all but the greatest scope.
    ("POST", "/health/live"): "admin",
    ("POST", "/v2/repository/models/m/load"): "admin",
    ("POST", "/predict"): "admin",
    ("POST", "/get-online-features/v"): "admin",
    ("POST", "//predict/m"): "admin",
    ("POST", "/PUSH/v"): "admin",
    ("DELETE", "/predict/m"): "admin",
    ("OPTIONS", "/predict/m"): "admin",
    ("get", "/models"): "admin",
}


def _guard(folder: Path, **settings: Any) -> tuple[Guard, dict[str, str]]:
    """A guard, and a token of each scope."""
    made = {scope: new_token([scope], scope) for scope in SCOPES}
    path = folder / "tokens"
    path.write_text("".join(entry.line() for _, entry in made.values()))
    path.chmod(0o600)
    return Guard(Settings(tokens_file=str(path), **settings)), {scope: token for scope, (token, _) in made.items()}


def test_scopes(tmp_path: Path) -> None:
    guard, tokens = _guard(tmp_path)
    for (method, path), needed in PLACES.items():
        assert _status(guard, _scope(method, path)) == (401 if needed else None), (method, path)
        for scope, token in tokens.items():
            expected = None if needed in (None, scope) or scope == "admin" else 403
            assert _status(guard, _scope(method, path, authorization=f"Bearer {token}")) == expected, (method, path)


def test_a_token_that_is_none(tmp_path: Path) -> None:
    guard, tokens = _guard(tmp_path)
    token = tokens["predict"]
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {token}",
        token,
        f"Bearer {token}x",
        "Bearer \xff\xfe",
        f"Bearer\t{token}",
    ):
        answer = guard.refuse(_scope(authorization=wrong))
        assert answer
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert _status(guard, _scope(authorization=f"bearer  {token}")) is None
    scope = _scope(authorization=f"Bearer {token}")
    scope["headers"].append((b"authorization", f"Bearer {token}".encode()))
    assert _status(guard, scope) == 401
    lacking = guard.refuse(_scope("POST", "/push/v", authorization=f"Bearer {token}"))
    assert lacking
    assert 'scope="admin"' in lacking.headers["www-authenticate"]


def test_with_tokens_any_address_answers_and_host_is_held_against_the_allowed_ones(tmp_path: Path) -> None:
    outside: dict[str, Any] = {"server": ("10.0.0.7", 8000), "host": "machine.example"}
    guard, tokens = _guard(tmp_path)
    authorization = f"Bearer {tokens['predict']}"
    assert _status(guard, _scope(**outside, authorization=authorization)) is None
    assert _status(guard, _scope(**outside)) == 401
    guard, tokens = _guard(tmp_path, allowed_hosts=("other.example",), allowed_origins=(PAGE,))
    authorization = f"Bearer {tokens['predict']}"
    assert _status(guard, _scope(**outside, authorization=authorization)) == 421
    assert _status(guard, _scope("GET", "/health/ready", **outside)) is None
    outside["host"] = "other.example"
    assert _status(guard, _scope(**outside, authorization=authorization)) is None
    assert _status(guard, _scope(**outside, authorization=authorization, origin="null")) == 403
    # A browser asks without the token.
    assert _status(guard, _scope("OPTIONS", **outside, origin=PAGE, access_control_request_method="POST")) == 204
    assert _status(guard, _scope(**outside, origin=PAGE)) == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "machine.example"])
def test_another_address_needs_tokens(tmp_path: Path, host: str) -> None:
    with pytest.raises(EiderdownError, match="eiderdown tokens new"):
        check_binding(host, Settings())
    _guard(tmp_path)
    check_binding(host, Settings(tokens_file=str(tmp_path / "tokens")))
    with pytest.raises(DeclarationError, match="nowhere"):
        check_binding(host, Settings(tokens_file=str(tmp_path / "nowhere")))


def test_loopback_needs_none() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        check_binding(host, Settings())


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("EIDERDOWN_ALLOWED_HOSTS", "a.example:80"),
        ("EIDERDOWN_ALLOWED_HOSTS", "http://a.example"),
        ("EIDERDOWN_ALLOWED_ORIGINS", "*"),
        ("EIDERDOWN_ALLOWED_ORIGINS", "null"),
        ("EIDERDOWN_ALLOWED_ORIGINS", "https://a.example/"),
        ("EIDERDOWN_ALLOWED_ORIGINS", "https://*.example"),
    ],
)
def test_a_setting_that_cannot_be(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, f"{text}, ")
    with pytest.raises(DeclarationError, match=variable):
        Guard(Settings.from_environment())


def test_settings_are_texts_and_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_ALLOWED_HOSTS", " a.example, b.example ,")
    monkeypatch.setenv("EIDERDOWN_TOKENS_FILE", "x")
    settings = Settings.from_environment()
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.tokens_file == "x"
    assert settings.allowed_origins == ()
