"""Digests of data depend on contents, not on places."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from straylight.core.errors import InputError
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from straylight.study.run import digests
from straylight.study.run.cells import make_cells
from straylight.study.run.digests import DataDigests, check_data_unchanged, locate_data
from studies import make_world


def test_an_identity_is_of_contents_not_of_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    world = make_world(tmp_path / "one")
    shutil.copytree(world, tmp_path / "two")

    def ids(folder: Path, cache: dict[str, str] | None = None, **variables: str) -> list[str]:
        grid = Grid(TomlDocument(folder / "tiny.toml", variables))
        return [
            cell.id
            for cell in make_cells(grid, DataDigests({} if cache is None else cache).compute)
        ]

    cache: dict[str, str] = {}
    first = ids(world, cache)
    assert len(cache) == 3
    assert ids(world, cache) == first
    assert ids(world, root=str(tmp_path / "two")) == first
    photo = next((tmp_path / "two" / "photos").iterdir())
    photo.write_bytes(photo.read_bytes() + b"\0")
    changed = ids(world, root=str(tmp_path / "two"))
    assert changed[0] == first[0]
    assert not set(changed[1:]) & set(first[1:])
    (world / "medical/train/dark/0.png").rename(world / "medical/train/dark/9.png")
    assert not set(ids(world, cache)) & set(first)


def test_specs_of_every_kind_are_located(tmp_path: Path) -> None:
    for name in ("000.tar", "001.tar", "a.npz"):
        (tmp_path / name).write_bytes(name.encode())
    assert locate_data(f"imagenet:{tmp_path}") == ([tmp_path], "imagenet")
    assert locate_data(f"{tmp_path}/a.npz:test") == ([tmp_path / "a.npz"], "test")
    shards = f"{tmp_path}/{{000..001}}.tar"
    assert locate_data(shards) == ([tmp_path / "000.tar", tmp_path / "001.tar"], shards)
    assert locate_data("builtin:photos") == ([], "builtin:photos")
    with pytest.raises(InputError, match="does not exist"):
        locate_data("imagenet:nowhere")
    made = DataDigests({})
    assert made.compute(f"{tmp_path}/a.npz:test") != made.compute(f"{tmp_path}/a.npz:train")


def test_a_file_of_the_same_size_and_time_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    path, cache = tmp_path / "c.npz", dict[str, str]()
    path.write_bytes(b"one")
    then = path.stat()
    first = DataDigests(cache).compute(str(path))
    assert DataDigests(cache).compute(str(path)) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert DataDigests(cache).compute(str(path)) != first
    with pytest.raises(InputError, match="has changed since the study started"):
        check_data_unchanged([(str(path), None, first)])


def test_what_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    cache = dict[str, str]()
    (tmp_path / "c.npz").write_bytes(b"one")
    DataDigests(cache).compute(str(tmp_path / "c.npz"))
    assert cache == {}


def test_an_image_folder_of_the_hub_is_known_by_its_files(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "set" / "test" / label).mkdir(parents=True)
        (tmp_path / "set" / "test" / label / "0.png").write_text(label)
    spec = f"hf:{tmp_path}/set:test"
    first = DataDigests({}).compute(spec)
    (tmp_path / "set" / "test" / "a" / "0.png").rename(tmp_path / "set" / "test" / "b" / "1.png")
    assert DataDigests({}).compute(spec) != first
    assert locate_data(spec) == ([tmp_path / "set"], "hf:test")
    assert locate_data("hf:org/name:test") == ([], "hf:org/name:test")


def test_files_behind_links_to_folders_count(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "0.png").write_text("one")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(tmp_path / "real")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    first = DataDigests({}).compute(str(tmp_path / "set"))
    (tmp_path / "real" / "0.png").write_text("two")
    assert DataDigests({}).compute(str(tmp_path / "set")) != first


def test_a_model_of_the_users_own_is_known_by_its_source_and_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own_parts.py").write_text("SCALE = 1\n")
    Path("own_net_x.py").write_text(
        "import torch\nfrom own_parts import SCALE\n"
        "def make():\n    net = torch.nn.Linear(2, 2)\n"
        "    net.load_state_dict(torch.load('w.pth', weights_only=True))\n    return net\n"
    )
    Path("other.py").write_text("")
    torch.save(nn.Linear(2, 2).state_dict(), "w.pth")
    spec, made = "python:own_net_x:make", digests.MADE_BY + "python:own_net_x:make"
    assert [path.name for path in locate_data(spec)[0]] == ["own_net_x.py", "own_parts.py"]
    first, tensors = DataDigests({}).compute(spec), DataDigests({}).compute(made)
    assert DataDigests({}).compute(made) == tensors
    torch.save(nn.Linear(2, 2).state_dict(), "w.pth")
    assert DataDigests({}).compute(made) != tensors
    assert DataDigests({}).compute(spec) == first
    Path("own_parts.py").write_text("SCALE = 2\n")
    assert DataDigests({}).compute(spec) != first
