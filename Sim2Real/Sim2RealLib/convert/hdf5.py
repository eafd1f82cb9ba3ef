"""HDF5: ``dataset.h5`` with each channel stacked, frame axis first, one frame a chunk.

``channels/<name>`` (N, H, W) or (N, pages, H, W) with attributes unit, description, scale and, where there is one,
invalid; ``index`` (N,) the frames' numbers; ``record`` (N,) their JSON; ``dataset_json`` and ``recipe_yaml`` the texts.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py

from ..dataset.layout import DATASET_JSON, RECIPE_YAML
from ..dataset.reader import Dataset, read_contained
from ..dataset.schema import to_json
from ..errors import Sim2RealError
from ..simulation import Channel


def write_hdf5(dataset: Dataset, out: Path) -> Iterator[int]:
    """Sim2RealError if the images of a channel differ in shape from frame to frame."""
    count = len(dataset)
    with h5py.File(out / "dataset.h5", "w") as file:
        for name, text in (("dataset_json", DATASET_JSON), ("recipe_yaml", RECIPE_YAML)):
            file[name] = read_contained(dataset.folder, text).decode()
        file["index"] = dataset.indices
        records = file.create_dataset("record", count, dtype=h5py.string_dtype())
        first = dataset.frame(dataset.indices[0])
        stacks = {
            name: _stack(file, name, channel, (count, *first.parsed.files[name].shape))
            for name, channel in dataset.header.channels.items()
        }
        for place, index in enumerate(dataset.indices):
            frame = dataset.frame(index)
            records[place] = to_json(frame.record).decode()
            for name, stack in stacks.items():
                image = frame.channel(name)
                if image.shape != stack.shape[1:]:
                    raise Sim2RealError(
                        f"{dataset.folder}: {frame.relative_path(name)} is {image.shape}, the first frame's is "
                        f"{stack.shape[1:]}; HDF5 stacks images of one shape."
                    )
                stack[place] = image
            yield place + 1


def _stack(file: h5py.File, name: str, channel: Channel, shape: tuple[int, ...]) -> h5py.Dataset:
    packing = {"chunks": (1, *shape[1:]), "compression": "gzip", "compression_opts": 1, "shuffle": True}
    stack = file.create_dataset(f"channels/{name}", shape, channel.dtype, **packing)
    stack.attrs.update(unit=channel.unit, description=channel.description, scale=channel.scale)
    if channel.invalid is not None:
        stack.attrs["invalid"] = channel.invalid
    return stack
