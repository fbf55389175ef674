"""Kernels on vectors and on rows: activations, quantization, normalization; formulas as in `numpy_ops`."""

from __future__ import annotations

import numpy as np

from nerlite.kernels.jit import kernel
from nerlite.kernels.simd import (
    LANES,
    bits_of,
    floats,
    highest,
    load,
    narrow,
    of_bits,
    rint,
    store,
    to_int,
    total,
    where,
    widen,
)
from nerlite.ops.formulas import (
    COARSE_EXP_LOWEST,
    COARSE_EXP_POLYNOMIAL,
    COARSE_PHI_LIMIT,
    COARSE_PHI_POLYNOMIAL,
    EXP_POLYNOMIAL,
    LN2,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    PHI_LIMIT,
    PHI_POLYNOMIAL,
)

F4, I4 = np.float32, np.int32
ZERO, HALF, ONE, TWO = F4(0), F4(0.5), F4(1), F4(2)
E5, E4, E3, E2, E1, E0 = EXP_POLYNOMIAL
P5, P4, P3, P2, P1, P0 = PHI_POLYNOMIAL
C2, C1, C0 = COARSE_PHI_POLYNOMIAL
X3, X2, X1, X0 = COARSE_EXP_POLYNOMIAL
NO_ACTIVATION, GELU, COARSE_GELU, RELU = range(4)


@kernel(inline=True)
def exp(x):
    k = rint(x * LOG2_E)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    polynomial = ((((E5 * r + E4) * r + E3) * r + E2) * r + E1) * r + E0
    value = (polynomial * (r * r) + r) + ONE
    power = of_bits((to_int(min(max(k, F4(-126)), F4(127))) + I4(127)) << I4(23))
    return where(x < F4(-87), floats(ZERO), value * power)


@kernel(inline=True)
def coarse_exp(x):
    x = max(x, COARSE_EXP_LOWEST)
    k = rint(x * LOG2_E)
    r = x - k * LN2
    return of_bits(bits_of(((X3 * r + X2) * r + X1) * r + X0) + (to_int(k) << I4(23)))


@kernel(inline=True)
def sigmoid(x):
    return ONE / (ONE + exp(ZERO - min(max(x, F4(-80)), F4(80))))


@kernel(inline=True)
def tanh(x):
    return TWO / (ONE + exp(F4(-2) * min(max(x, F4(-40)), F4(40)))) - ONE


@kernel(inline=True)
def gate(x, hard):
    return min(max(F4(0.2) * x + HALF, ZERO), ONE) if hard else sigmoid(x)


@kernel(inline=True)
def _magnitude(x, limit):
    return min(of_bits(bits_of(x) & I4(0x7FFFFFFF)), limit)


@kernel(inline=True)
def _power_32(x):
    for _ in range(5):
        x = x * x
    return x


@kernel(inline=True)
def _gelu(x):
    u = _magnitude(x, PHI_LIMIT)
    return max(x, ZERO) - u * _power_32(((((P5 * u + P4) * u + P3) * u + P2) * u + P1) * u + P0)


@kernel(inline=True)
def _coarse_gelu(x):
    u = _magnitude(x, COARSE_PHI_LIMIT)
    return max(x, ZERO) - u * _power_32((C2 * u + C1) * u + C0)


@kernel(inline=True)
def activate(activation, x):
    if activation == GELU:
        return _gelu(x)
    if activation == COARSE_GELU:
        return _coarse_gelu(x)
    return max(x, ZERO) if activation == RELU else x


@kernel(inline=True)
def ordered(bits):
    """Turn float32's bits into int32 that order as the floats do, or back."""
    return bits ^ ((bits >> I4(31)) & I4(0x7FFFFFFF))


@kernel(inline=True)
def highest_float(x):
    return I4(ordered(highest(ordered(bits_of(x))))).view(F4)


@kernel(inline=True)
def whole(x):
    """Round to the nearest whole number, halves to the even one, into the low 16 bits of each lane."""
    return bits_of(x + F4(3 << 22))  # float32 has no bits left there for fractions


@kernel()
def quantize_row(row, out, turn, n_turns):
    """out (depth,) uint8 = row (depth,) at 128 levels; return their scale and the lowest.

    n_turns: how many rows' numbers lie in turn, LANES of each; out begins with the first row, and this is the one at
    that turn.
    """
    low = high = floats(ZERO)  # a range with 0 in it
    for j in range(0, len(row), LANES):
        x = load(row, j)
        low, high = min(low, x), max(high, x)
    lowest = -highest_float(ZERO - low)
    spread = highest_float(high) - lowest
    inverse = F4(127) / spread if spread > ZERO else ZERO
    for j in range(0, len(row), LANES):
        store(out, n_turns * j + turn * LANES, whole((load(row, j) - lowest) * inverse))
    return spread / F4(127), lowest


@kernel()
def normalize(row, residual, norm, eps, d, out):
    """Layer normalization of the sum of two rows, which replaces the first; d: their length but for zeros behind."""
    weight, bias = norm.weight, norm.bias
    sums = squares = widen(floats(ZERO))
    for j in range(0, len(row), LANES):
        x = load(row, j) + load(residual, j)
        store(row, j, x)
        wide = widen(x)
        sums, squares = sums + wide, squares + wide * wide
    mean = total(sums) / d
    inverse = 1 / np.sqrt(max(total(squares) / d - mean * mean, 0.0) + eps)
    for j in range(0, len(row), LANES):
        store(out, j, narrow((widen(load(row, j)) - mean) * inverse) * load(weight, j) + load(bias, j))
