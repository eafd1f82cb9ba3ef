"""Label tables: the shipped TotalSegmentator v2 table, and CSV files of users."""

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.label_table import Named, classes_by_name, classes_present, label_classes, label_groups
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_volume

TOTAL = "totalsegmentator_v2"
HEADING = "id,name,color,group\n"
ORGANS = "7,spleen,#102030,organ\n3,aorta,#FF0000,vessel\n"


def test_the_shipped_table_is_totalsegmentators_class_list():
    """Ids as in TotalSegmentator's map_to_binary.py, class map "total" of version 2."""
    classes = label_classes(TOTAL)
    assert [entry.id for entry in classes] == list(range(1, 118))
    known = {1: "spleen", 5: "liver", 20: "colon", 21: "urinary_bladder", 25: "sacrum", 26: "vertebrae_S1"}
    known |= {
        50: "vertebrae_C1",
        51: "heart",
        75: "femur_left",
        78: "hip_right",
        92: "rib_left_1",
        117: "costal_cartilages",
    }
    names = {entry.id: entry.name for entry in classes}
    assert known.items() <= names.items()
    assert len(set(names.values())) == 117
    assert len({entry.color for entry in classes}) == 117, "two classes cannot be told apart in an overlay"


def test_the_shipped_groups_fit_the_names():
    names = {entry.id: entry.name for entry in label_classes(TOTAL)}
    groups = label_groups(TOTAL)
    assert set(groups.values()) == {"bone", "lung", "vessel", "bowel", "muscle", "organ"}
    sides = {name: groups[number] for number, name in names.items()}
    for name, group in sides.items():
        assert sides.get(name.replace("left", "right"), group) == group
        if name.startswith(("rib_", "vertebrae_", "hip_", "femur_", "humerus_", "scapula_", "clavicula_")):
            assert group == "bone"
        if "artery" in name or "vena" in name or "vein" in name:
            assert group == "vessel"


def test_reads_a_users_table_in_its_order(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEADING + ORGANS, encoding="utf-8-sig")  # as spreadsheets save it
    assert label_classes(path) == (LabelClass(7, "spleen", (16, 32, 48)), LabelClass(3, "aorta", (255, 0, 0)))
    assert label_groups(str(path)) == {7: "organ", 3: "vessel"}


def test_names_only_what_a_map_holds_and_refuses_what_the_table_does_not_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEADING + ORGANS)
    labels = np.zeros((2, 3, 4), dtype=np.uint16)
    labels[1, 1, 1] = 3
    assert [entry.name for entry in classes_present(Volume(labels, np.eye(4)), path)] == ["aorta"]
    labels[0, 0, :2] = 9, 65535
    with pytest.raises(Sim2RealError, match="does not name: 9, 65535"):
        classes_present(Volume(labels, np.eye(4)), path)


def test_real_labels_lie_where_their_names_say(real_data):
    """The liver is on the patient's right, the spleen on the left; the sacrum lies below the first lumbar vertebra."""
    labels, _ = read_volume(real_data / "abdomen_pelvis" / "labels.nii.gz")
    ids = {entry.name: entry.id for entry in classes_present(labels, TOTAL)}

    def center(name: str) -> np.ndarray:
        kji = np.argwhere(labels.array == ids[name]).mean(axis=0)
        return (labels.ras_from_ijk @ [*kji[::-1], 1.0])[:3]

    assert center("liver")[0] > center("spleen")[0]
    assert center("hip_right")[0] > center("hip_left")[0]
    assert center("sacrum")[2] < center("vertebrae_L1")[2]


BAD_TABLES = {
    "first line must be id,name,color,group": "name,id,color,group\n",
    "lists no labels": HEADING,
    "line 2: it has 3 columns": HEADING + "1,a,#000000\n",
    "line 3: the id '0'": HEADING + "1,a,#000000,bone\n0,b,#000000,bone\n",
    "the id '65536'": HEADING + "65536,a,#000000,bone\n",
    "the id '1.5'": HEADING + "1.5,a,#000000,bone\n",
    "the name or the group is empty": HEADING + "1,,#000000,bone\n",
    "the color 'red'": HEADING + "1,a,red,bone\n",
    "the id 1 or the name 'b' is there twice": HEADING + "1,a,#000000,bone\n1,b,#000000,bone\n",
    "the name 'a' is there twice": HEADING + "1,a,#000000,bone\n2,a,#000000,bone\n",
    "not a CSV file in UTF-8": HEADING.encode() + b"1,\xff,#000000,bone\n",
}


@pytest.mark.parametrize("message", BAD_TABLES)
def test_refuses_a_bad_table(tmp_path, message):
    path = tmp_path / "bad.csv"
    content = BAD_TABLES[message]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Sim2RealError) as caught:
        label_classes(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_refuses_a_table_that_is_not_there(tmp_path):
    with pytest.raises(Sim2RealError, match="shipped are totalsegmentator_v2"):
        label_classes("totalsegmentator_v3")
    with pytest.raises(Sim2RealError, match="cannot be read"):
        label_classes(tmp_path / "none.csv")


def test_named_labels_take_the_ids_and_groups_of_their_names(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEADING + ORGANS + "1,drain,#ffffff,other\n")
    named = [
        Named("Spleen", (1, 1, 1)),
        Named("left femur", (2, 2, 2), "femur_left"),
        Named("great vessel", (3, 3, 3), "AORTA"),
        Named("drain", (4, 4, 4)),
    ]
    classes, groups = classes_by_name("case", named, path)
    assert [(entry.id, entry.name) for entry in classes] == [
        (7, "spleen"),
        (2, "left femur"),
        (3, "aorta"),
        (1, "drain"),
    ]
    assert (classes[0].color, classes[1].color) == ((16, 32, 48), (2, 2, 2))
    assert groups == {7: "organ", 3: "vessel"}
    with pytest.raises(Sim2RealError, match="case: 'Spleen' and 'my spleen' are both the class spleen"):
        classes_by_name("case", [*named, Named("my spleen", (5, 5, 5), "spleen")], path)
    with pytest.raises(Sim2RealError, match="case: a label has no name"):
        classes_by_name("case", [Named(" ", (5, 5, 5), "spleen")], path)
