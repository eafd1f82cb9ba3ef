"""The list of models: valid as shipped, and refused when it promises what it cannot."""

import json

import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.models import list_models
from Sim2RealLib.resources import resource_path

CARD = {
    "id": "landmarks-small",
    "title": "Pelvic landmarks",
    "task": "landmarks",
    "licence": "Apache-2.0",
    "file": "Models/landmarks_small.safetensors",
    "sha256": "0" * 64,
    "size_bytes": 1000,
    "preprocessing": {"channel": "intensity"},
    "trained_on": "generated pelves",
    "metrics": [{"name": "median error", "value": 5.1, "unit": "mm", "measured_on": "50 generated views"}],
    "limits": "not for real radiographs",
}


def catalogue(tmp_path, *cards):
    path = tmp_path / "Models.json"
    path.write_text(json.dumps({"schema_version": 1, "models": cards}))
    return path


def test_the_shipped_list_is_valid_and_its_files_are_there():
    for card in list_models():
        assert resource_path(card.file).stat().st_size == card.size_bytes


def test_a_card_is_read_whole(tmp_path):
    (card,) = list_models(catalogue(tmp_path, CARD))
    assert card.metrics[0].value == 5.1
    assert card.limits == "not for real radiographs"


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "../../etc/passwd.safetensors"},
        {"file": "/models/a.safetensors"},
        {"file": "Models/a.pth"},
        {"size_bytes": 13 * 2**20},
        {"sha256": "abc"},
        {"accuracy": "high"},
    ],
)
def test_a_wrong_card_is_refused(tmp_path, wrong):
    with pytest.raises(Sim2RealError, match="not a list of models"):
        list_models(catalogue(tmp_path, {**CARD, **wrong}))


def test_two_models_of_one_name_are_refused(tmp_path):
    with pytest.raises(Sim2RealError, match="same id"):
        list_models(catalogue(tmp_path, CARD, CARD))


def test_a_missing_or_damaged_list_is_a_clear_error(tmp_path):
    with pytest.raises(Sim2RealError, match="not a list"):
        list_models(tmp_path / "none.json")
    (tmp_path / "Models.json").write_text("{")
    with pytest.raises(Sim2RealError, match="not a list"):
        list_models(tmp_path / "Models.json")
