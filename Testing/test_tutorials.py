"""The examples for Slicer's Python console in the tutorials run as they stand, and are short."""

import re
import zipfile
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "Docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = {
    f"{page.stem}-{number}": code
    for page in sorted(DOCS.glob("*Tutorial.md"))
    for number, code in enumerate(BLOCK.findall(page.read_text("utf-8")))
}


def test_there_are_examples_of_every_module():
    assert {name.partition("-")[0] for name in EXAMPLES} == {"DRRSimTutorial", "DepthSimTutorial", "TranslateTutorial"}


def save_case(scene):
    """The scene file that an example reads: a CT and landmarks of those names."""
    from DRRSimLib.logic import XrayLogic

    ct, _segmentation, landmarks = XrayLogic(scene).make_sample_pelvis(spacing_mm=4.0)
    ct.SetName("CT")
    landmarks.SetName("Landmarks")
    import slicer

    assert slicer.util.saveScene("case.mrb")
    with zipfile.ZipFile("case.mrb") as bundle:
        bundle.extractall()
    (folder,) = (path.parent for path in Path().rglob("*.mrml"))
    for path in folder.iterdir():
        path.rename(path.name)
    next(Path().glob("*.mrml")).rename("case.mrml")
    scene.Clear(0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(slicer_scene, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code = EXAMPLES[name]
    if "case.mrml" in code:
        save_case(slicer_scene)
    statements = [line for line in code.splitlines() if line and not line.startswith(("import ", "from "))]
    assert len(statements) <= 10
    exec(compile(code, name, "exec"), {"__name__": "__main__"})
    for folder in re.findall(r'export_dataset\(recipe, "(\w+)"\)', code):
        from Sim2RealLib.dataset.checks import check_dataset

        assert list(check_dataset(Path(folder))) == []
        assert len(list((tmp_path / folder / "frames" / "000").glob("*.json"))) >= 3
