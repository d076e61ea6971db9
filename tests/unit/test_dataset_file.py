"""A dataset version as one file: what is written is read again, and nothing else is."""

import json
from pathlib import Path

import duckdb
import pytest

from ml.datasets.file import read_dataset_file, write_dataset_file
from ml.errors import ArtifactError, DeclarationError
from tests.recorded import record, view

CARRIED = {
    "id": "bigint",
    "name": "varchar",
    "is_new": "boolean",
    "tiny": "tinyint",
    "big": "ubigint",
    "ratio": "double",
    "short": "float",
    "price": "decimal(38,9)",
    "day": "date",
    "local": "timestamp",
    "seen_at": "timestamptz",
}
VALUES = """from (values
    (9223372036854775807, 'é "quoted" '' \U0001f600', true, -128, 18446744073709551615, 'nan'::double, 'inf'::float,
        12345678901234567890123456789.123456789, '0001-01-01', '2026-02-28 23:59:59.999999', '2026-03-29 01:59:59.999999Z'),
    (-9007199254740993, '', false, 127, 0, -0.0, 1e-45, -0.000000001, '9999-12-31', '1970-01-01', '1969-12-31 23:59:59Z'),
    (0, null, null, null, null, null, null, null, null, null, null)
) t(id, name, is_new, tiny, big, ratio, short, price, day, local, seen_at)"""


def test_an_exported_file_gives_the_version_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = record(
        tmp_path, 1, CARRIED, VALUES, views=[view("it's", 3)], sql="select 'it''s', 'sha256:" + "0" * 64 + "'"
    )
    file = tmp_path / "shared" / "it's.parquet"
    with pytest.raises(DeclarationError, match="no such folder"):
        write_dataset_file(version, file)
    file.parent.mkdir()
    write_dataset_file(version, file)
    rows = version.to_arrow()
    version.path.unlink()
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path / "another machine"))
    read = read_dataset_file(file)
    recorded = ("dataset", "version", "fingerprint", "row_count", "definition", "column_hashes", "created_at")
    assert [getattr(read, name) for name in recorded] == [getattr(version, name) for name in recorded]
    assert repr(read.to_arrow().to_pylist()) == repr(rows.to_pylist())
    assert read.to_arrow().schema == rows.schema
    assert read.to_arrow(["price"]).column_names == ["price"]
    assert len(read.relation().filter("id > 0").fetchall()) == 1
    assert str(read.to_pandas()["price"].iloc[2]) == "12345678901234567890123456789.123456789"
    with duckdb.connect() as session:
        metadata = dict(
            session.execute("select decode(key), decode(value) from parquet_kv_metadata(?)", [str(file)]).fetchall()
        )
    assert json.loads(metadata["eiderdown"])["definition"]["views"][0]["version"] == 3


def test_an_export_replaces_nothing_unasked(tmp_path: Path) -> None:
    version = record(tmp_path, 1, {"id": "integer"}, "select 1 as id")
    file = tmp_path / "shared.parquet"
    file.write_text("mine")
    with pytest.raises(DeclarationError, match=r"is there already\. .* --force"):
        write_dataset_file(version, file)
    assert file.read_text() == "mine"
    write_dataset_file(version, file, overwrite=True)
    assert read_dataset_file(file).to_arrow().to_pylist() == [{"id": 1}]
    with pytest.raises(DeclarationError, match=r"name the file shared\.parquet"):
        write_dataset_file(version, tmp_path / "shared.xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.parquet", "shared.parquet"]


def test_any_altered_byte_of_an_exported_file_is_found(tmp_path: Path) -> None:
    version = record(
        tmp_path, 1, {"id": "integer", "x": "varchar"}, "select range as id, range || 'x' as x from range(50)"
    )
    file = tmp_path / "shared.parquet"
    write_dataset_file(version, file)
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ArtifactError):
            read_dataset_file(file)
    for content in (whole[:-1], whole[: len(whole) // 2], b"", b"PAR1", version.path.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match="is no whole file"):
            read_dataset_file(file)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_dataset_file(tmp_path / "absent.parquet")
