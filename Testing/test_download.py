"""Downloads: the bytes that a server has, or an error in words and no file."""

import hashlib

import numpy as np
import pytest

from local_server import LocalServer
from Sim2RealLib.download import download
from Sim2RealLib.errors import Sim2RealError

CONTENT = np.random.default_rng(3).bytes(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with LocalServer({"file": CONTENT}) as server:
        yield server


def test_a_file_arrives_once(server, tmp_path):
    path = tmp_path / "new" / "file.bin"
    steps = list(download(server.url("file"), path, SHA256))
    assert path.read_bytes() == CONTENT
    assert [step.doing for step in steps][::3] == ["file.bin, 0.1 of 0.2 MB", "file.bin, 0.2 of 0.2 MB"]
    assert list(download(server.url("file"), path, SHA256)) == []
    assert server.requests == ["file"]
    path.write_bytes(CONTENT[:1000])  # the rest of a download that another program left
    list(download(server.url("file"), path, SHA256))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [("other", SHA256, "Not Found.* try again"), ("file", "0" * 64, "another file than expected")],
)
def test_what_fails_says_so_and_leaves_nothing(server, tmp_path, name, sha256, message):
    with pytest.raises(Sim2RealError, match=message):
        list(download(server.url(name), tmp_path / "file.bin", sha256))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_named(server, tmp_path):
    with pytest.raises(Sim2RealError, match=r"file.bin could not be downloaded from 127.0.0.1:9: .*refused"):
        list(download("http://127.0.0.1:9/file", tmp_path / "file.bin", SHA256))


def test_a_download_that_is_stopped_leaves_nothing(server, tmp_path):
    steps = download(server.url("file"), tmp_path / "file.bin", SHA256)
    next(steps)
    assert list(tmp_path.iterdir()) != []
    steps.close()
    assert list(tmp_path.iterdir()) == []
