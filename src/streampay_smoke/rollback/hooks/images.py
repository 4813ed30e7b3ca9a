"""Which release a set of containers is, by the digest of its image, by a label or by an annotation."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from streampay_smoke.core.errors import SettingsInvalid
from streampay_smoke.rollback.hook import HookFailed

IMAGE_DIGEST = "image-digest"
_DIGEST = re.compile(r"(?:^|@)(sha256:[0-9a-f]{64})$")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod template tells its release, and which container is the release's own ("" where there is just one)."""

    told_by: str
    container: str = ""

    def __post_init__(self) -> None:
        kind, _, name = self.told_by.partition(":")
        if self.told_by != IMAGE_DIGEST and not (kind in {"label", "annotation"} and name):
            raise SettingsInvalid(
                f"[rollback] release_told_by is {self.told_by!r}",
                next_step=f"use {IMAGE_DIGEST}, label:NAME or annotation:NAME, of the pod template",
            )

    def release(self, template: Mapping[str, Any]) -> str | None:
        """Return the release of a pod template, None where it tells none."""
        if self.told_by == IMAGE_DIGEST:
            return digest_of(self._image(template))
        kind, _, name = self.told_by.partition(":")
        release = ((template.get("metadata") or {}).get(f"{kind}s") or {}).get(name)
        return str(release) if release else None

    def refuse_moving(self, template: Mapping[str, Any], whose: str) -> None:
        """Raise HookFailed when the image is named by a tag: what it stands for may have changed since."""
        image = self._image(template)
        if digest_of(image) is None:
            raise HookFailed(
                f"{whose} names its image by a tag, {image or 'none'}: it may be another image by now",
                next_step="deploy images by digest (name@sha256:...), so that the same one can be put back",
            )

    def _image(self, template: Mapping[str, Any]) -> str:
        containers = (template.get("spec") or {}).get("containers") or []
        named = [one for one in containers if not self.container or one.get("name") == self.container]
        if len(named) != 1:
            names = ", ".join(str(one.get("name")) for one in containers) or "none"
            raise HookFailed(
                f"the release's container is not clear: {self.container or 'none'} is named, there are: {names}",
                next_step="set container in the settings of the hook to the one that holds the release",
            )
        return str(named[0].get("image", ""))


def digest_of(image: str) -> str | None:
    """Return the digest an image is named by, None where it is named by a tag."""
    found = _DIGEST.search(image)
    return found[1] if found else None
