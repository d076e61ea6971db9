"""Lines that are appended to files in pieces, read now and then: each complete line is handed out once, in its file's order."""

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.events import appended_lines
from serving.events.appended_lines import AppendedLines

STEPS = st.lists(
    st.one_of(
        st.just("read"),
        st.tuples(
            st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl"]),
            st.from_regex(r"[xy\r]{0,9}\n?[xy]{0,3}", fullmatch=True),
        ),
    ),
    max_size=30,
)


@given(steps=STEPS)
def test_each_complete_line_once(steps: list[str | tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        # Several reads for what was appended, none for less than a line.
        patch.setattr(appended_lines, "MOST_BYTES", 400)
        folder = Path(name) / "events"
        lines, found, written = AppendedLines(folder), [], dict.fromkeys(("a.jsonl", "b.jsonl", "c.jsonl"), b"")
        for number, step in enumerate([*steps, "read"]):
            if isinstance(step, str):
                found += list(lines.read())
                continue
            file, text = step
            # Each line is another one, and says whose it is.
            content = text.replace("\n", f"{file}{number}\n", 1).encode()
            folder.mkdir(exist_ok=True)
            with (folder / file).open("ab") as opened:
                opened.write(content)
            written[file] += content
        complete = {file: [line for line in content.split(b"\n")[:-1] if line] for file, content in written.items()}
        assert sorted(found) == sorted(line for one in complete.values() for line in one)
        for expected in complete.values():
            assert [line for line in found if line in expected] == expected
        assert lines.problem is None


def test_a_line_past_all_bounds_is_handed_out_in_pieces_and_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appended_lines, "MOST_BYTES", 10)
    path, lines = tmp_path / "a.jsonl", AppendedLines(tmp_path)
    path.write_bytes(b"x" * 25)
    assert list(lines.read()) == [b"x" * 10] * 2
    with path.open("ab") as file:
        file.write(b"\nnext\n")
    assert list(lines.read()) == [b"x" * 5, b"next"]


def test_what_cannot_be_read_keeps_nothing_else_back(tmp_path: Path) -> None:
    lines = AppendedLines(tmp_path)
    (tmp_path / "a.jsonl").mkdir()
    (tmp_path / "b.jsonl").write_bytes(b"one\n")
    (tmp_path / ".c.jsonl").write_bytes(b"aside\n")
    assert list(lines.read()) == [b"one"]
    assert lines.problem == f"{tmp_path / 'a.jsonl'}: Is a directory"
    (tmp_path / "a.jsonl").rmdir()
    assert list(lines.read()) == []
    assert lines.problem is None


def test_a_file_of_old_days_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old.jsonl", "new.jsonl"):
        (tmp_path / name).write_bytes(b"one\n")
    week_ago = time.time() - 7 * 86_400
    os.utime(tmp_path / "old.jsonl", (week_ago, week_ago))
    os.utime(tmp_path, (week_ago, week_ago))
    lines = AppendedLines(tmp_path)
    assert list(lines.read()) == [b"one", b"one"]
    looked_at = []
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path: looked_at.append(path.name) or real(path))
    assert list(lines.read()) == []
    assert looked_at == [tmp_path.name, "new.jsonl"]
