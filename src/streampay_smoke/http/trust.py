"""Which certificate authorities are trusted: the public ones, this machine's, and those of SSL_CERT_FILE and _DIR.

None replaces another: an internal deployment and a public ledger are reached in the same run.
"""

import os
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.system_facts import variables

FILE_VARIABLE = "SSL_CERT_FILE"
DIRECTORY_VARIABLE = "SSL_CERT_DIR"

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
"""Where systems keep their authorities: a Python that was not built for this one looks elsewhere."""

_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21, 27})
"""OpenSSL's codes for a chain that ends at nobody who is trusted here (X509_V_ERR_...)."""

_lock = threading.Lock()
_contexts: dict[tuple[str, str], ssl.SSLContext] = {}


def trusted(environ: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """Return what https is verified with: one for the process, made when it is first needed (tens of milliseconds).

    Raises SettingsInvalid when SSL_CERT_FILE or SSL_CERT_DIR names nothing that can be used.
    """
    environ = variables() if environ is None else environ
    named = (environ.get(FILE_VARIABLE, ""), environ.get(DIRECTORY_VARIABLE, ""))
    with _lock:
        if named not in _contexts:
            _contexts[named] = _new_context(*named)
        return _contexts[named]


def only(authority: Path) -> ssl.SSLContext:
    """Return a context that trusts one file's authorities and no others; raises OSError when it holds none."""
    return ssl.create_default_context(cafile=authority)


def refuse_unusable_trust(environ: Mapping[str, str] | None = None) -> None:
    """Raise SettingsInvalid when SSL_CERT_FILE or SSL_CERT_DIR names nothing that can be used."""
    environ = variables() if environ is None else environ
    _load_named(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), environ.get(FILE_VARIABLE, ""), environ.get(DIRECTORY_VARIABLE, "")
    )


def is_unknown_authority(problem: ssl.SSLCertVerificationError) -> bool:
    """Whether a certificate was refused only because nobody trusted here vouches for it."""
    return problem.verify_code in _UNKNOWN_AUTHORITY


def _new_context(file: str, directories: str) -> ssl.SSLContext:
    import certifi  # with its bundle read for https only

    context = ssl.create_default_context(cafile=certifi.where())
    paths = ssl.get_default_verify_paths()
    loaded = {os.path.realpath(certifi.where())}
    for bundle in (paths.openssl_cafile, *_SYSTEM_BUNDLES):
        if Path(bundle).is_file() and os.path.realpath(bundle) not in loaded:
            loaded.add(os.path.realpath(bundle))
            _load_system(context, cafile=bundle)
    if Path(paths.openssl_capath).is_dir():
        _load_system(context, capath=paths.openssl_capath)
    if os.name == "nt":  # pragma: no cover - Windows keeps its authorities in no file
        context.load_default_certs()
    _load_named(context, file if os.path.realpath(file) not in loaded else "", directories)
    return context


def _load_system(context: ssl.SSLContext, *, cafile: str | None = None, capath: str | None = None) -> None:
    """Add authorities of this machine; nobody asked for them by name, so what cannot be read adds none."""
    try:
        context.load_verify_locations(cafile=cafile, capath=capath)
    except OSError:
        return


def _load_named(context: ssl.SSLContext, file: str, directories: str) -> None:
    if file:
        try:
            context.load_verify_locations(cafile=file)
        except ssl.SSLError:
            raise _unusable(FILE_VARIABLE, file, "holds no certificate in PEM") from None
        except OSError as problem:
            raise _unusable(FILE_VARIABLE, file, f"cannot be read ({problem.strerror})") from None
    for directory in filter(None, directories.split(os.pathsep)):
        if not Path(directory).is_dir():
            raise _unusable(DIRECTORY_VARIABLE, directory, "is no directory")
        context.load_verify_locations(capath=directory)


def _unusable(variable: str, path: str, why: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"{variable} names {path}, which {why}",
        next_step=f"set {variable} to the certificate of your authority in PEM, or unset it: the authorities of this "
        "machine and the public ones are trusted without it",
    )
