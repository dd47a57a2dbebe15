"""The element-wise half of the recurrent steps, compiled: one pass over memory in place of a dozen.

`pipeline.training.recurrences` leaves the matrix products to PyTorch and calls these kernels in between (on a
processor; on a GPU it keeps PyTorch's own operations, to which the kernels are equal to rounding). Every array is
C-contiguous and whole, (agents, trials, episodes, columns); ``t`` picks the trial, so that no view is made per step.

The transcendental functions run over all episodes of an agent at a time, a long contiguous block: loops over 48 units
are too short for the compiler's vectors of 16 numbers, four at a time.
"""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

_ONE, _HALF = np.float32(1), np.float32(0.5)  # a Python number would make everything double precision
# tanh x = x p(x²) / q(x²) for |x| < 7.9, beyond which it is ±1 in single precision: the rational function of Eigen
# (Guennebaud, Jacob et al., https://eigen.tuxfamily.org), off by less than 3e-7.
_LIMIT = np.float32(7.90531110763549805)
_P1, _P3, _P5, _P7, _P9, _P11, _P13 = (
    np.float32(c)
    for c in (4.89352455891786e-3, 6.37261928875436e-4, 1.48572235717979e-5, 5.12229709037114e-8,
              -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16)
)  # fmt: skip
_Q0, _Q2, _Q4, _Q6 = (
    np.float32(c) for c in (4.89352518554385e-3, 2.26843463243900e-3, 1.18534705686654e-4, 1.19825839466702e-6)
)


def _tanh(x):
    """Hyperbolic tangent: exact in double precision, the rational function in single."""
    raise NotImplementedError


@overload(_tanh)
def _tanh_overload(x):
    if x != types.float32:
        return lambda x: math.tanh(x)

    def rational(x):
        x = _LIMIT if x > _LIMIT else (-_LIMIT if x < -_LIMIT else x)
        y = x * x
        p = _P1 + y * (_P3 + y * (_P5 + y * (_P7 + y * (_P9 + y * (_P11 + y * _P13)))))
        return x * p / (_Q0 + y * (_Q2 + y * (_Q4 + y * _Q6)))

    return rational


def _compiled(function):
    return njit(function, cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def squash(x: np.ndarray, out: np.ndarray) -> None:
    """Write tanh of a flat array into another."""
    for k in range(x.size):
        out[k] = _tanh(x[k])


# In place one array, not the same one twice: where two may overlap, the compiler does not vectorise.


@_compiled
def _squash_in_place(x):
    for k in range(x.size):
        x[k] = _tanh(x[k])


@_compiled
def _logistic_in_place(x):
    """σ(x) = ½ + ½ tanh(x / 2)."""
    for k in range(x.size):
        x[k] = _HALF + _HALF * _tanh(_HALF * x[k])


@_compiled
def rate_forward(t, drive, z, start):
    """h_t = tanh(drive), into the columns of z_{t+1} from ``start``; ``drive`` is used up."""
    agents, episodes, units = drive.shape
    for a in range(agents):
        _squash_in_place(drive[a].reshape(-1))
        for e in range(episodes):
            for k in range(units):  # a loop: numba's own assignment of slices costs ten times as much
                z[a, t + 1, e, start + k] = drive[a, e, k]


@_compiled
def rate_backward(t, by_hidden, later, z, start, d):
    """d_t = ∂L/∂h_t (1 − h_t²); ∂L/∂h_t through the heads and, ``later``, through the trials after t."""
    agents, _, episodes, units = d.shape
    for a in range(agents):
        for e in range(episodes):
            by_h, more, h, found = by_hidden[a, t, e], later[a, e], z[a, t + 1, e, start:], d[a, t, e]
            for k in range(units):
                found[k] = (by_h[k] + more[k]) * (_ONE - h[k] * h[k])


@_compiled
def gru_forward(t, drive, feed, gates, recurrent_n, n, z, start):
    """r, z = σ(·); n = tanh(feed + r ⊙ recurrent_n); h ← n + z ⊙ (h − n)."""
    agents, episodes, units = feed.shape
    for a in range(agents):
        for e in range(episodes):
            for k in range(2 * units):
                gates[a, t, e, k] = drive[a, e, k]
            for k in range(units):
                recurrent_n[a, t, e, k] = drive[a, e, 2 * units + k]
        _logistic_in_place(gates[a, t].reshape(-1))
        for e in range(episodes):
            reset, from_h, own, candidate = gates[a, t, e], recurrent_n[a, t, e], feed[a, e], n[a, t, e]
            for k in range(units):
                candidate[k] = own[k] + reset[k] * from_h[k]
        _squash_in_place(n[a, t].reshape(-1))
        for e in range(episodes):
            before, after, update = z[a, t, e, start:], z[a, t + 1, e, start:], gates[a, t, e, units:]
            candidate = n[a, t, e]
            for k in range(units):
                after[k] = candidate[k] + update[k] * (before[k] - candidate[k])


@_compiled
def gru_backward(t, by_hidden, later, carry, gates, recurrent_n, n, z, start, d, d_n):
    """Gradient by the net inputs, d; by n's input part, d_n; and ``carry``, the direct way z ⊙ ∂L/∂h to h_{t−1}."""
    agents, _, episodes, units = n.shape
    for a in range(agents):
        for e in range(episodes):
            by_h, more, on, candidate = by_hidden[a, t, e], later[a, e], carry[a, e], n[a, t, e]
            reset, update = gates[a, t, e, :units], gates[a, t, e, units:]
            before, from_h, own = z[a, t, e, start:], recurrent_n[a, t, e], d_n[a, t, e]
            by_reset, by_update, by_n = d[a, t, e, :units], d[a, t, e, units : 2 * units], d[a, t, e, 2 * units :]
            for k in range(units):
                by_h[k] += on[k] + more[k]
                on[k] = by_h[k] * update[k]
            for k in range(units):
                own[k] = (by_h[k] - on[k]) * (_ONE - candidate[k] * candidate[k])
            for k in range(units):
                by_update[k] = by_h[k] * (before[k] - candidate[k]) * update[k] * (_ONE - update[k])
            for k in range(units):
                by_n[k] = own[k] * reset[k]
                by_reset[k] = own[k] * from_h[k] * reset[k] * (_ONE - reset[k])


@_compiled
def lstm_forward(t, drive, scale, gates, cell, squashed, z, start):
    """i, f, o = σ(·), g = tanh(·); c ← f ⊙ c + i ⊙ g; h = o ⊙ tanh c.

    With s = ½ in the columns of i, f and o, and s = 1 in those of g, all gates are 1 − s + s tanh(s x): ``scale`` is s,
    (episodes · 4 units,).
    """
    agents, episodes, columns = drive.shape
    units = columns // 4
    for a in range(agents):
        x, gate = drive[a].reshape(-1), gates[a, t].reshape(-1)
        for k in range(x.size):
            s = scale[k]
            gate[k] = _ONE - s + s * _tanh(s * x[k])
        for e in range(episodes):
            row, before, after = gates[a, t, e], cell[a, t, e], cell[a, t + 1, e]
            i, f, g = row[:units], row[units : 2 * units], row[3 * units :]
            for k in range(units):
                after[k] = f[k] * before[k] + i[k] * g[k]
        squash(cell[a, t + 1].reshape(-1), squashed[a, t].reshape(-1))
        for e in range(episodes):
            o, tanh_c, h = gates[a, t, e, 2 * units : 3 * units], squashed[a, t, e], z[a, t + 1, e, start:]
            for k in range(units):
                h[k] = o[k] * tanh_c[k]


@_compiled
def lstm_backward(t, by_hidden, later, by_cell, gates, cell, squashed):
    """Put the gradient by the net inputs in the place of the gates; carry ∂L/∂c to the trial before."""
    agents, _, episodes, units = squashed.shape
    for a in range(agents):
        for e in range(episodes):
            by_h, by_c, gate = by_hidden[a, t, e], by_cell[a, e], gates[a, t, e]
            i, f, o, g = gate[:units], gate[units : 2 * units], gate[2 * units : 3 * units], gate[3 * units :]
            s, before, more = squashed[a, t, e], cell[a, t, e], later[a, e]
            for k in range(units):
                by_h[k] += more[k]
            for k in range(units):
                by_c[k] += by_h[k] * o[k] * (_ONE - s[k] * s[k])
            for k in range(units):
                o[k] = by_h[k] * s[k] * o[k] * (_ONE - o[k])
            for k in range(units):
                by_f = by_c[k] * before[k] * f[k] * (_ONE - f[k])
                by_c_before = by_c[k] * f[k]
                by_i = by_c[k] * g[k] * i[k] * (_ONE - i[k])
                g[k] = by_c[k] * i[k] * (_ONE - g[k] * g[k])
                i[k] = by_i
                f[k] = by_f
                by_c[k] = by_c_before
