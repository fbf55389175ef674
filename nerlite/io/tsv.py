"""TSV: CSV with tabs."""

from __future__ import annotations

from functools import partial

from nerlite.io import csv

read, Writer = partial(csv.read, delimiter="\t"), partial(csv.Writer, delimiter="\t")
