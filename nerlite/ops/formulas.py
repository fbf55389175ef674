"""The numbers in the formulas that the reference and the kernels share."""

from __future__ import annotations

import numpy as np

F4 = np.float32
LOG2_E, LN2_HIGH, LN2_LOW = F4(1.44269504), F4(0.693359375), F4(-2.12194440e-4)
# exp(r) = 1 + r + r²·polynomial on |r| ≤ ln(2)/2; source: Cephes expf (S. L. Moshier).
EXP_POLYNOMIAL = tuple(map(F4, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                                1.6666665459e-1, 5.0000001201e-1)))
# Φ(-u) = P(u)**32 on 0 ≤ u ≤ 5.5, a least-squares fit made minimax by reweighting: u·Φ(-u) is off by less than 5e-7.
PHI_LIMIT = F4(5.5)
PHI_POLYNOMIAL = tuple(map(F4, (-1.3068583e-5, 2.49746634e-4, -8.97200662e-4, -9.41797905e-3, -2.44019534e-2,
                                9.7857219e-1)))
# Coarser ones for an int8 encoder, whose numbers have 128 levels: e**r is off by less than 8e-5 of itself, u·Φ(-u) by
# less than 2e-4.
LN2, COARSE_EXP_LOWEST = F4(0.69314718), F4(-80)
COARSE_EXP_POLYNOMIAL = tuple(map(F4, (0.16566773, 0.504964301, 1.00016428, 0.999928044)))
COARSE_PHI_LIMIT = F4(4.5)
COARSE_PHI_POLYNOMIAL = tuple(map(F4, (-0.01046083, -0.02408044, 0.97859756)))
# An int8 encoder's attention multiplies numbers up to this, which fit an int8; their products' sums fit an int32.
ATTENTION_LEVELS = 127
