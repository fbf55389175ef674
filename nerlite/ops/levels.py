"""The kinds of CPU that kernels are compiled for: one class each, with its sizes and its instructions.

What emits instructions is given a `nerlite.kernels.emit.Emit`, and called only where kernels are compiled. To add a
level is to add a class here and its name to `LEVELS`.
"""

from __future__ import annotations

from typing import Any


class Level:
    """A kind of CPU and how matrix products are cut for it; this one has plain loops, for what compilers make of them.

    lanes: 32-bit lanes of a vector; n_vectors: vectors in a panel of weights; rows: how many a tile of a product takes
    at most, so that its sums fit the registers; int8_rows: the same of a product of int8 weights, and depth: a
    multiple of how many numbers of a row it takes at once; tile_in_turn: whether the numbers of a tile's int8 rows lie
    in turn, a vector of each; in_turn: how many rows, and words of a column, an instruction multiplies, of which the
    panel's lie in turn; stretch: how many times four numbers of a row it multiplies and adds up in 16 bits, 0 where
    there are instructions for 32; parts: how many numbers of attention an instruction takes of a row, 4 int8 or 2
    int16; key_shift: what is added to keys for it, where it takes them without signs; rows_together: the most rows of
    an int8 encoder of which threads share out columns, since that is faster; machine, features: what `uname` and
    /proc/cpuinfo say of such a CPU; llvm_cpu, llvm_features: its names in LLVM, the feature that makes the level the
    last; others: what its library has besides kernels.
    """

    name = "any"
    lanes, n_vectors, rows, int8_rows, depth, stretch = 8, 2, 4, 4, 8, 0
    in_turn, parts, key_shift, rows_together = 1, 2, 0, 24
    machine = llvm_cpu = llvm_features = ""
    features: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    has_tiles = tile_in_turn = False  # or plain loops

    @property
    def columns(self) -> int:
        """Columns of a panel of weights."""
        return self.lanes * self.n_vectors

    @property
    def width(self) -> int:
        """Columns of a panel of attention's keys and values, which are few."""
        return 2 * self.lanes

    @property
    def head(self) -> int:
        """What the numbers of a head of attention are a multiple of: panels, and eight words of a row."""
        return max(self.width, 8 * self.parts)

    @property
    def tile_rows(self) -> int:
        """Rows of a tile's sums."""
        return max(self.rows, self.int8_rows)

    def quantized_rows(self, n: int) -> int:
        """Return how many rows of memory n rows take as whole numbers: a tile's lie in turn where some lack too."""
        return n + self.int8_rows - 1 if self.tile_in_turn else n

    @property
    def asks_ahead(self) -> bool:
        """Whether each step of a product asks for a line of the next panel: where a step takes more than one itself."""
        return 4 * self.columns > 64

    @property
    def int8_asks_ahead(self) -> bool:
        """The same of int8 weights."""
        return self.asks_ahead

    @property
    def vector_rows(self) -> int:
        """The most rows that vectors multiply by int8 weights."""
        return self.int8_rows

    def choose(self, emit: Any, predicate: str, a: Any, b: Any) -> Any:
        """Emit the lesser ("<") or the greater (">") of each lane's float32, b where they are equal."""
        return emit.builder.select(emit.builder.fcmp_ordered(predicate, a, b), a, b)

    def fma(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """Emit what adds the product of two float32 to each lane."""
        return emit.call(f"llvm.fma.v{self.lanes}f32", total.type, a, b, total)

    def dot4(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """Emit what adds the products of four uint8 and four int8 to each int32 lane, which ARM takes for int8 too."""
        raise NotImplementedError

    def dot2(self, emit: Any, total: Any, a: Any, b: Any) -> Any:
        """Emit what adds the products of two int16 and two int16 to each int32 lane."""
        wide, builder = emit.vector(32, 2 * self.lanes), emit.builder
        products = builder.mul(*(builder.sext(builder.bitcast(x, emit.vector(16, 2 * self.lanes)), wide)
                                 for x in (a, b)))
        for odd in (0, 1):
            half = emit.constant(emit.vector(32, self.lanes), [2 * lane + odd for lane in range(self.lanes)])
            total = builder.add(total, builder.shuffle_vector(products, products, half))
        return total

    def score(self, emit: Any, total: Any, queries: Any, keys: Any) -> Any:
        """Emit what adds the products of `parts` numbers of a query and of a key to each int32 lane."""
        return self.dot2(emit, total, queries, keys)

    def mix(self, emit: Any, total: Any, weights: Any, values: Any) -> Any:
        """Emit the same of weights, which have no signs, and values."""
        return self.dot2(emit, total, weights, values)

    def prefetch(self, emit: Any, address: Any) -> None:
        """Emit what asks for the cache line at an address, to be there soon."""
        # To read; into the second-level cache, or the first where panels are small; data.
        emit.call("llvm.prefetch.p0i8", None, emit.pointer(address), *(
            emit.number(32, each) for each in (0, 2 if self.asks_ahead else 3, 1)))

    def begin_int8(self, emit: Any, n_rows: Any) -> None:
        """Emit what sets the CPU up for int8 products of n_rows each, where it must be."""

    def end_int8(self, emit: Any) -> None:
        """Emit what undoes `begin_int8`."""

    def int8_tile(self, emit: Any, n_rows: int, n_vectors: int, tile: Any) -> bool:
        """Emit a tile of int8 weights, if this level has one of its own; tile: see `tiles.Tile`."""
        return False

    def narrow_tile(self, emit: Any, n_rows: int, n_vectors: int, tile: Any) -> bool:
        """Emit a tile of attention's numbers, as `int8_tile`."""
        return False

    def whole_int8_tile(self, emit: Any, n_rows: Any, tile: Any) -> Any:
        """Emit a tile of as many rows as the CPU is set up for, with what says whether it is to be taken; or None."""
        return None


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


# From the least to the best of each machine.
LEVELS: dict[str, Level] = {level.name: level for level in (Level(), Neon(), I8MM(), AVX2(), AVXVNNI(), VNNI(),
                                                            AMX())}
