"""The only bridge to ComfyUI: prompts in, features and weights out, patches on. Nothing here writes into a weight."""

from .beside import Beside
from .folders import erasure_file, erasure_files, register_folder, save_tensors
from .live_path import HostPath, encoded_by
from .patches import ApplyError, with_erasure, without_patches
from .pictures import picture_or_reason
from .progress import Meter
from .routes import add_post_route
from .sampling import SAMPLERS, SCHEDULERS, Sampling, conditioning, draw
from .tokens import PromptError, token_count
from .vocabulary import vocabulary_of
from .weights import WeightError, effective_weight, fingerprints

__all__ = [
    "SAMPLERS",
    "SCHEDULERS",
    "ApplyError",
    "Beside",
    "HostPath",
    "Meter",
    "PromptError",
    "Sampling",
    "WeightError",
    "add_post_route",
    "conditioning",
    "draw",
    "effective_weight",
    "encoded_by",
    "erasure_file",
    "erasure_files",
    "fingerprints",
    "picture_or_reason",
    "register_folder",
    "save_tensors",
    "token_count",
    "vocabulary_of",
    "with_erasure",
    "without_patches",
]
