"""ARM's levels: vectors of two registers of four lanes."""

from __future__ import annotations

from typing import Any

from nerlite.ops.levels.base import Level


class Neon(Level):
    """ARM with products of int8; a vector is two registers of four lanes, which halves what loops take besides."""

    name, machine, features = "neon", "aarch64", frozenset(["asimddp"])
    llvm_cpu, llvm_features = "generic", "+neon,+dotprod"
    lanes, n_vectors, rows, int8_rows, depth = 8, 2, 6, 6, 16
    has_tiles = tile_in_turn = True
    parts = 4

    @property
    def width(self) -> int:
        """As said there: for two registers."""
        return self.lanes

    def choose(self, emit: Any, predicate: str, a: Any, b: Any) -> Any:
        """As said there, in one instruction, which has its own order of 0 and -0."""
        return emit.call(f"llvm.{'min' if predicate == '<' else 'max'}num.v{self.lanes}f32", a.type, a, b)

    def dot4(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """As said there, in a register."""
        return emit.call("llvm.aarch64.neon.sdot.v4i32.v16i8", total.type, total, *(
            emit.builder.bitcast(x, emit.vector(8, 16)) for x in (a, b)))

    def narrow_tile(self, emit: Any, n_rows: int, n_vectors: int, tile: Any) -> bool:
        """Emit a tile that takes four steps at once, since a register has so many of a row.

        Rows have zeros up to a multiple of them.
        """
        register, builder, n = emit.vector(32, 4), emit.builder, n_vectors * self.lanes // 4
        rows = [emit.add(tile.a, emit.times(tile.a_stride, row)) for row in range(n_rows)]
        steps = emit.steps([emit.number(64, 0), tile.panel, *[emit.constant(register, None)] * (n_rows * n)])
        step, place, *sums = steps.values
        numbers = [emit.load(emit.add(row, emit.times(step, 4)), register) for row in rows]
        for i in range(4):
            columns = [emit.load(emit.add(place, 16 * j), register) for j in range(n)]
            same = [builder.shuffle_vector(row, row, emit.constant(register, [i] * 4)) for row in numbers]
            sums = [self.dot4(emit, total, columns[j % n], same[j // n]) for j, total in enumerate(sums)]
            place = emit.add(place, tile.panel_stride)
        following = emit.add(step, 4)
        steps.end([following, place, *sums], builder.icmp_signed("<", following, tile.depth))
        self._store(emit, tile, [sums[row * n:row * n + n] for row in range(n_rows)])
        return True

    def int8_tile(self, emit: Any, n_rows: int, n_vectors: int, tile: Any) -> bool:
        """Emit a tile that takes four steps at once, where there are so many, or two: rows lie in turn for two.

        The panel's steps lie next to each other.
        """
        fours = emit.builder.icmp_signed("==", emit.builder.and_(tile.depth, emit.number(64, 3)), emit.number(64, 0))
        with emit.builder.if_else(fours) as (then, otherwise):
            with then:
                self._int8_steps(emit, n_rows, n_vectors, tile, 2)
            with otherwise:
                self._int8_steps(emit, n_rows, n_vectors, tile, 1)
        return True

    def _int8_steps(self, emit: Any, n_rows: int, n_vectors: int, tile: Any, n_twos: int) -> None:
        """Emit a tile that takes so many times two steps at once."""
        register, builder, n = emit.vector(32, 4), emit.builder, n_vectors * self.lanes // 4
        size, n_sums = 32 * n, n * self.in_turn * -(-n_rows // self.in_turn)
        end = emit.add(tile.panel, emit.times(tile.depth, size // 2))
        steps = emit.steps([tile.a, tile.panel, *[emit.constant(register, None)] * n_sums])
        at, place, *sums = steps.values
        for i in range(n_twos):
            if i:  # or LLVM loads both times' numbers at once, for which there are too few registers
                builder.fence("seq_cst", "singlethread")
            pairs = [self._load_pair(emit, emit.add(at, 16 * pair), min(2, n_rows - 2 * pair))
                     for pair in range((n_rows + 1) // 2)]
            sums = self._add_products(emit, sums, pairs, emit.add(place, size * i), n_rows, n)
            at = emit.add(at, tile.a_stride)
        following = emit.add(place, size * n_twos)
        steps.end([at, following, *sums], builder.icmp_signed("<", following, end))
        self._store(emit, tile, self._rows_of(emit, sums, n_rows, n))

    def _load_pair(self, emit: Any, address: Any, n_rows: int) -> Any:
        """Emit what reads two steps' numbers of two rows, or of one and zeros."""
        if n_rows == 2:
            return emit.load(address, emit.vector(32, 4))
        half = emit.load(address, emit.vector(32, 2))
        return emit.builder.shuffle_vector(half, emit.constant(half.type, None),
                                           emit.constant(emit.vector(32, 4), [0, 1, 2, 3]))

    def _add_products(self, emit: Any, sums: list[Any], pairs: list[Any], place: Any, n_rows: int, n: int) -> list[Any]:
        """Emit what adds the products of two steps to sums, n registers for each row; place: the panel's address."""
        for step in range(2):
            columns = [emit.load(emit.add(place, 16 * (step * n + j)), pairs[0].type) for j in range(n)]
            same = [emit.builder.shuffle_vector(pairs[row // 2], pairs[row // 2], emit.constant(
                pairs[0].type, [row % 2 * 2 + step] * 4)) for row in range(n_rows)]
            sums = [self.dot4(emit, total, columns[i % n], same[i // n]) for i, total in enumerate(sums)]
        return sums

    def _rows_of(self, emit: Any, sums: list[Any], n_rows: int, n: int) -> list[list[Any]]:
        """Emit what makes rows of sums."""
        return [sums[row * n:row * n + n] for row in range(n_rows)]

    def _store(self, emit: Any, tile: Any, sums: list[list[Any]]) -> None:
        """Emit what writes each row's sums."""
        for row, registers in enumerate(sums):
            at = emit.add(tile.out, emit.times(tile.out_stride, row))
            for j, register in enumerate(registers):
                emit.store(register, emit.add(at, 16 * j))


class I8MM(Neon):
    """ARM that multiplies two rows of eight int8 by two columns at once: Graviton 3, Apple's M2 and later."""

    name, features = "i8mm", Neon.features | {"i8mm"}
    llvm_features = "+neon,+dotprod,+i8mm"
    in_turn = 2

    def _add_products(self, emit: Any, sums: list[Any], pairs: list[Any], place: Any, n_rows: int, n: int) -> list[Any]:
        """As said there; a register has eight numbers of two rows or columns, or what they make with each other."""
        numbers, added = emit.vector(8, 16), list(sums)
        rows = [emit.builder.bitcast(pair, numbers) for pair in pairs]
        for j in range(2 * n):
            columns = emit.builder.bitcast(emit.load(emit.add(place, 16 * j), pairs[0].type), numbers)
            for pair, row in enumerate(rows):
                at = 2 * n * pair + j
                added[at] = emit.call("llvm.aarch64.neon.smmla.v4i32.v16i8", sums[at].type, sums[at], row, columns)
        return added

    def _rows_of(self, emit: Any, sums: list[Any], n_rows: int, n: int) -> list[list[Any]]:
        """As said there: each has halves of two registers."""
        halves = [emit.constant(sums[0].type, [0, 1, 4, 5]), emit.constant(sums[0].type, [2, 3, 6, 7])]
        return [[emit.builder.shuffle_vector(*sums[i:i + 2], halves[row % 2])
                 for i in range(row // 2 * 2 * n, row // 2 * 2 * n + 2 * n, 2)] for row in range(n_rows)]
