"""Judges a journal again, and verifies a signed verdict: the envelope, its bytes, and the journal it came from."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from streampay_smoke import __version__
from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.core.signing import BadEnvelope, PublicKey
from streampay_smoke.core.system_facts import variables
from streampay_smoke.evidence.events import RunStarted
from streampay_smoke.evidence.journal import JOURNAL, read
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import EXIT_CODES, VERDICT, Verdict, VerdictStatus, from_json, to_json
from streampay_smoke.run.folder import ENVELOPE
from streampay_smoke.run.seal import VERDICT_TYPE


def judge_again(journal: Path, *, verify: str | None, verdict: Path | None, as_json: bool) -> int:
    """Print the verdict on a journal, or on that of a run's folder, and return its exit code.

    With `verify`, a public key or its file, only where the journal and its `verdict`, by default the file beside it,
    are what that key signed. Raises SettingsInvalid for what is no key, and for a journal that cannot be read.
    """
    journal = journal / JOURNAL if journal.is_dir() else journal
    try:
        read_again = read(journal)
    except OSError as error:
        raise SettingsInvalid(
            f"the journal {journal} cannot be read: {error.strerror}",
            next_step=f"give a run's folder, such as artifacts/latest, or its {JOURNAL}",
        ) from error
    if verify is not None and not _verified(journal, verdict or journal.with_name(VERDICT), verify):
        return EXIT_CODES[VerdictStatus.INCONCLUSIVE]
    found = judge(read_again)
    if as_json:
        sys.stdout.buffer.write(to_json(found))
        return found.exit_code
    from streampay_smoke.publish.report_model import report_of
    from streampay_smoke.publish.terminal import console_answer, paint_for, width_of

    run = report_of(read_again.entries, found)
    print(console_answer(run, paint_for(sys.stdout, variables()), width_of(sys.stdout)), end="")
    return found.exit_code


def _verified(journal: Path, verdict: Path, verify: str) -> bool:
    """Whether a journal and its verdict are what the given key signed; says what differs."""
    key = PublicKey.given(verify)
    found = list(differences(journal, verdict, key))
    for difference in found:
        print(f"not verified: {difference}", file=sys.stderr)
    if not found:
        print(f"verified: signed by key {key.id}", file=sys.stderr)
    return not found


def differences(journal: Path, verdict: Path, key: PublicKey) -> Iterator[str]:
    """Yield what differs between a journal, its verdict and what `key` signed; nothing when all is as it was.

    The envelope is looked for beside the verdict. Raises OSError for a journal that cannot be read.
    """
    content = journal.read_bytes()
    try:
        shown = verdict.read_bytes()
        signed = key.verify(verdict.with_name(ENVELOPE).read_bytes(), VERDICT_TYPE)
    except OSError as error:
        yield f"{error.filename}: {error.strerror}: nothing shows that this verdict was signed"
        return
    except BadEnvelope as problem:
        yield f"{ENVELOPE}: {problem}"
        return
    if shown != signed:
        yield f"{verdict.name} is not what was signed: they differ from byte {_first_difference(shown, signed)} on"
    try:
        answer = from_json(signed)
    except msgspec.DecodeError as problem:
        yield f"the signed verdict cannot be read by this version: {problem}"
        return
    if answer.signed_by != key.id:
        yield "the signed verdict names another key than the one that signed it"
    if hashlib.sha256(content).hexdigest() != answer.evidence.journal_sha256:
        yield f"{journal.name} is not the journal the signed verdict was computed from"
    yield from _judged_differently(journal, answer, signed)


def _judged_differently(journal: Path, answer: Verdict, signed: bytes) -> Iterator[str]:
    """Judge again. Another version may say it in other words and fields, but not answer otherwise."""
    again = read(journal)
    verdict = judge(again)
    answers = (verdict.verdict, verdict.exit_code, verdict.reason_code)
    if answers != (answer.verdict, answer.exit_code, answer.reason_code):
        proved, signed_one = (f"{each.verdict} ({each.reason_code})" for each in (verdict, answer))
        yield f"the journal proves {proved}, not {signed_one}"
    elif to_json(verdict) != signed and _written_by(again.entries[0].event if again.entries else None) == __version__:
        yield "the journal gives another verdict than the signed one, though their answers are the same"


def _written_by(first: object) -> str:
    return first.suite_version if isinstance(first, RunStarted) else __version__


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
