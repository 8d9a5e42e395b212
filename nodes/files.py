"""Save and Load Erasure: an erasure as a file that also is a LoRA."""

from __future__ import annotations

import json

from comfy_api.latest import io, ui

from ..erasepro_core import Report
from ..erasepro_core.files import PRECISIONS, pack, read
from .host import erasure_file, erasure_files, save_tensors
from .sockets import ALIASES, CATEGORY, Erasure, known


class SaveErasure(io.ComfyNode):
    """Writes an erasure into the output folder, as one safetensors file in LoRA format."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Save",
            display_name="Save Erasure",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Writes the erasure as a LoRA file, which Load Erasure and the LoRA loader of ComfyUI can "
            "read. Its metadata has the request, the measures and the checks.",
            inputs=[
                Erasure.Input("erasure", tooltip="From ErasePro Solve."),
                io.String.Input(
                    "filename_prefix",
                    default="erasepro/erasure",
                    tooltip="Folder and name in the output folder of ComfyUI. Load Erasure lists the files in "
                    "erasepro/, the LoRA loader of ComfyUI those in loras/.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="float16",
                    tooltip="float16: up to eight times smaller, with hardly more leak. float32: every bit is kept.",
                    **known(io.Combo.Input, advanced=True),
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, erasure: Report, filename_prefix: str, precision: str) -> io.NodeOutput:
        tensors, metadata = pack(erasure, precision)
        file, has_metadata = save_tensors(tensors, metadata, filename_prefix)
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        lines = [file, *(f"As a LoRA: {line}" for line in json.loads(metadata["erasepro.readers"]))]
        lines.append(f"{size / 1e6:.2f} MB, {precision}, digest {metadata['erasepro.digest']}")
        if not has_metadata:
            lines.append(
                "ComfyUI runs with --disable-metadata, so the file is only a LoRA. It erases through the LoRA loader "
                "of ComfyUI. The request, measures and checks are not in it, so Load Erasure and Require Erasure "
                "cannot use it."
            )
        return io.NodeOutput(ui=ui.PreviewText("\n".join(lines)))


class LoadErasure(io.ComfyNode):
    """Reads an erasure from a file, with all measures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ErasePro_Load",
            display_name="Load Erasure",
            category=CATEGORY,
            **known(io.Schema, search_aliases=ALIASES),
            description="Reads an erasure from a file in models/erasepro or output/erasepro. Connect it to Apply "
            "Erasure, Audit Erasure, Require Erasure or Erasure Report.",
            inputs=[
                io.Combo.Input(
                    "file", options=erasure_files(), tooltip="A file that Save Erasure wrote. Other files are refused."
                )
            ],
            outputs=[Erasure.Output("erasure", display_name="erasure")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        """Refuses the name of a missing file before anything runs; a name that comes by wire is checked later."""
        if file is None or file in erasure_files():
            return True
        return f"there is no erasure {file!r} in models/erasepro or output/erasepro. Choose another, or save one first."

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        """Changes with the file, so that a file that was saved again under its old name is read again."""
        stat = erasure_file(file).stat()
        return f"{stat.st_mtime_ns} {stat.st_size}"

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(read(erasure_file(file)))
