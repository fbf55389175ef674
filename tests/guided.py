"""One target of `readers.py`, led by the code that its inputs reach: what reaches more is kept, and varied further.

Command: python tests/guided.py TARGET [FILE, FOLDER or option of libFuzzer's ...]

It takes atheris (`pip install '.[fuzz]'`). `make fuzz` runs it for each target; a FILE that it left is tried once more.
The splitter is a regular expression, whose parts count as no code: a pair of its rules that make two neighbouring words
counts as a branch.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
from unittest import mock

import atheris

with atheris.instrument_imports(include=["nerlite"]):
    import readers

    from nerlite import text
    from nerlite.characters import kind_of
    from nerlite.errors import FileError
    from nerlite.unseen import without

N_RULES = len(text.RULES) + 1


@functools.cache
def numbered(kind: int) -> re.Pattern[str]:
    """Return the splitter's pattern with a group around each rule that texts of a kind may have."""
    rules = [rule._replace(pattern=f"(?P<r{i}>{rule.pattern})") for i, rule in enumerate(text.RULES)]
    with mock.patch.object(text, "RULES", rules):
        return text._pattern.__wrapped__(kind)


def rules_of(content: str) -> list[int]:
    """Return the number of the rule that makes each word, and that of none at the end."""
    seen, _ = without(content)
    pattern = numbered(kind_of(seen))
    numbers = {group: int(name[1:]) for name, group in pattern.groupindex.items() if name[1:].isdigit()}
    return [next((number for group, number in numbers.items() if match.start(group) >= 0), N_RULES - 1)
            for match in pattern.finditer(seen)]


def main() -> None:
    """Go on until libFuzzer's options say that it is enough, or until something is wrong."""
    name, target = sys.argv[1], readers.TARGETS[sys.argv[1]]
    branches = [atheris._reserve_counter() for _ in range(N_RULES * N_RULES if name == "words" else 0)]

    def once(data: bytes) -> None:
        try:
            target(data)
        except FileError as error:
            readers.check_message(error)
        if branches:
            for first, second in itertools.pairwise(rules_of(data[readers.N_OPTIONS:].decode("utf-8", "replace"))):
                atheris._trace_branch(branches[first * N_RULES + second])

    atheris.Setup([sys.argv[0], *sys.argv[2:]], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
