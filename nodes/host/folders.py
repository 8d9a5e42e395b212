"""Where the host finds erasures as files, and how it writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import comfy.utils
import folder_paths
from comfy.cli_args import args
from torch import Tensor

FOLDER = "erasepro"
"""Name of the folder, in `models` and in the output folder."""


def register_folder() -> None:
    """Makes the host look for erasures in `models/erasepro`, and in `erasepro` of the output folder.

    Folders that extra_model_paths names for `erasepro` are registered already and stay.
    """
    for parent in (folder_paths.models_dir, folder_paths.get_output_directory()):
        folder_paths.add_model_folder_path(FOLDER, str(Path(parent) / FOLDER))
    # A folder kind that the host does not know starts with an empty set, which means every file.
    folder_paths.folder_names_and_paths[FOLDER][1].add(".safetensors")


def erasure_files() -> list[str]:
    """Names of all erasures in these folders."""
    return folder_paths.get_filename_list(FOLDER)


def erasure_file(name: str) -> Path:
    """The file of an erasure; raises FileNotFoundError if there is none of this name."""
    return Path(folder_paths.get_full_path_or_raise(FOLDER, name))


def save_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], prefix: str) -> tuple[str, bool]:
    """Writes a safetensors file into the output folder, under the next free number.

    Returns:
        Its name, with the folder inside the output folder, and whether it has the metadata: with `--disable-metadata`
        it has none.

    Raises:
        Exception: the host's own, for a prefix that leads out of the output folder; nothing was written.
    """
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    file = f"{name}_{number:05}_.safetensors"
    kept = None if args.disable_metadata else dict(metadata)
    comfy.utils.save_torch_file(dict(tensors), str(Path(folder) / file), metadata=kept)
    return str(Path(subfolder) / file), kept is not None
