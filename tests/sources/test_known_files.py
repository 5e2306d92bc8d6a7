"""Notes on files in Poetry's cache, and what the cache holds without a note."""

from __future__ import annotations

import hashlib
import json

from typing import TYPE_CHECKING

import pytest

from poetry_lambda_plugin.sources.known_files import CheckedFile
from poetry_lambda_plugin.sources.known_files import KnownFiles
from poetry_lambda_plugin.sources.known_files import cached_artifacts
from poetry_lambda_plugin.sources.known_files import digest
from poetry_lambda_plugin.sources.known_files import has_hash
from tests.support.sources import write_tree


if TYPE_CHECKING:
    from pathlib import Path


DATA = "some bytes"
HASH = f"sha256:{hashlib.sha256(DATA.encode()).hexdigest()}"


@pytest.fixture
def known(tmp_path: Path) -> KnownFiles:
    """The notes of an index, with one file in Poetry's cache."""
    write_tree(tmp_path, {"artifacts/a.whl": DATA})
    return KnownFiles(tmp_path / "index", tmp_path / "artifacts")


@pytest.mark.parametrize("verified", [True, False])
def test_what_is_remembered_is_found(known: KnownFiles, verified: bool) -> None:
    """With its hash, and whether its members were looked at."""
    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=verified))

    found = known.find(HASH)

    assert found is not None
    assert (found.path, found.hash, found.verified) == (known.artifacts / "a.whl", HASH, verified)


def test_nothing_is_found_without_a_note(known: KnownFiles) -> None:
    """Even if the file is there."""
    assert known.find(HASH) is None


def test_file_with_other_bytes_is_not_found(known: KnownFiles) -> None:
    """A note is believed of the members only, never of the bytes."""
    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=True))
    (known.artifacts / "a.whl").write_text("other bytes")

    assert known.find(HASH) is None


def test_note_survives_a_cache_that_moves(known: KnownFiles, tmp_path: Path) -> None:
    """Paths in the cache are relative to it."""
    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=True))
    known.artifacts.rename(tmp_path / "moved")

    assert KnownFiles(known.folder, tmp_path / "moved").find(HASH) is not None


def test_file_outside_the_cache_keeps_its_path(known: KnownFiles, tmp_path: Path) -> None:
    """A file dependency lies where the user has put it."""
    write_tree(tmp_path, {"b.whl": DATA})
    known.remember("7", CheckedFile(tmp_path / "b.whl", HASH, verified=True))

    found = known.find("7")

    assert found is not None
    assert found.path == tmp_path / "b.whl"


@pytest.mark.parametrize(
    "note",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no-json"),
        pytest.param("[]", id="no-object"),
        pytest.param("{}", id="nothing-in-it"),
        pytest.param('{"path": 1, "hash": 2, "verified": 3}', id="wrong-types"),
        pytest.param('{"path": "a.whl", "hash": "crc32:0", "verified": true}', id="weak-hash"),
        pytest.param('{"path": "gone.whl", "hash": "sha256:0", "verified": true}', id="no-file"),
    ],
)
def test_broken_note_is_as_good_as_none(known: KnownFiles, note: str) -> None:
    """It only costs the question."""
    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=True))
    (file,) = (path for path in known.folder.rglob("*") if path.is_file())
    file.write_text(note)

    assert known.find(HASH) is None


def test_only_true_counts_as_verified(known: KnownFiles) -> None:
    """A value that merely looks so makes nobody trust a wheel."""
    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=True))
    (file,) = (path for path in known.folder.rglob("*") if path.is_file())
    file.write_text(json.dumps({"path": "a.whl", "hash": HASH, "verified": "yes"}))

    found = known.find(HASH)

    assert found is not None
    assert found.verified is False


def test_note_that_cannot_be_written_is_no_error(known: KnownFiles) -> None:
    """It costs time, nothing else; and no part of it is left."""
    known.folder.write_text("a file where the folder should be")

    known.remember(HASH, CheckedFile(known.artifacts / "a.whl", HASH, verified=True))

    assert known.folder.read_text() == "a file where the folder should be"


def test_artifacts_are_those_where_poetry_keeps_them(tmp_path: Path) -> None:
    """Four folders down, by name; what lies elsewhere is none."""
    kept = ["ab/cd/ef/rest/a.whl", "aa/cd/ef/rest/a.whl", "ab/cd/ef/rest/b.whl"]
    write_tree(tmp_path, dict.fromkeys([*kept, "a.whl", "ab/cd/a.whl", "ab/cd/ef/rest/deep/a.whl"], ""))

    assert cached_artifacts(tmp_path) == {
        "a.whl": [tmp_path / "aa/cd/ef/rest/a.whl", tmp_path / "ab/cd/ef/rest/a.whl"],
        "b.whl": [tmp_path / "ab/cd/ef/rest/b.whl"],
    }


def test_cache_that_is_not_there_has_no_artifacts(tmp_path: Path) -> None:
    """Nor is that an error."""
    assert cached_artifacts(tmp_path / "gone") == {}


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "blake2b", "md5"])
def test_digest_is_in_the_algorithm_of_the_other(tmp_path: Path, algorithm: str) -> None:
    """As `algorithm:hex`, so that the two can be compared."""
    write_tree(tmp_path, {"a": DATA})

    expected = hashlib.new(algorithm, DATA.encode()).hexdigest()
    assert digest(tmp_path / "a", f"{algorithm}:0") == f"{algorithm}:{expected}"


@pytest.mark.parametrize(
    ("name", "file_hash", "expected"),
    [
        pytest.param("a", HASH, True, id="right"),
        pytest.param("a", HASH[:-1] + "x", False, id="wrong"),
        pytest.param("a", "", False, id="no-hash"),
        pytest.param("a", "crc32:0", False, id="unknown-algorithm"),
        pytest.param("gone", HASH, False, id="no-file"),
    ],
)
def test_file_has_a_hash_only_where_both_are_known(
    tmp_path: Path, name: str, file_hash: str, expected: bool
) -> None:
    """What can't be compared is not equal."""
    write_tree(tmp_path, {"a": DATA})

    assert has_hash(tmp_path / name, file_hash) is expected
