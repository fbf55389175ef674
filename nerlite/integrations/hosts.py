"""What an adapter says where its host is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a failing import into an ImportError that names nerlite's extra."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"nerlite.integrations.{extra}: {error}: pip install 'nerlite[{extra}]'",
                          name=error.name) from error
