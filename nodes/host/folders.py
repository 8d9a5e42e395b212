"""Where the host finds erasures as files, and how it writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import comfy.utils
import folder_paths
from comfy.cli_args import args
from safetensors import SafetensorError
from torch import Tensor

FOLDER = "erasepro"
"""Name of the folder, in `models` and in the output folder."""


class SaveError(OSError):
    """An erasure that could not be written; nothing was saved."""


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
        SaveError: the file could not be written, as on a full disk; there is no file then, whole or in part.
        Exception: the host's own, for a prefix that leads out of the output folder; nothing was written.
    """
    try:
        output = folder_paths.get_output_directory()
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, output)
        file = f"{name}_{number:05}_.safetensors"
        kept = None if args.disable_metadata else dict(metadata)
        _write(Path(folder) / file, tensors, kept)
    except (OSError, SafetensorError) as error:
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        raise SaveError(
            f"the erasure could not be written as {prefix!r} into the output folder ({error}), so nothing was saved. "
            f"It takes {size / 1e6:.2f} MB. Make room on the disk, or make the folder writable, and run again."
        ) from error
    return str(Path(subfolder) / file), kept is not None


def _write(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None) -> None:
    """Writes a file under another name first: a process that ends in the middle leaves no half erasure in the list."""
    part = file.with_suffix(".part")
    try:
        comfy.utils.save_torch_file(dict(tensors), str(part), metadata=metadata)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
