"""Compiled log-likelihood of binomial cells, with its gradient and curvature.

Cells lie in blocks of `WIDTH`, side by side in the vector unit, and a block belongs to one unit; of a block's arrays
the cell is the last axis. Loops run over the width at run time: LLVM unrolls loops of a known short length before it
vectorises them, and then does not.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

WIDTH = 32
LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5 × 2^52: adding it leaves the nearest whole number in the low bits


@intrinsic
def _bits(typingctx, x):
    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), build


@intrinsic
def _float(typingctx, x):
    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), build


@njit(nogil=True, fastmath={"contract"})
def _exp(x):
    """Exponential without branches, −700 < x ≤ 0: x = n ln 2 + r, a polynomial in r, and n put into the exponent."""
    k = x * LOG2E + SHIFT
    n = k - SHIFT
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1 + r) + r2 * (1 / 2 + r * (1 / 6))
    middle = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    high = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800))
    top = 1 / 479001600 + r * (1 / 6227020800)
    return (low + r4 * (middle + r4 * (high + r4 * top))) * _float((_bits(k) + 1023) << 52)


@njit(nogil=True, fastmath={"contract"})
def _artanh(z):
    """Compute 2 artanh z without branches, 0 ≤ z ≤ 1/3, by its series: log(1 + s) = 2 artanh(s / (2 + s))."""
    q = z * z
    q2 = q * q
    q4 = q2 * q2
    a = (2 + q * (2 / 3)) + q2 * (2 / 5 + q * (2 / 7))
    b = (2 / 9 + q * (2 / 11)) + q2 * (2 / 13 + q * (2 / 15))
    c = (2 / 17 + q * (2 / 19)) + q2 * (2 / 21 + q * (2 / 23))
    d = (2 / 25 + q * (2 / 27)) + q2 * (2 / 29 + q * (2 / 31))
    return z * (a + q4 * (b + q4 * (c + q4 * (d + q4 * (2 / 33)))))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _cells(x, successes, trials, loglik, residual):
    """Add y x − n log(1 + eˣ) to ``loglik``; ``residual`` becomes y − n p."""
    for j in range(len(x)):
        v = x[j]
        small = _exp(-min(abs(v), 700.0))
        one, two = 1.0 + small, 2.0 + small
        inverse = 1.0 / (one * two)  # one division for both quotients
        chance = two * inverse
        p = chance if v >= 0.0 else small * chance
        loglik[j] += successes[j] * v - trials[j] * (max(v, 0.0) + _artanh(small * one * inverse))
        residual[j] = successes[j] - trials[j] * p


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _linear(codes, weights, x):
    """Linear predictor of one block, x = Σ_k weight_k code_k."""
    x[:] = 0.0
    for k in range(codes.shape[0]):
        w, row = weights[k], codes[k]
        for j in range(len(x)):
            x[j] += w * row[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def likelihood(beta, codes, scale, successes, trials, start):
    """Log-likelihood of every unit and its gradient.

    Parameters
    ----------
    beta : array (units, k)
        Coefficients.
    codes : array (blocks, k, width)
        Predictors in units of ``scale`` (k,), whole numbers of one byte where that is exact.
    successes, trials : arrays (blocks, width)
        y and n of each cell, 0 in padding.
    start : array (units + 1,)
        First block of each unit.

    Returns
    -------
    loglik, gradient : arrays (units,), (units, k)
        Σ y x − n log(1 + eˣ), x = X b: without the binomial coefficients, which are constant.
    """
    units, count, width = beta.shape[0], beta.shape[1], successes.shape[1]
    total, gradient = np.zeros(units), np.zeros((units, count))
    x, residual, part = np.empty(width), np.empty(width), np.empty(width)
    sums = np.empty((count, width))
    for u in range(units):
        sums[:], part[:] = 0.0, 0.0
        weights = beta[u] * scale
        for b in range(start[u], start[u + 1]):
            _linear(codes[b], weights, x)
            _cells(x, successes[b], trials[b], part, residual)
            for k in range(count):
                row, own = codes[b, k], sums[k]
                for j in range(width):
                    own[j] += residual[j] * row[j]
        for j in range(width):
            total[u] += part[j]
        for k in range(count):
            for j in range(width):
                gradient[u, k] += sums[k, j]
            gradient[u, k] *= scale[k]
    return total, gradient


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _dot(a, b):
    total = 0.0
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def information(beta, codes, scale, trials, start):
    """Information X'WX of every unit, W = n p (1 − p), (units, k, k); arguments as in `likelihood`."""
    units, count, width = beta.shape[0], beta.shape[1], trials.shape[1]
    found = np.zeros((units, count, count))
    x, weighted = np.empty(width), np.empty(width)
    for u in range(units):
        weights = beta[u] * scale
        for b in range(start[u], start[u + 1]):
            _linear(codes[b], weights, x)
            for j in range(width):
                small = np.exp(-min(abs(x[j]), 700.0))
                x[j] = trials[b, j] * small / (1.0 + small) ** 2
            for k in range(count):
                row = codes[b, k]
                for j in range(width):
                    weighted[j] = x[j] * row[j]
                for m in range(k + 1):
                    found[u, k, m] += _dot(weighted, codes[b, m])
        for k in range(count):
            for m in range(k + 1):
                found[u, k, m] *= scale[k] * scale[m]
                found[u, m, k] = found[u, k, m]
    return found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def tilt(beta, codes, scale, trials, start, covariance):
    """How skewness moves the mean of every unit's coefficients off their mode, as a gradient (units, k).

    −½ Σ w' h x with w' = n p (1 − p)(1 − 2p) and h = x'Cx: the gradient of −½ log |X'WX + …|, C (units, k, k) the
    covariance of the coefficients; other arguments as in `likelihood`.
    """
    units, count, width = beta.shape[0], beta.shape[1], trials.shape[1]
    found = np.zeros((units, count))
    x, leverage, part = np.empty(width), np.empty(width), np.empty(width)
    for u in range(units):
        weights = beta[u] * scale
        for b in range(start[u], start[u + 1]):
            _linear(codes[b], weights, x)
            leverage[:] = 0.0
            for k in range(count):
                _linear(codes[b], covariance[u, k] * scale, part)
                row = codes[b, k]
                for j in range(width):
                    leverage[j] += scale[k] * part[j] * row[j]
            for j in range(width):
                small = np.exp(-min(abs(x[j]), 700.0))
                sign = 1.0 if x[j] > 0 else -1.0
                x[j] = 0.5 * trials[b, j] * leverage[j] * sign * small * (1.0 - small) / (1.0 + small) ** 3
            for k in range(count):
                found[u, k] += scale[k] * _dot(x, codes[b, k])
    return found
