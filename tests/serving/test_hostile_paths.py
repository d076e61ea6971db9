"""A real server against paths, methods, queries and heads that no client library sends: a 4xx with the guard's headers."""

import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from eiderdown.demonstration import tour
from serving.access.guard import SECURITY

SECONDS = 30
PREDICT = "/predict/flight_delay"
TRAVERSALS = [
    "..",
    "%2e%2e",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "%252e%252e%252fetc%252fpasswd",
    "..;/..;/etc/passwd",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "flight_delay%00.json",
    "flight_delay/../../releases/current",
    "%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "%uff0e%uff0e/etc/passwd",
    "%ff%fe",
    "%e2%80%ae",
    "%0d%0aset-cookie:%20zqxjk=1",
    "flight_delay%0azqxjk",
    "'%3b%20drop%20table%20registry.model_versions%3b%20--",
    "{{env_var('HOME')}}",
    "%24%7bjndi:ldap:%2f%2fzqxjk%7d",
    "a" * 60_000,
    "%",
    "%zz",
    "",
]


class Server:
    """A server, spoken to over bare sockets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.good = self.predict()
        self.templates = sorted(httpx.get(f"{url}/openapi.json").json()["paths"].items())

    def predict(self) -> list[dict]:
        """What a good request gets."""
        answer = httpx.post(f"{self.url}{PREDICT}", json={"instances": [tour.INSTANCE]}, timeout=SECONDS)
        assert answer.status_code == 200
        return answer.json()["predictions"]

    def ask(self, request: bytes) -> bytes:
        """All that is answered until the server hangs up."""
        host, port = self.url.removeprefix("http://").split(":")
        answer = b""
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall(request)
            try:
                while part := connection.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
        return answer

    def ask_line(self, line: str, head: str = "", body: str = "") -> str:
        """The answer to a request line; that it carries the guard's headers and no echo is checked."""
        request = f"{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n{body}".encode("latin-1")
        answer = self.ask(request).decode()
        if "/docs" not in line:
            for name, value in SECURITY.items():
                assert f"\r\n{name}: {value}\r\n" in answer
        assert "\r\nserver:" not in answer.lower()
        assert "\r\nset-cookie" not in answer.lower()
        assert "zqxjk" not in answer
        assert "root:" not in answer
        return answer


@pytest.fixture(scope="module")
def server(served_home: Path) -> Iterator[Server]:
    with tour.server() as (url, _):
        yield Server(url)


@pytest.fixture(autouse=True)
def serves_on(server: Server) -> Iterator[None]:
    yield
    assert server.predict() == server.good


def _status(answer: str) -> int:
    return int(answer.split()[1])


def test_traversal_in_every_parameter(server: Server) -> None:
    places = [(path, method) for path, methods in server.templates for method in methods if "{" in path]
    assert len(places) >= 3
    body = '{"instances": [{}], "keys": [{}]}'
    for path, method in places:
        for hostile in TRAVERSALS:
            line = f"{method.upper()} {re.sub('{[^}]*}', lambda _: hostile, path)}"  # noqa: B023
            answer = server.ask_line(line, f"content-length: {len(body)}\r\n", body)
            assert 400 <= _status(answer) < 500, line[:100]


def test_traversal_of_the_documentation(server: Server) -> None:
    for hostile in TRAVERSALS:
        answer = server.ask_line(f"GET /docs/{hostile}")
        assert 400 <= _status(answer) < 500, hostile[:100]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "MKCOL"])
def test_wrong_methods(server: Server, method: str) -> None:
    for path, methods in server.templates:
        if method.lower() in methods or (method == "HEAD" and "get" in methods):
            continue
        answer = server.ask_line(f"{method} {re.sub('{[^}]*}', 'flight_delay', path)}")
        assert _status(answer) == 405, path
        assert f"\r\nallow: {', '.join(sorted(methods)).upper()}\r\n" in answer


@pytest.mark.parametrize(
    "query", ["a" * 60_000, "&".join("a=b" for _ in range(15_000)), "%ff=%00", "a[b]=zqxjk", "?" * 1000]
)
def test_queries_are_not_read(server: Server, query: str) -> None:
    assert _status(server.ask_line(f"GET /models?{query}")) == 200


BODY = '{"instances": [{}]}'
INNER = "GET /models HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (f"content-length: {len(BODY)}\r\ntransfer-encoding: chunked\r\n", f"0\r\n\r\n{INNER}"),
        (f"transfer-encoding: chunked\r\ncontent-length: {len(BODY)}\r\n", BODY + INNER),
        (f"content-length: {len(BODY)}\r\ncontent-length: 0\r\n", BODY + INNER),
        (f"content-length: {len(BODY)}, 0\r\n", BODY + INNER),
        (f"content-length: +{len(BODY)}\r\n", BODY + INNER),
        ("content-length: 0x13\r\n", BODY + INNER),
        (f"content-length : {len(BODY)}\r\n", BODY + INNER),
        ("transfer-encoding : chunked\r\n", f"0\r\n\r\n{INNER}"),
        ("transfer-encoding: xchunked\r\n", f"0\r\n\r\n{INNER}"),
        ("transfer-encoding: chunked, identity\r\n", f"0\r\n\r\n{INNER}"),
        ("transfer-encoding: chunked\r\n", f"-1\r\n\r\n{INNER}"),
        ("transfer-encoding: chunked\r\n", f"0x0\r\n\r\n{INNER}"),
        ("transfer-encoding: chunked\r\n", f"{'f' * 17}\r\n\r\n{INNER}"),
        ("transfer-encoding: chunked\r\n", f"1\r\nab\r\n0\r\n\r\n{INNER}"),
        (f"x: y\r\n content-length: {len(BODY)}\r\n", BODY + INNER),
        (f"x: y\rcontent-length: {len(BODY)}\r\n", BODY + INNER),
    ],
)
def test_a_request_in_a_request_is_not_answered(server: Server, head: str, body: str) -> None:
    """Where two servers could read the end of a body differently, the one behind must not answer a second request."""
    request = f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{body}".encode("latin-1")
    answer = server.ask(request)
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
    assert b'"models"' not in answer
    assert statuses
    assert all(400 <= int(status) < 500 for status in statuses)
    # The last one ends the connection, so what comes after is read by nobody.
    assert b"connection: close" in answer[answer.rindex(b"HTTP/1.1 ") :]


def test_a_page_and_a_rebound_name_are_refused(server: Server) -> None:
    content = b'{"instances": [{}]}'
    for headers, status in (
        ({"host": "rebound.example"}, 421),
        ({"origin": "https://rebound.example", "content-type": "text/plain"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": server.url}, 422),
        ({}, 422),
    ):
        answer = httpx.post(f"{server.url}{PREDICT}", content=content, headers=headers)
        assert answer.status_code == status
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_documentation_fetches_nothing_from_elsewhere(server: Server) -> None:
    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []
            self.inline = False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            self.found += [value for name in ("src", "href") if (value := values.get(name))]
            self.inline |= tag == "style" or (tag == "script" and "src" not in values)

    answer = httpx.get(f"{server.url}/docs")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    links = Links()
    links.feed(answer.text)
    assert len(links.found) == 4
    assert not links.inline
    for link in links.found:
        assert "://" not in link
        part = httpx.get(f"{server.url}/{link}")
        assert part.status_code == 200
        assert part.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{server.url}/redoc").status_code == 404
