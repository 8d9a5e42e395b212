"""The nodes: each reads its widgets, calls the core once and returns the result."""

from comfy_api.latest import ComfyExtension, io

from .apply import ApplyErasure
from .audit import AuditErasure
from .compare import CompareErasure
from .define import DefineConcepts
from .files import LoadErasure, SaveErasure
from .guard import RequireErasure
from .host import register_folder
from .names import FindNames
from .report import ErasureReport
from .routes import add_routes
from .solve import Solve


class ErasePro(ComfyExtension):
    """The extension that the host registers."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        register_folder()
        add_routes()  # here and not in `on_load`, which ComfyUI 0.3.75 does not call
        return [
            DefineConcepts,
            FindNames,
            Solve,
            ApplyErasure,
            SaveErasure,
            LoadErasure,
            ErasureReport,
            AuditErasure,
            RequireErasure,
            CompareErasure,
        ]
