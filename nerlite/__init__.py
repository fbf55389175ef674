"""Named entity recognition on a CPU: `nerlite.load()` gives a tagger, a tagger gives documents with entities."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerlite.document import Document, Entity
    from nerlite.errors import ModelError
    from nerlite.frames import to_frame
    from nerlite.pipeline import Tagger, load

__version__ = "0.8.0"
__all__ = ["Document", "Entity", "ModelError", "Tagger", "__version__", "load", "to_frame"]

# Imported when they are asked for: the command line can then be interrupted before NumPy is there.
_PLACES = {"Document": "document", "Entity": "document", "ModelError": "errors", "to_frame": "frames",
           "Tagger": "pipeline", "load": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
