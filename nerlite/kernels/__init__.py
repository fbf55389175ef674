"""Everything that is compiled, and what compiles it: nothing else imports numba or llvmlite."""
