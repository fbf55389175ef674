"""x86's levels."""

from __future__ import annotations

from typing import Any

from nerlite.ops.levels.base import Level


class AVX2(Level):
    """x86 from 2013 on, whose products of int8 add up in 16 bits."""

    name, machine, features = "avx2", "x86_64", frozenset(["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"])
    llvm_cpu, llvm_features = "x86-64-v3", "+avx2"
    others = ("cpuid",)
    lanes, n_vectors, rows, int8_rows, depth, stretch = 8, 2, 4, 5, 8, 6
    rows_together = 12
    has_tiles = True

    def dot2(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """As said there."""
        numbers = [emit.builder.bitcast(x, emit.vector(16, 2 * self.lanes)) for x in (a, b)]
        return emit.builder.add(total, emit.call("llvm.x86.avx2.pmadd.wd", total.type, *numbers))

    def int8_tile(self, emit: Any, n_rows: int, n_vectors: int, tile: Any) -> bool:
        """Emit a tile whose products are added up in 16 bits.

        A stretch's sums are widened once where they fit 16 bits, which most do, and every two steps elsewhere:
        tile.stretches has the address of a panel's, as `pack_int8` writes them. The panel's steps lie next to each
        other, an even number.
        """
        size, vector, builder = 4 * self.lanes, emit.vector(32, self.lanes), emit.builder
        ones = emit.constant(emit.vector(16, 2 * self.lanes), [1] * (2 * self.lanes))
        rows = [emit.add(tile.a, emit.times(tile.a_stride, row)) for row in range(n_rows)]
        # In memory: the sums of a stretch leave no registers for them.
        totals = [emit.add(emit.add(tile.out, emit.times(tile.out_stride, row)), size * i)
                  for row in range(n_rows) for i in range(n_vectors)]

        def add(first: Any, n_steps: int) -> None:
            sums = self._products(emit, n_steps, n_vectors, emit.add(tile.panel, emit.times(first, size * n_vectors)),
                                  [emit.add(row, emit.times(first, 4)) for row in rows])
            for i, total in enumerate(totals):
                wide = emit.call("llvm.x86.avx2.pmadd.wd", vector, builder.extract_value(sums, i), ones)
                emit.store(builder.add(emit.load(total, vector, align=4), wide), total)

        def first_step(number: Any) -> Any:
            at = emit.add(tile.stretches, emit.times(emit.add(number, 1), 4))
            return emit.times(builder.sext(emit.load(at, emit.number(32, 0).type, align=4), first_type), self.stretch)

        first_type = tile.depth.type
        for total in totals:
            emit.store(emit.constant(vector, None), total)
        n_narrow = builder.sext(emit.load(tile.stretches, emit.number(32, 0).type, align=4), first_type)
        n_all = builder.udiv(emit.add(tile.depth, self.stretch - 1), emit.number(64, self.stretch))
        with emit.loop(emit.number(64, 0), n_narrow) as (stretch, _):
            add(first_step(stretch), self.stretch)
        with emit.loop(n_narrow, n_all) as (stretch, _):
            first = first_step(stretch)
            following = emit.add(first, self.stretch)
            stop = builder.select(builder.icmp_signed("<", following, tile.depth), following, tile.depth)
            with emit.loop(first, stop, 2) as (step, _):
                add(step, 2)
        return True

    def _products(self, emit: Any, n_steps: int, n_vectors: int, panel: Any, rows: list[Any]) -> Any:
        """Emit a tile's products of some steps, added up in 16 bits, as assembly.

        The first len(rows) * n_vectors values of the result are the sums, the others what its registers held. LLVM puts
        these instructions in another order, which takes more registers than there are, and 4 % more time.
        """
        n_sums = len(rows) * n_vectors
        same, at = n_sums + 2 * n_vectors, n_sums + 2 * n_vectors + 1
        lines = []
        for step in range(n_steps):
            columns = [f"${n_sums + i}" for i in range(n_vectors)]
            lines += [f"vmovdqu {32 * (step * n_vectors + i)}(${at}), {columns[i]}" for i in range(n_vectors)]
            for row in range(len(rows)):
                totals = [f"${row * n_vectors + i}" for i in range(n_vectors)]
                pairs = [f"${n_sums + n_vectors + i}" for i in range(n_vectors)] if step else totals
                lines.append(f"vpbroadcastd {4 * step}(${at + 1 + row}), ${same}")
                lines += [f"vpmaddubsw {column}, ${same}, {pair}" for column, pair in zip(columns, pairs, strict=True)]
                lines += [f"vpaddw {pair}, {total}, {total}"
                          for pair, total in zip(pairs, totals, strict=True) if step]
        constraints = ["=&x"] * at + ["r"] * (1 + len(rows)) + ["~{memory}"]
        result = emit.structure(*[emit.vector(16, 2 * self.lanes)] * at)
        return emit.assembly("\n\t".join(lines), ",".join(constraints), result, panel, *rows)


class AVXVNNI(AVX2):
    """x86 with products of int8 that add up in 32 bits, in vectors of 256 bits."""

    name, features = "avxvnni", AVX2.features | {"avx_vnni"}
    llvm_features = "+avx2,+avxvnni"
    int8_rows, stretch, rows_together, parts, key_shift = 6, 0, Level.rows_together, 4, 128
    int8_tile = Level.int8_tile

    def dot4(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """As said there."""
        return emit.call(f"llvm.x86.avx512.vpdpbusd.{32 * self.lanes}", total.type, total, a, b)

    def score(self, emit: Any, total: Any, queries: Any, keys: Any) -> Any:
        """As said there."""
        return self.dot4(emit, total, keys, queries)

    def mix(self, emit: Any, total: Any, weights: Any, values: Any) -> Any:
        """As said there."""
        return self.dot4(emit, total, weights, values)


class VNNI(AVXVNNI):
    """The same in vectors of 512 bits."""

    name, llvm_cpu, llvm_features = "vnni", "x86-64-v4", "+avx512vnni"
    features = AVX2.features | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}
    lanes, n_vectors, rows, int8_rows, depth = 16, 4, 5, 5, 16


class AMX(VNNI):
    """x86 whose registers hold tiles of int8: up to 16 rows of 64 bytes."""

    name, features = "amx", VNNI.features | {"amx_tile", "amx_int8"}
    llvm_features = "+avx512vnni,+amx-tile,+amx-int8"
    int8_rows, depth = 16, 64
    int8_asks_ahead = False  # steps are too few
    vector_rows = VNNI.int8_rows

    def begin_int8(self, emit: Any, n_rows: Any) -> None:
        """Set up the registers: four of them sums, one 64 numbers of each row, three such numbers' part of a panel."""
        # Palette 1; the bytes of a row of each register, in 16 bits; its rows, in 8 bits.
        row_bytes = emit.number(64, 0x0040_0040_0040_0040)
        n_each = emit.builder.or_(emit.times(n_rows, 0x01_01_01_01_01), emit.number(64, 0x10_10_10 << 40))
        zero = emit.number(64, 0)
        shapes = [emit.number(64, 1), zero, row_bytes, row_bytes, zero, zero, n_each, zero]
        emit.call("llvm.x86.ldtilecfg", None, emit.words(shapes, align=64))

    def end_int8(self, emit: Any) -> None:
        """Release the registers: what they hold would be saved at each change of threads."""
        emit.call("llvm.x86.tilerelease", None)

    def whole_int8_tile(self, emit: Any, n_rows: Any, tile: Any) -> Any:
        """Emit a multiple of 16 steps; for fewer rows AMX takes longer to set up than it saves."""
        builder = emit.builder
        fits = builder.and_(builder.icmp_signed(">=", n_rows, emit.number(64, self.rows)),
                            builder.icmp_signed("==", builder.urem(tile.depth, emit.number(64, 16)),
                                                emit.number(64, 0)))

        def registers(name: str, *arguments: Any) -> None:
            emit.call(f"llvm.x86.{name}", None, *(emit.number(8, x) if isinstance(x, int) else x for x in arguments))

        def tiled() -> None:
            for i in range(4):
                registers("tilezero", i)
            steps = emit.steps([emit.number(64, 0), tile.panel])
            step, place = steps.values
            registers("tileloadd64", 4, emit.pointer(emit.add(tile.a, emit.times(step, 4))), tile.a_stride)
            for i in range(4):
                registers("tileloadd64", 5 + i % 3, emit.pointer(emit.add(place, 64 * i)), tile.panel_stride)
                registers("tdpbusd", i, 4, 5 + i % 3)
            following = emit.add(step, 16)
            steps.end([following, emit.add(place, emit.times(tile.panel_stride, 16))],
                      builder.icmp_signed("<", following, tile.depth))
            for i in range(4):
                registers("tilestored64", i, emit.pointer(emit.add(tile.out, 64 * i)), tile.out_stride)

        return fits, tiled
