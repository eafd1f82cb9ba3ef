"""A stranger's scene file does no harm: nothing is unpacked, read or run that should not be."""

import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mesh_io import read_mesh
from Sim2RealLib.volume_io import read_ct, read_mask, write_volume
from slicer_cases import MOVES, body, make_case, parents, save, save_unpacked, warp


@pytest.fixture
def nodes(slicer_scene) -> dict:
    return make_case(slicer_scene)


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where scenes are unpacked; it is left empty."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


SCENE = """<MRML version="Slicer 5.8.1">
<Volume id="vtkMRMLScalarVolumeNode1" name="CT" references="storage:vtkMRMLVolumeArchetypeStorageNode1;{more}" />
<VolumeArchetypeStorage id="vtkMRMLVolumeArchetypeStorageNode1" fileName="{file}" fileListMember0="{file}" {extra} />
{nodes}
</MRML>"""


HEADER = "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\nendian: little\ndata file: {}\n"
CIRCLE = """<LinearTransform id="a" references="transform:b;" /><LinearTransform id="b" references="transform:a;" />"""


def scene_text(file="Data/CT.nrrd", more="", extra="", nodes="") -> str:
    return SCENE.format(file=file, more=more, extra=extra, nodes=nodes)


def bundle(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def ct_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_volume(Path(folder) / "ct.nrrd", body()[0])
        return (Path(folder) / "ct.nrrd").read_bytes()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.flag_bits |= 1
    return info


def test_a_bundle_made_by_hand_is_read(slicer_scene, scratch, tmp_path):
    """That what follows is refused for what is wrong with it, not for how it is made here."""
    good = bundle(tmp_path / "case.mrb", ("case/case.mrml", scene_text()), ("case/Data/CT.nrrd", ct_bytes()))
    np.testing.assert_array_equal(read_ct(f"{good}#CT")[0].array, body()[0].array)


def test_hidden_nodes_and_those_of_scene_views_do_not_count(slicer_scene, tmp_path):
    copies = '<SceneView id="v"><Volume id="c" name="CT"/></SceneView><Volume id="h" name="CT" hideFromEditors="true"/>'
    (tmp_path / "ct.nrrd").write_bytes(ct_bytes())
    (tmp_path / "case.mrml").write_text(scene_text("ct.nrrd", nodes=copies))
    assert read_ct(tmp_path / "case.mrml#CT")[0].array.max() == 700


def test_the_checksum_is_of_the_data_and_of_a_scene_only_where_it_holds_a_transform(slicer_scene, tmp_path):
    (tmp_path / "ct.nrrd").write_bytes(ct_bytes())

    def sha256(text: str) -> str:
        (tmp_path / "case.mrml").write_text(text)
        return read_ct(tmp_path / "case.mrml#CT")[1]["sha256"]

    plain = scene_text("ct.nrrd")
    assert sha256(plain) == sha256(plain.replace("</MRML>", "<Camera/></MRML>"))
    assert sha256(plain) == hashlib.sha256((tmp_path / "ct.nrrd").read_bytes()).hexdigest()
    move = '<LinearTransform id="t" name="t" matrixTransformToParent="1 0 0 {} 0 1 0 0 0 0 1 0 0 0 0 1" />'
    moved = [scene_text("ct.nrrd", more="transform:t;", nodes=move.format(offset)) for offset in (0, 5)]
    assert len({sha256(plain), *map(sha256, moved)}) == 3
    assert read_ct(tmp_path / "case.mrml#CT")[0].ras_from_ijk[0, 3] == pytest.approx(body()[0].ras_from_ijk[0, 3] + 5)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ([("../evil", b"x")], "'../evil' leads outside"),
        ([("case/../../evil", b"x")], "leads outside"),
        ([("/tmp/evil", b"x")], "'/tmp/evil' leads outside"),
        ([("C:/evil", b"x")], "leads outside"),
        ([("..\\evil", b"x")], "leads outside"),
        ([(link("case/Data/link"), b"/etc/passwd")], "'case/Data/link' is a link"),
        ([("case/Data/CT.nrrd", b"x")], "'case/Data/CT.nrrd' is in it twice"),
        ([("case/other.mrml", b"<MRML/>")], "holds 2 scenes"),
    ],
)
def test_an_unsafe_bundle_is_refused_before_anything_is_unpacked(members, complaint, scratch, tmp_path):
    pytest.importorskip("slicer")
    whole = [("case/case.mrml", scene_text()), ("case/Data/CT.nrrd", b"x"), *members]
    before = sorted(tmp_path.rglob("*"))
    path = bundle(tmp_path / "case.mrb", *whole)
    with pytest.raises(Sim2RealError, match=complaint.replace("\\", "\\\\")):
        read_ct(f"{path}#CT")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_is(scratch, tmp_path, monkeypatch):
    from Sim2RealLib.mrml import scene_storage

    zeros = bundle(tmp_path / "case.mrb", ("c/case.mrml", scene_text()), ("c/Data/CT.nrrd", bytes(40 << 20)))
    assert zeros.stat().st_size < 1 << 20
    monkeypatch.setattr(scene_storage, "MAX_BUNDLE_BYTES", 32 << 20)
    with pytest.raises(Sim2RealError, match="would be 0 GB unpacked, more than the 0 GB allowed"):
        read_ct(f"{zeros}#CT")
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    usage = shutil.disk_usage(tmp_path)._replace(free=30 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(Sim2RealError, match=r"unpacking takes 0\.0 GB, 0\.0 GB are free"):
        read_ct(f"{zeros}#CT")
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    lying = zeros.read_bytes().replace((40 << 20).to_bytes(4, "little"), (1 << 20).to_bytes(4, "little"))
    zeros.write_bytes(lying)  # says 1 MiB, is 40
    with pytest.raises(Sim2RealError, match="damaged or no scene bundle"):
        read_ct(f"{zeros}#CT")


def test_what_is_no_bundle_or_no_scene_is_said_so(scratch, tmp_path):
    pytest.importorskip("slicer")
    path = tmp_path / "case.mrb"

    def refused(content: bytes | str, complaint: str) -> None:
        path.write_bytes(content) if isinstance(content, bytes) else bundle(path, ("c/case.mrml", content))
        with pytest.raises(Sim2RealError, match=complaint):
            read_ct(f"{path}#CT")

    good = bundle(path, ("c/case.mrml", scene_text()), ("c/Data/CT.nrrd", os.urandom(9000))).read_bytes()
    refused(b"not a zip", "damaged or no scene bundle")
    refused(good[: len(good) // 2], "damaged or no scene bundle")
    refused(good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"), "encrypted")
    refused("<html/>", "its XML is of <html>")
    refused("<MRML><Volume></MRML>", "no scene of Slicer's, or damaged: mismatched tag")
    refused('<!DOCTYPE MRML [<!ENTITY a "aaaaaaaa">]><MRML>&a;</MRML>', "declares a document type")
    refused(scene_text(), "the file Data/CT.nrrd is not in it")
    header = HEADER.format("/etc/passwd").encode()
    refused(
        bundle(path, ("c/case.mrml", scene_text()), ("c/Data/CT.nrrd", header)).read_bytes(), "only one file in the"
    )
    refused("<MRML/>", "case.mrb has no volume 'CT'; it has none")
    path.unlink()
    with pytest.raises(Sim2RealError, match=r"case.mrb does not exist"):
        read_ct(f"{path}#CT")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (scene_text("../secret.nrrd"), "refers to ../secret.nrrd, outside its folder"),
        (scene_text("Data/%2e%2e/../../secret.nrrd"), "outside its folder"),
        (scene_text("{secret}"), "outside its folder"),
        (scene_text("Data/link.nrrd"), "refers to Data/link.nrrd, outside its folder"),
        (scene_text("header.nrrd"), "header.nrrd: its voxels are in '../secret.raw'"),
        (scene_text("beside.nrrd"), "beside.nrrd holds no voxels itself"),
        (scene_text("https://example.org/ct.nrrd"), "refers to an address, https://example.org/ct.nrrd"),
        (scene_text("", extra='uri="https://example.org/ct.nrrd"'), "refers to an address"),
        (scene_text("Data/none.nrrd"), "the file Data/none.nrrd is missing"),
        (scene_text("Data/ct.exe"), "the format of Data/ct.exe is not read here"),
        (scene_text("Data/CT.nrrd", extra='fileListMember1="Data/b.nrrd"'), "a volume is in 2 files"),
        (scene_text("Data/junk.nrrd"), "the data of 'CT' cannot be read"),
        (scene_text(more="transform:vtkMRMLLinearTransformNode9;"), "the transform of 'CT' is missing"),
        (scene_text(more="transform:x;", nodes='<Odd id="x"/>'), "the transform of 'CT' is missing or of a kind"),
        (scene_text(more="transform:a;", nodes=CIRCLE), "the transforms above 'CT' go round in a circle"),
        ('<MRML><Volume id="a" name="CT"/></MRML>', "'CT' has no data in a file"),
    ],
)  # fmt: skip
def test_only_files_inside_the_scenes_folder_are_read(text, complaint, slicer_scene, scratch, tmp_path):
    folder = tmp_path / "case"
    (folder / "Data").mkdir(parents=True)
    secret = tmp_path / "secret.nrrd"
    for place in (secret, folder / "Data" / "CT.nrrd"):
        place.write_bytes(ct_bytes())
    (folder / "Data" / "link.nrrd").symlink_to(secret)
    (folder / "Data" / "junk.nrrd").write_bytes(b"NRRD0004\njunk")
    (folder / "Data" / "ct.exe").touch()
    (folder / "header.nrrd").write_text(HEADER.format("../secret.raw"))
    (folder / "beside.nrrd").write_text(HEADER.format("beside.raw"))
    (folder / "beside.raw").write_bytes(bytes(16))
    (folder / "case.mrml").write_text(text.replace("{secret}", str(secret)))
    with pytest.raises(Sim2RealError, match=complaint):
        read_ct(f"{folder}/case.mrml#CT")


@pytest.mark.parametrize(
    ("file", "read", "node"),
    [("CT.nrrd", read_ct, "CT"), ("organs.seg.nrrd", read_mask, "organs"), ("cube.vtk", read_mesh, "cube")],
)
def test_data_cut_off_are_refused(nodes, file, read, node, tmp_path):
    scene = save_unpacked(tmp_path)
    (data,) = scene.parent.rglob(file)
    whole = data.read_bytes()
    for share in (0.0, 0.3, 0.95):
        data.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(
            Sim2RealError, match=rf"the data of '{node}' cannot be read: damaged or incomplete|holds no triangles"
        ):
            read(f"{scene}#{node}")


def test_a_transform_that_is_not_linear_is_refused(nodes, slicer_scene, scratch, tmp_path):
    nodes["CT"].SetAndObserveTransformNodeID(warp(slicer_scene).GetID())
    save(tmp_path / "case.mrb")
    with pytest.raises(Sim2RealError, match=r"case.mrb#CT lies under a transform that is not linear"):
        read_ct(f"{tmp_path}/case.mrb#CT")


def test_only_the_node_and_what_it_depends_on_reaches_slicer(nodes, slicer_scene, tmp_path):
    from Sim2RealLib.mrml.scene_index import MASK, Kind, parse_scene, scene_of

    script = slicer_scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "script")
    script.SetAttribute("ModuleName", "Evil")
    nodes["organs"].SetReferenceImageGeometryParameterFromVolumeNode(nodes["CT"])
    nodes["organs"].SetAndObserveTransformNodeID(parents(slicer_scene, MOVES["under a transform"]).GetID())
    scene = save_unpacked(tmp_path)
    index = parse_scene("case.mrml", scene.read_bytes())
    assert any(element.tag == "ScriptedModule" for element in index.elements)
    needed = index.needed(index.find("organs", MASK))
    assert sorted(entry.tag for entry in needed) == [
        "LinearTransform",
        "Segmentation",
        "SegmentationStorage",
        "TransformStorage",
    ]
    text, _ = scene_of(index, needed, {})
    assert "Evil" not in text and "CT" not in text
    with pytest.raises(Sim2RealError, match="no module 'script'"):
        index.find("script", Kind("module", ("Module",)))
