"""Secrets in the shapes in which services, libraries and people spill them; every value is made up from a seed.

A shape is written with `{...}` where secrets stand; `secrets` are what of it must be nowhere afterwards. Most are
somebody else's, known by nothing but their look. Those of the operator are known, and come in every disguise.
"""

import base64
import html
import json
import random
import re
import string
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from stellar_sdk import Keypair

ALNUM = string.ascii_letters + string.digits
BASE64URL = f"{ALNUM}-_"
PHRASE = (
    "legal winner thank year wave sausage worth useful letter advice cage absurd amount doctor acoustic avoid void "
    "come hamster diagram private dutch cause delay turtle panda clever crouch nuclear ozone galaxy sunset tiger velvet"
)
WORDS = PHRASE.split()


class Spilled(msgspec.Struct, frozen=True, kw_only=True):
    """A text, and the secrets in it."""

    text: str
    secrets: tuple[str, ...]


class Maker:
    """Makes up secrets from a seed."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)

    def of(self, letters: str, length: int) -> str:
        return "".join(self._dice.choice(letters) for _ in range(length))

    def hex(self, length: int = 64) -> str:
        return self.of("0123456789abcdef", length)

    def raw(self, length: int = 32) -> bytes:
        return self._dice.randbytes(length)

    def seed(self) -> str:
        return Keypair.from_raw_ed25519_seed(self.raw()).secret

    def base64(self, length: int = 32) -> str:
        return base64.b64encode(self.raw(length)).decode()

    def part(self, value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def jwt(self) -> str:
        head, claims = {"alg": "HS256", "typ": "JWT"}, {"sub": self.of(ALNUM, 12), "exp": 4_000_000_000}
        return f"{self.part(head)}.{self.part(claims)}.{self.of(BASE64URL, 43)}"

    def phrase(self, words: int) -> str:
        return " ".join(self._dice.choice(WORDS) for _ in range(words))

    def pem(self, kind: str = "", length: int = 48) -> tuple[str, tuple[str, ...]]:
        body = self.base64(length)
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        label = f"{kind} PRIVATE KEY".strip()
        text = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])
        return text, tuple(lines)

    def alnum(self, length: int = 24) -> str:
        return self.of(ALNUM, length)


def _one(text: str, secret: str) -> Spilled:
    return Spilled(text=text.format(secret), secrets=(secret,))


def _pem(kind: str, *, escaped: bool = False, length: int = 48) -> Callable[[Maker], Spilled]:
    def spill(make: Maker) -> Spilled:
        text, lines = make.pem(kind, length)
        return Spilled(text=json.dumps({"key": text}) if escaped else text, secrets=lines)

    return spill


def _basic(make: Maker) -> Spilled:
    password = make.alnum()
    encoded = base64.b64encode(f"smoke:{password}".encode()).decode()
    return Spilled(text=f"Authorization: Basic {encoded}", secrets=(encoded, password))


def _jwk(make: Maker) -> Spilled:
    private, public = make.of(BASE64URL, 43), make.of(BASE64URL, 43)
    return Spilled(text=json.dumps({"kty": "OKP", "crv": "Ed25519", "x": public, "d": private}), secrets=(private,))


def _env_dump(make: Maker) -> Spilled:
    secrets = (make.hex(), make.alnum(32), make.alnum(16), make.base64())
    names = ("JWT_SECRET", "METRICS_AUTH_TOKEN", "DB_PASSWORD", "KMS_SIGNING_KEY")
    lines = [f"{name}={secret}" for name, secret in zip(names, secrets, strict=True)]
    return Spilled(text="\n".join(["NODE_ENV=production", *lines, "PORT=3000"]), secrets=secrets)


def _environ_repr(make: Maker) -> Spilled:
    secrets = (make.alnum(40), make.alnum(20))
    return Spilled(
        text=repr({"HOME": "/srv", "AWS_SECRET_ACCESS_KEY": secrets[0], "DATABASE_PASSWORD": secrets[1]}),
        secrets=secrets,
    )


def _stack_trace(make: Maker) -> Spilled:
    secret = make.alnum(28)
    return Spilled(
        text="Error: connect ECONNREFUSED\n    at Pool.connect (pg.js:45)\n"
        f"    config: {{ user: 'app', password: '{secret}' }}",
        secrets=(secret,),
    )


SPILLED: Mapping[str, Callable[[Maker], Spilled]] = {
    # keys
    "Stellar seed": lambda make: _one("the operator's seed is {} here", make.seed()),
    "Stellar seed in a list": lambda make: _one('["GABC",{!r}]', make.seed()),
    "hex key in a field": lambda make: _one('{{"privateKey":"{}"}}', make.hex()),
    "hex key in a log line": lambda make: _one("level=debug secretKey={} msg=signed", make.hex()),
    "base64 key in a field": lambda make: _one('{{"signing_key": "{}"}}', make.base64()),
    "base64 key of the environment": lambda make: _one("SMOKE_SIGNING_KEY={}", make.base64()),
    "PKCS#8 in PEM": _pem(""),
    "PKCS#8 in PEM, inside JSON": _pem("", escaped=True),
    "RSA key in PEM": _pem("RSA", length=600),
    "EC key in PEM": _pem("EC", length=121),
    "OpenSSH key": _pem("OPENSSH", length=300),
    "encrypted key in PEM": _pem("ENCRYPTED", length=180),
    "JWK": _jwk,
    "JWKS with the signing secret": lambda make: _one('{{"keys":[{{"kty":"oct","k":"{}"}}]}}', make.of(BASE64URL, 43)),
    "AWS keys": lambda make: Spilled(
        text=f"aws_access_key_id = {(first := 'AKIA' + make.of(string.ascii_uppercase, 16))}\n"
        f"aws_secret_access_key = {(second := make.base64(30))}",
        secrets=(first, second),
    ),
    "phrase of 12 words": lambda make: _one("wallet: {}", make.phrase(12)),
    "phrase of 24 words": lambda make: _one('{{"backup":"{}"}}', make.phrase(24)),
    "phrase by its name": lambda make: _one('{{"mnemonic":"{}"}}', make.phrase(12)),
    # tokens
    "JWT": lambda make: _one("token {} accepted", make.jwt()),
    "JWT, unsigned": lambda make: _one("{}", make.jwt().rpartition(".")[0] + "."),
    "JWE": lambda make: _one("{}", ".".join(["eyJhbGciOiJkaXIifQ", *(make.of(BASE64URL, 30) for _ in range(4))])),
    "PASETO": lambda make: _one("v4.local.{}", make.of(BASE64URL, 60)),
    "token of StreamPay's sign-in": lambda make: _one("tok_{}", make.of(BASE64URL, 24)),
    "GitHub token": lambda make: _one("remote: ghp_{} is not valid", make.alnum(36)),
    "GitHub token, fine-grained": lambda make: _one("github_pat_{}", make.alnum(60)),
    "GitLab token": lambda make: _one("glpat-{}", make.of(BASE64URL, 20)),
    "Slack token": lambda make: _one("xoxb-{}", make.alnum(40)),
    "Stripe key": lambda make: _one("sk_live_{}", make.alnum(24)),
    "Stripe webhook secret": lambda make: _one("whsec_{}", make.alnum(32)),
    "Google API key": lambda make: _one("AIza{}", make.of(BASE64URL, 35)),
    "npm token": lambda make: _one("npm_{}", make.alnum(36)),
    "SendGrid key": lambda make: _one("SG.{0}", make.of(BASE64URL, 22) + "." + make.of(BASE64URL, 43)),
    "refresh token": lambda make: _one('{{"refresh_token":"{}"}}', make.alnum(40)),
    "API key by its name": lambda make: _one("apiKey: '{}'", make.alnum(32)),
    # headers
    "bearer header": lambda make: _one("authorization: Bearer {}", make.alnum(40)),
    "basic header": _basic,
    "API key header": lambda make: _one("X-API-Key: {}", make.alnum(32)),
    "digest header": lambda make: _one('Authorization: Digest username="a", realm="b", response="{}"', make.hex(32)),
    "cookie header": lambda make: _one("Cookie: theme=dark; sid={}; lang=en", make.alnum(32)),
    "set-cookie header": lambda make: _one("Set-Cookie: connect.sid=s%3A{}; Path=/; HttpOnly", make.alnum(32)),
    "cookie header with unknown names": lambda make: _one("Cookie: a1=dark; b2={}", make.alnum(32)),
    "bearer value in words": lambda make: _one("sent Bearer {} and was refused", make.alnum(40)),
    "CSRF header": lambda make: _one("x-csrf-token: {}", make.hex()),
    "headers in JSON": lambda make: _one('{{"headers":{{"authorization":"Bearer {}"}}}}', make.alnum(40)),
    "webhook signature, GitHub's": lambda make: _one("X-Hub-Signature-256: sha256={}", make.hex()),
    "webhook signature, Stripe's": lambda make: _one("Stripe-Signature: t=1700000000,v1={}", make.hex()),
    "webhook signature, StreamPay's": lambda make: _one("x-streampay-signature: v1={}", make.hex()),
    # addresses
    "user and password in an address": lambda make: _one("https://smoke:{}@internal.example/x", make.alnum(20)),
    "password with an @ in an address": lambda make: _one("postgres://app:p@{}/x@db.example:5432/pay", make.alnum(20)),
    "Sentry address": lambda make: _one("https://{}@o1.ingest.example/42", make.hex(32)),
    "Redis address": lambda make: _one("redis://:{}@cache.example:6379/0", make.alnum(20)),
    "MongoDB address": lambda make: _one("mongodb+srv://app:{}@cluster0.example/pay", make.alnum(20)),
    "DSN in words": lambda make: _one("host=db.example user=app password={} dbname=pay", make.alnum(20)),
    "JDBC address": lambda make: _one("jdbc:postgresql://db.example/pay?user=app&password={}", make.alnum(20)),
    "token in a query": lambda make: _one("GET /hook?access_token={}&x=1", make.alnum(32)),
    "token in a fragment": lambda make: _one("https://app.example/cb#access_token={}&state=1", make.alnum(32)),
    "presigned address": lambda make: _one("https://s3.example/b/o?X-Amz-Signature={}", make.hex()),
    "address of a webhook": lambda make: _one("https://hooks.slack.com/services/T0001/B0001/{}", make.alnum(24)),
    # dumps
    "lines of an .env": _env_dump,
    "environment of a process": _environ_repr,
    "stack trace with its configuration": _stack_trace,
    "YAML": lambda make: _one("database:\n  user: app\n  password: {}\n", make.alnum(20)),
    "exported variable": lambda make: _one("export GITHUB_TOKEN='{}'", make.alnum(40)),
    "option of a command": lambda make: _one("psql --host db --password {} pay", make.alnum(20)),
    "token in a log line": lambda make: _one("level=warn token={} msg=rejected", make.alnum(32)),
    "short token in a query": lambda make: _one("https://app.example/hook?token={}", make.alnum(12)),
    "session id": lambda make: _one("session_id={} expired", make.alnum(32)),
    "JSON inside JSON": lambda make: _one('{{"body":"{{\\"client_secret\\":\\"{}\\"}}"}}', make.alnum(32)),
}
"""Somebody else's secrets, by shape."""


def _broken(secret: str) -> str:
    return "\n".join(secret[at : at + 9] for at in range(0, len(secret), 9))


def _some(secret: str, write: Callable[[str], str]) -> str:
    return "".join(write(letter) if number % 3 == 1 else letter for number, letter in enumerate(secret))


DISGUISES: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded, every letter": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "percent-encoded, some letters": lambda secret: _some(secret, lambda letter: f"%{ord(letter):02X}"),
    "percent-encoded twice": lambda secret: quote("".join(f"%{byte:02X}" for byte in secret.encode())),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "in base64, with a name before it": lambda secret: base64.b64encode(f"smoke:{secret}".encode()).decode(),
    "in base64, inside JSON": lambda secret: base64.b64encode(json.dumps({"t": secret, "n": 1}).encode()).decode(),
    "in hex": lambda secret: secret.encode().hex(),
    "in hex, upper case": lambda secret: secret.encode().hex().upper(),
    "unicode-escaped": lambda secret: "".join(f"\\u{ord(letter):04x}" for letter in secret),
    "unicode-escaped, some letters": lambda secret: _some(secret, lambda letter: f"\\u{ord(letter):04X}"),
    "byte-escaped": lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode()),
    "in JSON": lambda secret: json.dumps({"echo": secret}),
    "in HTML": lambda secret: f"<code>{html.escape(secret)}</code>",
    "in HTML, by numbers": lambda secret: "".join(f"&#{ord(letter)};" for letter in secret),
    "in HTML, by hex numbers": lambda secret: _some(secret, lambda letter: f"&#x{ord(letter):x};"),
    "over several lines": _broken,
    "over several lines, escaped": lambda secret: json.dumps(_broken(secret))[1:-1],
    "in an address": lambda secret: f"https://app.example/cb?state=1&next={quote(secret, safe='')}#top",
    "the first two thirds": lambda secret: f"{secret[: len(secret) * 2 // 3]}...",
    "the last two thirds": lambda secret: f"...{secret[len(secret) // 3 :]}",
    "in quotes": lambda secret: repr({"received": secret}),
}
"""Ways to write a secret that is known, such as one of the operator's."""


def spilled(name: str, seed: str) -> Spilled:
    """Return what spills somebody else's secret in this shape."""
    return SPILLED[name](Maker(f"{seed}/{name}"))


def found_in(text: str, secrets: Iterable[str], window: int = 12) -> str:
    """Return a part of a secret that somebody can read out of a text, "" for none; a part has so many letters."""
    parts = {part for secret in secrets for part in parts_of(secret, window)}
    return next(iter(parts_in(text, parts, window)), "")


def parts_of(secret: str, window: int = 12) -> Iterator[str]:
    """Yield every run of so many letters of a secret."""
    return (secret[at : at + window] for at in range(max(1, len(secret) - window + 1)))


def parts_in(text: str, parts: Collection[str], window: int = 12) -> set[str]:
    """Return those of the parts that somebody can read out of a text."""
    read = "\0".join(readings(text))
    return {part for at in range(len(read) - window + 1) if (part := read[at : at + window]) in parts}


def readings(text: str) -> Iterator[str]:
    """Yield a text as it is and as anybody might decode it."""
    escaped = re.sub(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))", lambda it: chr(int(it[1] or it[2], 16)), text)
    for view in (text, unquote(unquote(text)), escaped, html.unescape(text)):
        yield view
        yield re.sub(r"\s|\\[nrt]", "", view)
    for run in re.findall(r"[0-9a-fA-F]{16,}", text):
        yield from (bytes.fromhex(cut[: len(cut) // 2 * 2]).decode("latin-1") for cut in (run, run[1:]))
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        plain = run.replace("-", "+").replace("_", "/")
        for skipped in range(4):
            cut = plain[skipped : skipped + (len(plain) - skipped) // 4 * 4]
            yield base64.b64decode(cut).decode("latin-1")


HARMLESS = (
    "transaction a93c11f91d40fca1e0ac655d190fbd309c957de853c6740da6161636d9c3f515 in ledger 11",
    (
        "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF paid "
        "GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H"
    ),
    "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC",
    '{"token":"XLM","rate":"0.7777777","schedule":"minute","id":"stream-1a2b3c4d"}',
    '{"token":"USDC:GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5","nextCursor":"c3RyZWFtLTEyMzQ="}',
    "{'token': 'CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC', 'status': 'settled'}",
    '{"passphrase":"Test SDF Network ; September 2015","protocolVersion":27,"friendbotUrl":"https://friendbot.stellar.org/"}',
    "x-request-id: smoke-0123456789abcdef0123456789abcdef",
    "idempotency-key: smoke-20261123T212214Z-e5f124-settle-0a1b2c3d",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    'ETag: W/"2026-11-23T21:22:14.000Z"',
    '"journal_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","keyid":"5f1d","signed_by":""',
    (
        "release 3f2504e04f8911d39a0c0305e82c3301aabbccdd is ready, "
        "image sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b"
    ),
    "AAAAAgAAAABzdv3ojkzWHMD7KUoXhrPx0GH18vHKV0ZfqpMiEblG1gAAAGQAAAAAAAAAAQAAAAEAAAAAAAAAAAAAAABqAAAAAAAAAA==",
    "http://127.0.0.1:8000/rpc?limit=20 and https://horizon-testnet.stellar.org:443/x@y",
    "the bearer of bad news shows a bearer token that is junk, basic authentication and the operator's bearer token",
    "set SMOKE_AUTH_TOKEN, SMOKE_API_KEY or SMOKE_AUTH_JWT_SECRET in the environment: the secret is missing",
    "VALIDATION_ERROR: recipient INVALID_STELLAR_KEY; signature: missing; password: too short",
    "A settled stream pays the recipient on the ledger, and a settlement that is repeated pays nobody again",
    "a token signed by somebody else is refused; an expired token is refused; an unsigned token (alg none) is refused",
    "2026-11-23T21:22:14.123Z 0.7777777 1,234,567 stroops 9223372036854775807 -170141183460469231731687303715884105728",
    "auth_token=<secret> api_key=None signer_seed=<secret> settlement_proof=ledger tags=@smoke token_contract_id=",
    "4e1f6c1e-7f0a-4f5c-9a3e-0b9d8c7e6f5a created by run 20261123T212214Z-e5f124",
)
"""What reports live from: none of it is a secret."""
