"""Tokens: what the file may hold, how it is rotated, and the commands."""

import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from eiderdown.cli import app
from ml.errors import DeclarationError
from serving.access.tokens import HEADER, SCOPES, Tokens, new_token, read_tokens

DIGEST = "ab" * 32


def _write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@given(scopes=st.lists(st.sampled_from(SCOPES), min_size=1, unique=True), name=st.from_regex(r"\A[\w.@-]{1,64}\Z"))
def test_an_entry_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, scopes: list[str], name: str
) -> None:
    if not name.isascii():
        with pytest.raises(DeclarationError, match="a name is"):
            new_token(scopes, name)
        return
    token, entry = new_token(scopes, name)
    path = _write(tmp_path_factory.getbasetemp() / "tokens", HEADER + entry.line())
    assert read_tokens(path) == [entry]
    assert token not in path.read_text()
    tokens = Tokens(path)
    assert tokens.scopes(token.encode()) == frozenset(scopes)
    for wrong in (b"", token.encode()[:-1], token.encode() + b"x", entry.digest, entry.digest.hex().encode(), b"\xff"):
        assert tokens.scopes(wrong) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (f"read a {DIGEST}", "lacks its end"),
        (f"read a {DIGEST}\nread b\n", "line 2: it must be"),
        (f"write a {DIGEST}\n", "line 1: 1 unknown scope"),
        (f"read, a {DIGEST}\n", "unknown scope"),
        (f"read a b {DIGEST}\n", "it must be"),
        (f"read a {DIGEST} x\n", "it must be"),
        (f"read a {DIGEST.upper()}\n", "it must be"),
        (f"read a/b {DIGEST}\n", "a name is"),
        ("read a eiderdown_the-token-itself\n", "64 hex digits"),
    ],
)
def test_a_line_that_cannot_be_is_refused_without_an_echo(tmp_path: Path, text: str, said: str) -> None:
    path = _write(tmp_path / "tokens", text)
    with pytest.raises(DeclarationError, match=said) as error:
        read_tokens(path)
    assert "the-token-itself" not in str(error.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(DeclarationError, match=r"chmod 600"):
        read_tokens(_write(tmp_path / "tokens", f"read a {DIGEST}\n", mode))


def test_rotation_and_a_broken_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serving")
    (old, old_entry), (new, new_entry) = new_token(["read"], "app"), new_token(["read"], "app")
    path = _write(tmp_path / "tokens", old_entry.line())
    tokens = Tokens(path)
    _write(path, old_entry.line() + new_entry.line())
    tokens.refresh()
    assert tokens.scopes(old.encode()) == tokens.scopes(new.encode()) == {"read"}
    for broken in ("", "nonsense\n", new_entry.line()[:-1]):
        _write(path, broken)
        tokens.refresh()
        assert tokens.problem
        assert "stay in force" in tokens.problem
        assert tokens.scopes(old.encode()) == {"read"}
    path.unlink()
    tokens.refresh()
    assert tokens.problem
    assert tokens.scopes(new.encode()) == {"read"}
    _write(path, new_entry.line())
    tokens.refresh()
    assert tokens.problem is None
    assert tokens.scopes(old.encode()) is None
    assert tokens.scopes(new.encode()) == {"read"}
    assert old not in caplog.text
    assert new not in caplog.text


def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path: Path) -> None:
    (old, old_entry), (new, new_entry) = new_token(["read"], "app"), new_token(["read"], "app")
    path = _write(tmp_path / "tokens", old_entry.line())
    tokens = Tokens(path)
    state = path.stat()
    other = _write(tmp_path / "other", new_entry.line())
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)
    tokens.refresh()
    assert tokens.scopes(old.encode()) is None
    assert tokens.scopes(new.encode()) == {"read"}


def test_a_call_looks_at_the_file_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, entry = new_token(["read"], "app")
    path = _write(tmp_path / "tokens", entry.line())
    tokens = Tokens(path)
    now = [tokens._next_look - 0.001]
    monkeypatch.setattr("serving.access.tokens.time.monotonic", lambda: now[0])
    _write(path, HEADER)
    assert tokens.scopes(token.encode()) == {"read"}
    now[0] += 0.002
    assert tokens.scopes(token.encode()) is None


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        answer = CliRunner().invoke(app, ["tokens", *arguments])
        assert answer.exit_code == code, answer.output
        return answer.output

    assert "EIDERDOWN_TOKENS_FILE" in run("list", code=1)
    path = tmp_path / "secrets" / "tokens"
    monkeypatch.setenv("EIDERDOWN_TOKENS_FILE", str(path))
    first = run("new", "--scope", "predict", "--scope", "read", "--name", "app").strip()
    second = run("new", "--scope", "admin", "--name", "ops").strip()
    assert path.stat().st_mode & 0o777 == 0o600
    tokens = Tokens(path)
    assert tokens.scopes(first.encode()) == {"predict", "read"}
    assert tokens.scopes(second.encode()) == {"admin"}
    assert first not in path.read_text()
    assert [entry["name"] for entry in json.loads(run("list", "--json"))] == ["app", "ops"]
    assert "unknown scope" in run("new", "--scope", "write", "--name", "x", code=1)
    assert "no such token" in run("revoke", "nobody", code=1)
    run("revoke", "app")
    run("revoke", "ops")
    # Nobody may call now; a file without entries is not one that is torn.
    tokens.refresh()
    assert tokens.problem is None
    assert tokens.scopes(first.encode()) is tokens.scopes(second.encode()) is None
