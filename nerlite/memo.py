"""What was computed for a word before: texts repeat their words."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# So many values are kept; when they get more, all are forgotten. A longer word is hardly seen twice.
LIMIT, LONGEST = 10_000, 64
# Words of a long text that are cut out of it, and looked up, together.
AT_ONCE = 4096


class Memo(Generic[Key, Value]):
    """A function of single keys that remembers its values. Threads may share it; it holds no lock."""

    def __init__(self, compute: Callable[[list[Key]], Iterable[Value]], word: Callable[[Key], str]) -> None:
        """compute: keys → their values, in order; word: key → the word in it."""
        self._compute, self._word = compute, word
        self._known: dict[Key, Value] = {}

    def __call__(self, keys: Sequence[Key]) -> list[Value]:
        """Return each key's value; what is not known is computed, all at once."""
        known = self._known  # another thread may put an empty one in its place meanwhile
        found = list(map(known.get, keys))
        if None in found:
            missing = list(dict.fromkeys(key for key, value in zip(keys, found, strict=True) if value is None))
            new = dict(zip(missing, self._compute(missing), strict=True))
            found = [new[key] if value is None else value for key, value in zip(keys, found, strict=True)]
            small = {key: value for key, value in new.items() if len(self._word(key)) <= LONGEST}
            if len(known) + len(small) > LIMIT:
                self._known = known = {}
            if len(small) <= LIMIT:
                known.update(small)
        return found  # type: ignore[return-value]  # none is missing now
