"""Manifests: invalid rows are skipped with a reason, and nothing outside the folder is read."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from hybrid_search.core.errors import InvalidInput
from hybrid_search.ingest.manifests import (
    MAX_LINE,
    Row,
    Skipped,
    estimate_rows,
    read_assets,
    read_stream,
)

LIMIT = 1_000


def rows(path: Path) -> list[Row | Skipped]:
    return list(read_assets(path, LIMIT))


def jsonl(folder: Path, *lines: Any, head: bytes = b"") -> Path:
    path = folder / "assets.jsonl"
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(head + b"\n".join(encoded) + b"\n")
    return path


def good(item: Row | Skipped) -> Row:
    assert isinstance(item, Row), item
    return item


def bad(item: Row | Skipped) -> Skipped:
    assert isinstance(item, Skipped), item
    return item


def test_a_bad_row_does_not_stop_the_others(tmp_path: Path) -> None:
    lines = [{"id": "a", "title": "봄"}, b"{not json", {"title": "no id"}, b"", [1], {"id": "b"}]
    first, broken, nameless, listed, last = rows(jsonl(tmp_path, *lines))
    assert good(first).asset.title == "봄"
    assert good(first).picture is None
    assert bad(broken).id == "line 2"
    assert "JSON" in bad(broken).reason
    assert bad(nameless).id == "line 3"
    assert "id" in bad(nameless).reason
    assert bad(listed).id == "line 5"
    assert good(last).asset.id == "b"


def test_a_row_with_a_wrong_field_is_reported_under_its_id(tmp_path: Path) -> None:
    (skipped,) = rows(jsonl(tmp_path, {"id": "a", "title": "x" * 1_001}))
    assert bad(skipped).id == "a"
    assert "title" in bad(skipped).reason


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"id": "a"}, {"id": "b"}, head=b"\xef\xbb\xbf")
    assert [good(row).asset.id for row in rows(path)] == ["a", "b"]


@pytest.mark.parametrize("length", [MAX_LINE + 2, 2 * MAX_LINE + 2, 3 * MAX_LINE + 77])
def test_overlong_line_is_skipped_completely(tmp_path: Path, length: int) -> None:
    path = jsonl(tmp_path, {"id": "a"}, b'{"id": "' + b"x" * length + b'"}', {"id": "b"})
    first, long, last = rows(path)
    assert bad(long) == Skipped("line 2", "a line of more than 1,048,576 bytes, the limit")
    assert [good(first).asset.id, good(last).asset.id] == ["a", "b"]


def test_last_line_without_newline_is_read(tmp_path: Path) -> None:
    path = tmp_path / "assets.ndjson"
    path.write_bytes(b'{"id": "a"}\r\n{"id": "b"}')
    assert [good(row).asset.id for row in rows(path)] == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_csv_as_spreadsheets_save_it(tmp_path: Path, encoding: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "title", "body", "tags", "tags_ko", "price"])
    writer.writerow(["a", "무지개 세일", '"둘째",\n줄', "spring| sale", "봄", "9900"])
    writer.writerow(["b", "", "", "", "", ""])
    path = tmp_path / "assets.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    first, second = (good(row).asset for row in rows(path))
    assert (first.title, first.body) == ("무지개 세일", '"둘째",\n줄')
    assert first.tags == ("spring", "sale", "봄")
    assert first.attributes == {"price": "9900"}
    assert (second.id, second.title, second.tags, second.attributes) == ("b", "", (), {})


def test_csv_rows_of_other_lengths(tmp_path: Path) -> None:
    path = tmp_path / "assets.csv"
    path.write_text("id,title\na\nb,x,more\nc,y\n", encoding="utf-8")
    short, long, last = rows(path)
    assert good(short).asset.id == "a"
    assert "more cells" in bad(long).reason
    assert good(last).asset.title == "y"


def test_an_empty_manifest_has_no_rows(tmp_path: Path) -> None:
    for name in ("assets.csv", "assets.jsonl"):
        (tmp_path / name).write_bytes(b"")
        assert rows(tmp_path / name) == []


def test_parquet_with_pictures_inside(tmp_path: Path) -> None:
    path = tmp_path / "assets.parquet"
    table = pa.table(
        {
            "id": ["a", "b", "c", None],
            "title": ["하나", None, "셋", "넷"],
            "tags": [["봄"], [], None, None],
            "price": [9900, None, 3, 4],
            "image": [{"bytes": b"one"}, {"bytes": b"two"}, None, None],
        }
    )
    parquet.write_table(table, path)
    first, second, third, nameless = rows(path)
    picture = good(first).picture
    assert picture is not None
    assert picture() == b"one"
    other = good(second).picture
    assert other is not None
    assert other() == b"two"
    assert good(first).asset.tags == ("봄",)
    assert good(first).asset.attributes == {"price": 9900}
    assert good(second).asset.attributes == {}
    assert good(third).picture is None
    assert bad(nameless).id == "row 4"


def test_parquet_with_plain_bytes_and_with_paths(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"from a file")
    path = tmp_path / "plain.parquet"
    parquet.write_table(pa.table({"id": ["a"], "image": [b"inside"]}), path)
    named = tmp_path / "named.parquet"
    parquet.write_table(pa.table({"id": ["a"], "image": ["x.png"]}), named)
    for manifest, data in ((path, b"inside"), (named, b"from a file")):
        picture = good(rows(manifest)[0]).picture
        assert picture is not None
        assert picture() == data


def test_a_damaged_parquet_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "assets.parquet"
    path.write_bytes(b"PAR1 and then nothing of the kind")
    (skipped,) = rows(path)
    assert "Parquet" in bad(skipped).reason


def test_a_folder_gives_its_files_and_names_the_hidden(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    names = ["b.png", "a.png", "sub/c.png", ".hidden.png", ".git/d.png"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    decomposed = "\u1107\u1169\u11b7.png"
    (tmp_path / decomposed).write_bytes(b"spring")
    found = rows(tmp_path)
    seen = {row.asset.id: row.picture() for row in found if isinstance(row, Row) and row.picture}
    assert seen == {
        "a.png": b"a.png",
        "b.png": b"b.png",
        "sub/c.png": b"sub/c.png",
        "봄.png": b"spring",
    }
    assert list(seen)[:2] == ["a.png", "b.png"]
    skipped = {row.id: row.reason for row in found if isinstance(row, Skipped)}
    assert set(skipped) == {".hidden.png", ".git/d.png"}
    assert all("hidden" in reason for reason in skipped.values())


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "fits.png").write_bytes(b"x" * LIMIT)
    (tmp_path / "large.png").write_bytes(b"x" * (LIMIT + 1))
    fits, large = rows(tmp_path)
    assert good(fits).asset.id == "fits.png"
    assert bad(large) == Skipped("large.png", "image: 1,001 bytes, the limit is 1,000")


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("../secret.png", "is outside of"),
        ("sub/../../secret.png", "is outside of"),
        ("link.png", "is outside of"),
        ("linked/secret.png", "is outside of"),
        ("http://localhost/x.png", "never fetched"),
        ("file:///etc/passwd", "never fetched"),
        ("gone.png", "no file"),
        ("sub", "no file"),
        ("a\x00b.png", "is an invalid path"),
        ("x" * 5_000, "is an invalid path"),
        (7, "must be a path"),
        (["x.png"], "must be a path"),
        ({"path": "x.png"}, "no file"),
        ({"bytes": 7}, "must be a path"),
    ],
)
def test_picture_outside_the_folder_is_rejected(tmp_path: Path, image: Any, reason: str) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "linked").symlink_to(tmp_path)
    skipped, last = rows(jsonl(folder, {"id": "a", "image": image}, {"id": "b"}))
    assert bad(skipped).id == "a"
    assert reason in bad(skipped).reason
    assert good(last).asset.id == "b"


def test_absolute_path_is_rejected_outside_and_accepted_inside(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    outside, inside = tmp_path / "secret.png", folder / "x.png"
    outside.write_bytes(b"secret")
    inside.write_bytes(b"mine")
    lines = [{"id": "a", "image": str(outside)}, {"id": "b", "image": str(inside)}]
    refused, taken = rows(jsonl(folder, *lines))
    assert "is outside of" in bad(refused).reason
    picture = good(taken).picture
    assert picture is not None
    assert picture() == b"mine"


def test_links_of_a_folder_are_not_followed_out(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    dangling, link = rows(folder)
    assert "no file" in bad(dangling).reason
    assert "is outside of" in bad(link).reason


def test_path_that_is_no_manifest_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "assets.xlsx").write_bytes(b"x")
    for name in ("assets.xlsx", "gone.jsonl"):
        with pytest.raises(InvalidInput, match=r"neither a folder nor a manifest .*\.parquet"):
            read_assets(tmp_path / name, LIMIT)


def test_row_count_is_estimated_if_cheap(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"id": "a"}, {"id": "b"})
    assert estimate_rows(path) == 2
    assert estimate_rows(tmp_path) == 1
    assert estimate_rows(tmp_path / "x.parquet") is None


def test_line_at_the_limit_is_accepted(tmp_path: Path) -> None:
    short, body = '{"id": "a", "title": "t", "body": ""}', MAX_LINE
    exact = short.replace('"body": ""', '"body": "%s"' % ("x" * (MAX_LINE - len(short))))
    assert len(exact) == body
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{exact}\n{exact} \n" + '{"id": "b", "title": "t"}\r\n')
    first, second, third = rows(path)
    # The body has its own limit, so this row is rejected for its body, not for its length.
    assert "body" in bad(first).reason
    assert f"{MAX_LINE:,} bytes" in bad(second).reason
    assert good(third).asset.id == "b"


def test_rows_of_a_stream_carry_their_pictures() -> None:
    lines = b'{"id": "a", "image": "AAEC"}\n{"id": "b", "image": "../x"}\n{'
    first, second, third = read_stream(io.BytesIO(lines), 1000)
    picture = good(first).picture
    assert picture is not None
    assert picture() == b"\x00\x01\x02"
    assert "base64" in bad(second).reason
    assert bad(third).id == "line 3"
