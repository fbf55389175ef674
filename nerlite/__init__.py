"""Named entity recognition on a CPU: `nerlite.load()` gives a tagger, a tagger gives documents with entities."""

from nerlite.config import ModelError
from nerlite.document import Document, Entity
from nerlite.frames import to_frame
from nerlite.pipeline import Tagger, load

__version__ = "0.1.0"
__all__ = ["Document", "Entity", "ModelError", "Tagger", "__version__", "load", "to_frame"]
