"""The results as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Results = dict[str, Any]
Row = Sequence[str]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def whole(number: float) -> str:
    """Return a number without decimals, its thousands apart."""
    return f"{number:,.0f}"


def speed_rows(results: Results) -> list[Row]:
    """Return a row an opponent and thread count: rates and ratios, or why there are none."""
    rows: list[Row] = []
    for each in results["speed"]:
        if "batched" in each:
            cells = [text for mode in ("batched", "single") for text in
                     (whole(each[mode]["nerlite"]), whole(each[mode]["opponent"]), f"{each[mode]['ratio']:.2f}")]
            rows.append([each["title"], str(each["threads"]), *cells])
        else:
            reason = f"not installed: {', '.join(each['missing'])}" if each.get("missing") else "failed"
            rows.append([f"{each['title']} ({reason})", str(each.get("threads", "")), *[""] * 6])
    return rows


SPEED_HEAD = ("words/s against", "threads", "nerlite, batches", "theirs", "×", "nerlite, one at a time", "theirs", "×")


LEVELS = {"vnni": "AVX-512 VNNI, no AMX", "avx2": "AVX2"}


def levels(results: Results) -> list[str]:
    """Return a table of the same speeds as on older CPUs, and what it is."""
    rows = results.get("levels", {}).get("rows")
    if not rows:
        return []
    rows = [[LEVELS[each["level"]], *row[1:]] for each, row in zip(rows, speed_rows({"speed": rows}), strict=True)]
    return ["The same against ONNX Runtime's int8 on the same CPU, its newer features hidden from both sides "
            "(`benchmarks/levels.py`):", table(("words/s as on a CPU of", *SPEED_HEAD[1:]), rows)]


def start_up(results: Results) -> str:
    """Return the table of start-up, memory and size."""
    result = results["startup"]
    opponent, sizes = result.get("opponent"), result["sizes"]
    rows = [["seconds from process start to first entities", f"{result['nerlite']['seconds']:.2f}",
             f"{opponent['seconds']:.2f}" if opponent else "not installed"],
            ["peak memory then, MB", whole(result["nerlite"]["peak_mb"]),
             whole(opponent["peak_mb"]) if opponent else ""],
            ["installed with what it needs, MB",
             f"{whole(sizes['nerlite']['total'])} ({whole(sizes['nerlite with numba']['total'])} with numba)",
             whole(sizes["ONNX Runtime"]["total"]) if opponent else ""]]
    return table(("", "nerlite", "ONNX Runtime, int8, tokenizers and a minimal script"), rows)


def machine(results: Results) -> str:
    """Return what the numbers were measured on."""
    it = results["machine"]
    int8 = f", int8 instructions at {it['int8_gops']:.0f} GOP/s" if it["int8_gops"] else ""
    return (f"{it['cpu']}, {it['cores']} cores ({', '.join(it['features'])}), sgemm at {it['sgemm_gflops']:.0f} "
            f"GFLOP/s{int8} a core")


def page(results: Results, plots: list[str]) -> str:
    """Return the page of everything."""
    versions = ", ".join(f"{name} {version}" for name, version in results["machine"]["versions"].items())
    parts = ["# Benchmarks", "Written by `python benchmarks/run.py`; each script's first lines say what it times.",
             f"{machine(results)}. {results['machine']['system']}; {versions}; BLAS: "
             f"{', '.join(results['machine']['blas'])}. Load average before: {results['machine']['load']:.1f}."]
    if results.get("quick"):
        parts.append("**A quick run, to see that everything works: these numbers are not to be quoted.**")
    if "speed" in results:
        parts += ["## Speed", table(SPEED_HEAD, speed_rows(results)), *latency(results["speed"])]
    parts += levels(results)
    if "nerlite" in results.get("startup", {}):
        parts += ["## Start", start_up(results), sizes(results["startup"]["sizes"])]
    if "parts" in results.get("kernels", {}):
        parts += ["## Parts of the network, on one core", kernels(results["kernels"]["parts"])]
    if "length" in results.get("curves", {}):
        parts += ["## Length of a text, size of a batch", *curves(results["curves"], plots)]
    if failures := [each for of_part in results["failures"].values() for each in of_part]:
        parts += ["## Failed", "\n".join(f"- {each}" for each in failures)]
    return "\n\n".join(parts) + "\n"


def latency(speed: list[Results]) -> list[str]:
    """Return the table of latencies and that of agreement."""
    done = [each for each in speed if "single" in each]
    times = [[each["title"], str(each["threads"]), *(f"{number:.2f}" for side in ("nerlite_ms", "opponent_ms")
                                                      for number in each["single"][side].values())] for each in done]
    agreement = [[each["title"], f"{each['agreement']['max_difference']:.2g}", f"{each['agreement']['cosine']:.5f}",
                  *(f"{each['agreement'][key]:.5f}" if key in each["agreement"] else ""
                    for key in ("nerlite_to_float32", "opponent_to_float32"))]
                 for each in done if each["threads"] == done[0]["threads"]]
    return ["One sentence at a time, milliseconds a sentence, which depend on its length; jitter is the 99th "
            "percentile of a sentence's time over the median of its own times:",
            table(("against", "threads", "nerlite, median", "99th percentile", "jitter", "theirs, median",
                   "99th percentile", "jitter"), times),
            "How near the encoders' word vectors are, by largest difference and mean cosine, and each to float32:",
            table(("against", "largest difference", "cosine", "nerlite to float32", "theirs to float32"), agreement)]


def sizes(by_side: dict[str, dict[str, float]]) -> str:
    """Return the table of installed sizes."""
    return table(("MB installed", *by_side), [
        [what, *(f"{side[what]:.1f}" if what in side else "" for side in by_side.values())]
        for what in dict.fromkeys(what for side in by_side.values() for what in side)])


def kernels(parts: list[Results]) -> str:
    """Return the table of kernels."""
    return table(("", "µs", "GOP/s", "of the core's peak", "difference from NumPy"), [
        [each["part"], f"{each['microseconds']:.2f} a {each['unit'].removesuffix('s')}",
         f"{each['gops']:.0f}" if each["gops"] else "", f"{each['share']:.0%}" if each["share"] else "",
         f"{each['difference']:.1g}"] for each in parts])


def curves(result: Results, plots: list[str]) -> list[str]:
    """Return the plots and tables of the curves."""
    sides = {"nerlite": "nerlite", "opponent": result["opponent"]}
    present = [side for side in sides if side in result["length"]]
    lengths = [[f"{rows[0]['bytes'] // 1000:,} KB",
                *(text for row in rows for text in (whole(row["words_per_second"]), whole(row["peak_mb"])))]
               for rows in zip(*(result["length"][side] for side in present), strict=True)]
    head = ["one text", *(text for side in present for text in (f"{sides[side]}, words/s", "peak MB"))]
    batches = [[str(row["batch"]), *(whole(row[side]) for side in present)] for row in result["batch"]]
    images = [f"![{Path(name).stem}]({name})" for name in plots] or ["(no plots: matplotlib is not installed)"]
    return [*images, table(head, lengths),
            table(("sentences a batch", *(f"{sides[side]}, words/s" for side in present)), batches)]
