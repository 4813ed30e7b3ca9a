"""How secrets look that nobody announced: by the shape of the value, or by its name. This table is all there is."""

import functools
import re

import msgspec

REDACTED = "<redacted>"

SECRET_NAMES = (
    "access.key",
    "access.key.id",
    "api.key",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "dsn",
    "encryption.key",
    "hmac.key",
    "jwt",
    "master.key",
    "mnemonic",
    "passwd",
    "password",
    "private.key",
    "pwd",
    "secret",
    "secret.key",
    "seed",
    "seed.phrase",
    "session.id",
    "shared.key",
    "sid",
    "signature",
    "signing.key",
)
"""Names whose value is a secret, whatever words stand before them; a dot may be left out or be any separator.

So are names that end in "token", but a bare "token" may also be what a stream is paid in.
"""

_FIELDS = frozenset(name.replace(".", "") for name in SECRET_NAMES)
_LONG_FIELDS = tuple(name for name in sorted(_FIELDS) if len(name) >= 6)  # "sid" ends "businessid", these end nothing
_WORDS_OF_A_NAME = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")

_STEMS = ("key", "auth", "secret", "cookie", "credential", "dsn", "jwt", "mnemonic", "passw", "pwd", "seed")
_MORE_STEMS = ("session", "sid", "signature", "token")

_NAMES = "|".join(name.replace(".", "[ _.-]?") for name in sorted(SECRET_NAMES, key=len, reverse=True))
_NAMED = rf"(?:(?<![a-z])(?:{_NAMES})|(?<=[a-z0-9_.-])token)(?:[_-]b)?"
_QUOTE = r"""\\*(?:["']|&(?:amp;)?(?:quot|#x27|#39);)"""
_IS = rf"(?:{_QUOTE})?\]?\s*(?:=>|[:=])\s*"
_PUBLIC = r"(?:[A-Za-z0-9]{1,12}:)?[GC][A-Z2-7]{55}(?![A-Za-z0-9])"  # an address, a contract, an asset and its issuer
_QUOTED = rf"""({_QUOTE})(?!<redacted>|{_PUBLIC})(?=.{{4}})(?:(?!\2)[^\r\n])*"""
_WORD = rf"""(?!<redacted>|{_PUBLIC})(?=[^\s"'&;,<>]*\d|[^\s"'&;,<>]{{16}})[^\s"'&;,<>)}}\]\\]{{6,}}"""
_OPAQUE = r"""(?=[^\s"',;<>]*\d|[^\s"',;<>]{20})[^\s"',;<>\\]{8,}"""
_LETTERS = r"[\w+/=.~-]"
_PROSE = r"(?:the|and|for|was|are|has|not|its|but|you|who|were|been|from|does)\b"
_NO_VALUE = r"<redacted>|\s|(?:[a-z]+ )?[$<{]|\w+`"  # nothing, a placeholder, or a word of a page
_HEADERS = "(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-[a-z-]*token|[a-z0-9]+-[a-z0-9-]*signature[a-z0-9-]*"

_VENDORS = {
    "gh": r"gh[pousr]_\w{20,}",
    "github_pat_": r"github_pat_\w{20,}",
    "glpat-": r"glpat-[\w-]{16,}",
    "xox": r"xox[abeoprs]-[\w-]{10,}",
    "k_": r"[sr]k_(?:live|test)_\w{10,}",
    "whsec_": r"whsec_[\w+/=]{16,}",
    "aiza": r"AIza[\w-]{30,}",
    "ya29": r"ya29\.[\w-]{20,}",
    "akia": r"AKIA[0-9A-Z]{16}",
    "asia": r"ASIA[0-9A-Z]{16}",
    "npm_": r"npm_\w{30,}",
    "sg.": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "hvs.": r"hvs\.[\w-]{20,}",
}
"""GitHub, GitLab, Slack, Stripe, Google, AWS, npm, SendGrid, Vault: who deploys a StreamPay holds some of these."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How secrets of one kind look, and what is written instead: groups of the pattern stay.

    Only a text with one of the `signs` in it, in lower case, is searched at all.
    """

    kind: str
    signs: tuple[str, ...]
    pattern: str
    replacement: str = REDACTED

    def hide(self, text: str) -> str:
        """Return a text without secrets of this kind."""
        return _compiled(self.pattern).sub(self.replacement, text)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled when it is first needed: all of them would slow down the start of every run."""
    return re.compile(pattern)


SHAPES = (
    Shape(
        kind="private key in PEM",
        signs=("private key",),
        pattern=r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*KEY(?: BLOCK)?-----|$)",
    ),
    Shape(kind="Stellar seed", signs=("s",), pattern=r"S(?<![A-Z2-7]S)[A-Z2-7]{55}(?![A-Z2-7])"),
    Shape(kind="JWT, signed, encrypted or neither", signs=("eyj",), pattern=r"\beyJ[\w-]{4,}(?:\.[\w-]*){1,4}"),
    Shape(
        kind="PASETO",
        signs=(".local.", ".public."),
        pattern=r"\bv[1-4]\.(?:local|public)\.[\w-]{16,}(?:\.[\w-]+)?",
    ),
    Shape(kind="token of StreamPay's sign-in", signs=("tok_",), pattern=r"\btok_[A-Za-z0-9_-]{16,}"),
    Shape(kind="token or key of a vendor", signs=tuple(_VENDORS), pattern=rf"\b(?:{'|'.join(_VENDORS.values())})"),
    Shape(
        kind="address of a webhook",
        signs=("hooks.slack.com", "api/webhooks"),
        pattern=r"(\bhooks\.slack\.com/services/|\bdiscord\.com/api/webhooks/)[\w/-]{8,}",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="password in an address, unescaped",
        signs=("://",),
        pattern=r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/:@\"']*:(?!\d+(?:[/?#]|$))[^\s\"']+@",
        replacement=rf"\1{REDACTED}@",
    ),
    Shape(
        kind="user and password in an address",
        signs=("://",),
        pattern=r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@\"']+@",
        replacement=rf"\1{REDACTED}@",
    ),
    Shape(
        kind="header that carries a secret",
        signs=("authorization", "cookie", "x-", "-signature"),
        pattern=rf"(?i)(?<![\w-])((?:{_HEADERS})\\*[\"']?\s*:\s*\\*[\"']?)(?!{_NO_VALUE})[^\"'\r\n\\]+",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="value of a scheme",
        signs=("bearer", "apikey", "basic"),
        pattern=rf"(?i)\b(bearer|apikey|basic)(\s+){_OPAQUE}",
        replacement=rf"\1\2{REDACTED}",
    ),
    Shape(
        kind="answer to a digest challenge",
        signs=("response=",),
        pattern=r"(?i)(\bresponse=\\*\"?)[0-9a-f]{32}\b",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="value by its name",
        signs=_STEMS + _MORE_STEMS,
        pattern=rf"(?i)({_NAMED}{_IS})(?:{_QUOTED}|{_WORD})",
        replacement=rf"\1\2{REDACTED}",
    ),
    Shape(
        kind="value of a bare token, which is no asset",
        signs=("token",),
        pattern=rf"(?i)((?<![a-z_-])token{_IS}\\*[\"']?)(?!{_PUBLIC})(?:{_LETTERS}{{13,}}|(?<=[?&#]token=){_LETTERS}{{6,}})",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="option of a command",
        signs=("--",),
        pattern=r"(?i)(--[a-z-]*(?:password|token|secret|api-key)[= ])(?!<redacted>)[^\s\"']{6,}",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="private part of a JWK",
        signs=("kty",),
        pattern=rf"({_QUOTE}(?:k|d|p|q|dp|dq|qi){_QUOTE}\s*:\s*{_QUOTE})[\w-]{{20,}}",
        replacement=rf"\1{REDACTED}",
    ),
    Shape(
        kind="phrase of a wallet",
        signs=(" ",),
        pattern=rf"\b(?:(?!{_PROSE})[a-z]{{3,8}}\s+){{11,23}}(?!{_PROSE})[a-z]{{3,8}}\b",
    ),
)
"""Every shape a secret is known by, in the order they are looked for."""


def without_shapes(text: str) -> str:
    """Return a text without anything that looks like a secret."""
    lowered = text.lower()
    for shape in SHAPES:
        for sign in shape.signs:
            if sign in lowered:
                text = shape.hide(text)
                break
    return text


@functools.lru_cache(maxsize=1024)  # every answer has the same fields and headers
def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret; a bare "token" may be an asset, and is not decided here."""
    words = [word.lower() for word in _WORDS_OF_A_NAME.findall(name)]
    whole = "".join(words)
    if whole.endswith("token"):
        return whole != "token"
    return whole.endswith(_LONG_FIELDS) or any("".join(words[-count:]) in _FIELDS for count in (1, 2, 3))


def shortened(text: str, limit: int, mark: str = "…") -> str:
    """Return a text cut to at most `limit` characters, and the mark, without a part of a word at its end.

    Half a secret is recognised by nobody any more, so it must not be made by cutting: what has a shape is hidden first.
    """
    if len(text) <= limit:
        return text
    text = without_shapes(text)
    if len(text) <= limit:
        return text
    kept = text[:limit]
    if _LETTER.match(text[limit]):
        kept = _LAST_WORD.sub("", kept)
    return kept + mark


_LETTER = re.compile(r"[\w+/=.%~-]")
_LAST_WORD = re.compile(r"[\w+/=.%~-]+\Z")
