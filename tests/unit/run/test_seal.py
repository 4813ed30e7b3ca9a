"""Signed verdicts: every byte of verdict, envelope and journal counts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from gate_stories import HELD, READY, ended, planned, played, started

from streampay_smoke import __version__
from streampay_smoke.core.signing import SigningKey
from streampay_smoke.evidence.events import AnyEvent, ServiceSeen
from streampay_smoke.evidence.journal import Journal, read
from streampay_smoke.evidence.redaction import Redactor
from streampay_smoke.gate.judge import judge
from streampay_smoke.gate.verdict import VerdictStatus
from streampay_smoke.operations.verification import differences
from streampay_smoke.run.folder import RunFolder
from streampay_smoke.run.seal import seal

KEY = SigningKey(b"\x07" * 32)
OTHER = SigningKey(b"\x08" * 32)

Ends = Callable[..., RunFolder]


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    """A run that ended, its verdict on disk and sealed."""

    def end(*story: AnyEvent | list[AnyEvent], key: SigningKey | None = KEY, signed_by: str | None = None) -> RunFolder:
        folder = RunFolder.create(tmp_path / "artifacts")
        signed_by = KEY.public.id if signed_by is None else signed_by
        begun = started(signed_by=signed_by, suite_version=__version__)
        with Journal(folder.journal_path, Redactor()) as journal:
            for part in (begun, *(story or passed())):
                for event in part if isinstance(part, list) else [part]:
                    journal.append(event)
        verdict = judge(read(folder.journal_path))
        folder.write_verdict(verdict)
        folder.path.joinpath("note").write_text(seal(folder, verdict, key))
        return folder

    return end


def passed() -> tuple[AnyEvent | list[AnyEvent], ...]:
    seen = ServiceSeen(release="r-1", network="testnet")
    return planned(READY), played(READY, HELD, seen), ended(readiness__ready="passed")


def note(folder: RunFolder) -> str:
    return (folder.path / "note").read_text()


def found(folder: RunFolder, key: SigningKey = KEY) -> list[str]:
    return list(differences(folder.journal_path, folder.verdict_path, key.public))


def test_a_sealed_run_is_verified(ends: Ends) -> None:
    folder = ends()
    assert found(folder) == []
    assert folder.attestation_path.exists()
    assert note(folder) == ""


def changes(content: bytes, *, every: int = 1) -> Iterator[bytes]:
    for at in range(0, len(content), every):
        changed = bytearray(content)
        changed[at] ^= 1 + at % 255
        yield bytes(changed)
    yield content[:-1]
    yield content + b" "
    yield content + content
    yield b""


# Every byte of an envelope is changed in tests/unit/core/test_signing.py, around a smaller payload;
# a journal is hashed.
@pytest.mark.parametrize(("file", "every"), [("verdict_path", 1), ("envelope_path", 7), ("journal_path", 5)])
def test_a_change_of_any_byte_is_found(ends: Ends, file: str, every: int) -> None:
    folder = ends()
    path: Path = getattr(folder, file)
    content = path.read_bytes()
    for changed in changes(content, every=every):
        path.write_bytes(changed)
        assert next(differences(folder.journal_path, folder.verdict_path, KEY.public), None), (file, changed)
    path.write_bytes(content)
    assert found(folder) == []


def test_a_changed_journal_is_judged_again_whatever_became_of_it(ends: Ends) -> None:
    folder = ends()
    for changed in changes(folder.journal_path.read_bytes(), every=41):
        folder.journal_path.write_bytes(changed)
        assert found(folder)
        assert not changed or judge(read(folder.journal_path)).schema


def test_another_key_does_not_verify(ends: Ends) -> None:
    assert any("signed by key" in difference for difference in found(ends(), OTHER))


def test_a_verdict_signed_again_by_another_key_is_found(ends: Ends) -> None:
    folder = ends()
    forged = msgspec.structs.replace(judge(read(folder.journal_path)), signed_by=OTHER.public.id)
    seal(folder, forged, OTHER)
    assert any("not what was signed" in difference for difference in found(folder, OTHER))
    folder.write_verdict(forged)
    assert any("gives another verdict" in difference for difference in found(folder, OTHER))


def test_a_forged_answer_is_judged_otherwise(ends: Ends) -> None:
    folder = ends(planned(READY))
    forged = msgspec.structs.replace(judge(read(folder.journal_path)), verdict=VerdictStatus.PASS, exit_code=0)
    folder.write_verdict(forged)
    seal(folder, forged, KEY)
    assert any("the journal proves INCONCLUSIVE" in difference for difference in found(folder))


def test_the_journal_of_another_run_is_found(ends: Ends) -> None:
    one, other = ends(), ends()
    one.journal_path.write_bytes(other.journal_path.read_bytes())
    assert any("not the journal" in difference for difference in found(one))


def test_without_an_envelope_nothing_is_verified(ends: Ends) -> None:
    folder = ends()
    folder.envelope_path.unlink()
    assert any("nothing shows" in difference for difference in found(folder))


def test_an_earlier_seal_does_not_outlive_its_verdict(ends: Ends) -> None:
    folder = ends()
    text = seal(folder, judge(read(folder.journal_path)), None)
    assert "is not signed" in text
    assert not folder.envelope_path.exists()
    assert not folder.attestation_path.exists()


def test_a_run_without_an_answer_is_signed_and_attests_nothing(ends: Ends) -> None:
    folder = ends(planned(READY))
    assert found(folder) == []
    assert not folder.attestation_path.exists()
    assert note(folder) == "nothing is attested: INCONCLUSIVE is no test result"


def test_only_the_key_a_verdict_names_signs_it(ends: Ends) -> None:
    assert not ends(key=OTHER).envelope_path.exists()
    refused = ends(signed_by="")
    assert not refused.envelope_path.exists()
    assert "refused before it began" in note(refused)


def test_a_run_without_a_key_is_neither_signed_nor_noted(ends: Ends) -> None:
    folder = ends(key=None, signed_by="")
    assert not folder.envelope_path.exists()
    assert note(folder) == ""
