"""The environment variables that change what nerlite does: all are named, explained and read here."""

from __future__ import annotations

import os
from typing import NamedTuple


class Variable(NamedTuple):
    """An environment variable: what it does, and who reads it where that is not nerlite itself."""

    name: str
    meaning: str
    reader: str = "nerlite"


VARIABLES = {variable.name: variable for variable in (
    Variable("NERLITE_CPU_LEVEL", "kernels for this level of CPU at most: any, neon, i8mm, avx2, avxvnni, vnni or amx"),
    Variable("OMP_NUM_THREADS", "so many threads at most, where load and --threads do not say"),
    Variable("NUMBA_CACHE_DIR", "the folder where the numba backend keeps the kernels that it has compiled", "numba"),
    Variable("NUMBA_DISABLE_JIT", "1: there is no numba backend", "numba"),
    Variable("NERLITE_MODEL", "the model of an AWS Lambda function: a path or a shipped model's name",
             "integrations.aws_lambda"),
    Variable("NERLITE_MAX_CHARACTERS", "the most characters that a request to an AWS Lambda function may have",
             "integrations.aws_lambda"),
    Variable("AWS_LAMBDA_RUNTIME_API", "set by AWS Lambda: the model is then read while the function starts",
             "integrations.aws_lambda"),
    Variable("NERLITE_BUILD_LEVELS", "levels of CPU that a wheel's kernels are built for: names, all or none; "
             "if not set, this machine's", "pip install, build"),
    Variable("NERLITE_BUILD_TARGET", "the system that a wheel's kernels are built for, such as linux-aarch64; "
             "if not set, this one", "pip install, build"),
    Variable("NERLITE_DATA", "the folder with conll2003/ and sparknlp/", "tests, benchmarks"),
)}


def read(name: str) -> str:
    """Return what a variable is set to, or "" where it is not; name: one of `VARIABLES`."""
    return os.environ.get(VARIABLES[name].name, "")


def change(name: str, value: str) -> None:
    """Set a variable for this process, for what reads it from now on, and for processes that it starts."""
    os.environ[VARIABLES[name].name] = value
