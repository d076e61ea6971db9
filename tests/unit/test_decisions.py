"""Decisions as events: what is written is read again; what is torn or no decision is passed over."""

from pathlib import Path

import pytest

from ml.promotion.decision import Decision, decisions_folder, read_decisions, record


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


def test_what_is_recorded_is_read_once_and_in_the_order_of_time(home: Path) -> None:
    assert read_decisions() == []
    first = Decision.new("promote", "churn", 2, alias="champion", previous=1, reason="promoted by hand: ä \u2028 \n")
    second = Decision.new("describe", "churn", 2, description="two", tags=["a"])
    imported = Decision.new(
        "import", "churn", 3, alias="champion", reason="brought over", origin="dev:churn@1", model_record={"version": 3}
    )
    for decision in (imported, second, first):
        path = record(decision)
    (home / "events" / "decisions" / "copy.jsonl").write_bytes(path.read_bytes())
    assert read_decisions() == [first, second, imported]
    assert all(len(path.read_bytes().splitlines()) == 1 for path in decisions_folder(home).iterdir())


def test_what_is_no_decision_is_passed_over(home: Path) -> None:
    decision = Decision.new("promote", "churn", 2, alias="champion", reason="promoted by hand")
    whole = record(decision).read_text()
    lines = [
        whole[: len(whole) // 2],
        "[]",
        "null",
        whole.replace('"promote"', '"demote"'),
        whole.replace('"champion"', "null"),
        whole.replace('"version": 2', '"version": "2"'),
        whole.replace('"churn"', "null"),
        whole.replace(f'"{decision.decided_at:%Y-}', '"x'),
        whole.replace('"model"', '"mode"'),
    ]
    folder = decisions_folder(home)
    for number, line in enumerate(lines):
        assert line != whole
        (folder / f"{number}.jsonl").write_text(f"{line}\n".replace(decision.event_id, f"{number}"))
    (folder / ".aside-1.jsonl").write_text(whole.replace(decision.event_id, "aside"))
    (folder / "bytes.jsonl").write_bytes(b"\xff\xfe\n")
    assert read_decisions() == [decision]
