"""Weights of a network as a file: half-precision safetensors that say which task they are for and how to use them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..errors import Sim2RealError

METADATA = "sim2real"
"""The entry of the file's metadata that says what the weights are for."""


class Weights(NamedTuple):
    """tensors: float32 by the name of the parameter. settings: what the task needs to build and to use the network."""

    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any]


def weights_as_bytes(network: torch.nn.Module, task: str, settings: Mapping[str, Any]) -> bytes:
    """A network's parameters and buffers as a file's content."""
    tensors = {name: _halved(value) for name, value in network.state_dict().items()}
    told = {"task": task, "settings": dict(settings)}
    return save(tensors, {METADATA: json.dumps(told, sort_keys=True)})  # of several entries the order is not fixed


def read_weights(path: Path, task: str) -> Weights:
    """The weights in a file; Sim2RealError if it holds none, or those of another task."""
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise Sim2RealError(f"{path} holds no weights that can be read ({error}).") from error
    if not isinstance(told, dict) or told.keys() != {"task", "settings"} or not isinstance(told["settings"], dict):
        raise Sim2RealError(f"{path} does not say what its weights are for. Use a file that 'sim2real train' wrote.")
    if told["task"] != task:
        raise Sim2RealError(f"{path} holds weights for {told['task']}, not for {task}.")
    return Weights(
        {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()},
        told["settings"],
    )


def load_weights(network: torch.nn.Module, weights: Weights, path: Path) -> torch.nn.Module:
    """The network with these weights, ready to use; Sim2RealError if they are another network's."""
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise Sim2RealError(
            f"{path} holds the weights of another network: {str(error).splitlines()[-1].strip()}"
        ) from error
    return network.eval().requires_grad_(False)


def _halved(value: torch.Tensor) -> torch.Tensor:
    return (value.half() if value.is_floating_point() else value).contiguous().cpu()
