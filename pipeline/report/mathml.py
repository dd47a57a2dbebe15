r"""Equations that render offline: the small part of LaTeX that model cards and methods use, as MathML Core.

Browsers draw MathML without any script or font of ours. What this reader does not know, it shows as written.
"""

import re
from html import escape

GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon "
    "phi chi psi omega"
)  # in the order of Unicode
LETTERS = {
    **{name: chr(0x3B1 + k) for k, name in enumerate(GREEK.split())},
    "varepsilon": "ε",
    "Delta": "Δ",
    "Gamma": "Γ",
    "Lambda": "Λ",
    "Phi": "Φ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Theta": "Θ",
    "Omega": "Ω",
    "infty": "∞",
    "ell": "ℓ",
}
OPERATORS = {
    "leftarrow": "←",
    "rightarrow": "→",
    "to": "→",
    "propto": "∝",
    "sim": "∼",
    "mid": "|",
    "pm": "±",
    "mp": "∓",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "approx": "≈",
    "cdot": "·",
    "times": "×",
    "in": "∈",
    "ldots": "…",
    "dots": "…",
    "cdots": "⋯",
    "odot": "⊙",
    "otimes": "⊗",
    "top": "⊤",
    "forall": "∀",
    "prod": "∏",
    "sum": "∑",
    "int": "∫",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "langle": "⟨",
    "rangle": "⟩",
    "colon": ":",
    "{": "{",
    "}": "}",
    "star": "⋆",
    "prime": "′",
    "equiv": "≡",
    "wedge": "∧",
    "vee": "∨",
    "neg": "¬",
    "partial": "∂",
    "nabla": "∇",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
}
FUNCTIONS = {
    "log",
    "exp",
    "max",
    "min",
    "tanh",
    "sinh",
    "cosh",
    "sin",
    "cos",
    "ln",
    "argmax",
    "logit",
    "Pr",
    "det",
    "var",
    "arg",
}
SPACES = {"quad": 1.0, "qquad": 2.0, ",": 0.17, ";": 0.28, ":": 0.22, "!": -0.17, " ": 0.3}
ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙"}
MOVING = {"∑", "∏", "max", "min", "argmax"}  # limits stand under and over these
TOKEN = re.compile(r"\\([A-Za-z]+|.)|(\d+(?:\.\d+)?|\.\d+)|([A-Za-z])|([_^{}&])|(\s+)|(.)", re.DOTALL)


class _Unknown(ValueError):
    """A command that this reader does not know."""


def mathml(latex: str, display: bool = True) -> str:
    """Convert LaTeX to a ``<math>`` element; unknown LaTeX comes back as written, in ``<code>``."""
    try:
        body = "".join(_row(_tokens(latex.strip()))[0])
    except (_Unknown, IndexError):
        return f'<code class="latex">{escape(latex)}</code>'
    return f'<math display="{"block" if display else "inline"}"><mrow>{body}</mrow></math>'


def _tokens(latex: str) -> list[tuple[str, str]]:
    kinds = ("command", "number", "letter", "special", "space", "other")
    found = []
    for match in TOKEN.finditer(latex):
        kind = kinds[match.lastindex - 1]
        found.append((kind, match[match.lastindex]))
    return found


def _row(tokens, at: int = 0, until: str = "") -> tuple[list[str], int]:
    """Read elements up to the token ``until``; each with the scripts that follow it."""
    elements: list[str] = []
    while at < len(tokens):
        kind, text = tokens[at]
        if kind == "special" and text == "}" and until == "}":
            return elements, at + 1
        if kind == "space":
            at += 1
            continue
        base, at, name = _element(tokens, at)
        if base is None:
            continue
        scripts = {}
        while True:
            ahead = at
            while ahead < len(tokens) and tokens[ahead][0] == "space":
                ahead += 1
            if ahead < len(tokens) and tokens[ahead][0] == "special" and tokens[ahead][1] in "_^":
                mark = tokens[ahead][1]
                scripts[mark], at, _ = _element(tokens, _skip(tokens, ahead + 1))
            else:
                break
        elements.append(_scripted(base, name, scripts))
    if until:
        raise _Unknown(until)
    return elements, at


def _skip(tokens, at: int) -> int:
    while tokens[at][0] == "space":
        at += 1
    return at


def _scripted(base: str, name: str, scripts: dict[str, str]) -> str:
    if not scripts:
        return base
    sub, sup = scripts.get("_"), scripts.get("^")
    kind = ("munder", "mover", "munderover") if name in MOVING else ("msub", "msup", "msubsup")
    if sub and sup:
        return f"<{kind[2]}>{base}{sub}{sup}</{kind[2]}>"
    tag = kind[0] if sub else kind[1]
    return f"<{tag}>{base}{sub or sup}</{tag}>"


def _group(tokens, at: int) -> tuple[str, int]:
    element, at, _ = _element(tokens, _skip(tokens, at))
    return element, at


def _verbatim(tokens, at: int) -> tuple[str, int]:
    """Text of a braced group, spaces kept."""
    at = _skip(tokens, at)
    if tokens[at] != ("special", "{"):
        raise _Unknown("text")
    end = tokens.index(("special", "}"), at)
    return "".join(text for _, text in tokens[at + 1 : end]), end + 1


def _element(tokens, at: int) -> tuple[str | None, int, str]:
    """Read one element: its MathML (None for nothing), the next position, and its plain name."""
    kind, text = tokens[at]
    at += 1
    if kind == "number":
        return f"<mn>{text}</mn>", at, text
    if kind == "letter":
        return f"<mi>{text}</mi>", at, text
    if kind == "special":
        if text == "{":
            inside, at = _row(tokens, at, "}")
            return f"<mrow>{''.join(inside)}</mrow>", at, ""
        raise _Unknown(text)
    if kind == "other":
        fence = ' stretchy="false"' if text in "()[]|" else ""
        return f"<mo{fence}>{escape(text.replace('-', '−').replace('*', '∗'))}</mo>", at, text
    if text in LETTERS:
        return f"<mi>{LETTERS[text]}</mi>", at, text
    if text in OPERATORS:
        return f"<mo>{OPERATORS[text]}</mo>", at, OPERATORS[text]
    if text in FUNCTIONS:
        return (
            f'<mi mathvariant="normal">{text}</mi><mo>&#x2061;</mo>' if text not in MOVING else f"<mo>{text}</mo>",
            at,
            text,
        )
    if text in SPACES:
        return f'<mspace width="{SPACES[text]:g}em"></mspace>', at, ""
    if text in ("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "textstyle", "limits"):
        return None, at, ""
    if text in ("text", "mathrm", "textrm", "operatorname"):
        words, at = _verbatim(tokens, at)
        tag = "mtext" if text in ("text", "textrm") else "mi"
        return f'<{tag} mathvariant="normal">{escape(words).replace(" ", "&#160;")}</{tag}>', at, words
    if text in ("mathcal", "mathbb", "mathbf", "boldsymbol"):
        inside, at = _group(tokens, at)
        return f"<mrow>{inside}</mrow>", at, ""
    if text in ACCENTS:
        inside, at = _group(tokens, at)
        return f'<mover accent="true">{inside}<mo>{ACCENTS[text]}</mo></mover>', at, ""
    if text == "sqrt":
        inside, at = _group(tokens, at)
        return f"<msqrt>{inside}</msqrt>", at, ""
    if text in ("frac", "tfrac", "dfrac"):
        above, at = _group(tokens, at)
        below, at = _group(tokens, at)
        return f"<mfrac>{above}{below}</mfrac>", at, ""
    raise _Unknown(text)
