"""What a kind of CPU says of itself, and what kernels do where it says nothing else."""

from __future__ import annotations

from typing import Any

# How many of attention's weights, the whole numbers of a row, a level's tile takes at once at most.
AT_ONCE = 16


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

    def head(self, *, is_int8: bool) -> int:
        """Return what the numbers of a head of attention are a multiple of: panels, and eight words of a row."""
        return max(self.width, 8 * self.parts) if is_int8 else self.width

    @property
    def tile_rows(self) -> int:
        """Rows of a tile's sums."""
        return max(self.rows, self.int8_rows)

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
