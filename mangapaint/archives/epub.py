"""EPUB chapters, to read only: the pictures of the spine, in its order."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from lxml import etree

from mangapaint.archives import names
from mangapaint.archives.base import Extra, Kind
from mangapaint.archives.cbz import CbzReader
from mangapaint.errors import EncryptedError, InputError, PageError
from mangapaint.settings import InputSettings

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_HREF = "{http://www.w3.org/1999/xlink}href"


class EpubReader(CbzReader):
    """Without a spine that shows pictures, all pictures in natural order are the pages."""

    kind: Kind = "foreign"

    def __init__(self, path: Path, settings: InputSettings) -> None:
        super().__init__(path, settings)
        # extras() gives none: an EPUB's other files mean nothing outside of it.
        self.comicinfo = None

    def _choose(self) -> tuple[list[int], list[int], list[str]]:
        everything, _, skipped = names.classify(self._entries.names, self._entries.keys)
        by_name = {self._entries.names[index]: index for index in range(len(self._entries.names))}
        try:
            shown = list(dict.fromkeys(self._spine(by_name)))
        except (etree.XMLSyntaxError, ValueError, PageError) as error:
            raise InputError(f"damaged EPUB: {error}") from error
        pages = [by_name[name] for name in shown if names.is_picture(name)] or everything
        self._refuse_protected(by_name, {self._entries.names[index] for index in pages})
        return pages, [], skipped

    def extras(self) -> Iterator[Extra]:
        return iter(())

    def _spine(self, by_name: dict[str, int]) -> Iterator[str]:
        """Names of the pictures that the documents of the spine show, in order; some twice."""
        if _CONTAINER not in by_name:
            return
        rootfile = self._xml(by_name[_CONTAINER]).find(".//{*}rootfile")
        package_name = "" if rootfile is None else rootfile.get("full-path") or ""
        if package_name not in by_name:
            return
        package = self._xml(by_name[package_name])
        items = {item.get("id"): item.get("href") or "" for item in package.iterfind("{*}manifest/{*}item")}
        spine = package.find("{*}spine")
        self._progression = None if spine is None else spine.get("page-progression-direction")
        for reference in package.iterfind("{*}spine/{*}itemref"):
            document = _resolved(package_name, items.get(reference.get("idref"), ""))
            if document not in by_name:
                continue
            if names.is_picture(document):
                yield document
                continue
            for element in self._xml(by_name[document], forgiving=True).iter("{*}img", "{*}image"):
                picture = _resolved(document, element.get("src") or element.get(_HREF) or element.get("href") or "")
                if picture in by_name:
                    yield picture

    def _read_comicinfo(self) -> None:
        directions: dict[str | None, Literal["rtl", "ltr"]] = {"rtl": "rtl", "ltr": "ltr"}
        self.direction = directions.get(getattr(self, "_progression", None))

    def _refuse_protected(self, by_name: dict[str, int], pages: set[str]) -> None:
        """Fonts may be scrambled without harm; scrambled pictures are copy protection."""
        if _ENCRYPTION in by_name:
            for element in self._xml(by_name[_ENCRYPTION]).iter("{*}CipherReference"):
                if unquote(element.get("URI") or "") in pages:
                    raise EncryptedError("the EPUB is copy protected")

    def _xml(self, index: int, *, forgiving: bool = False) -> etree._Element:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=forgiving
        )
        root = etree.fromstring(self._entries.read(index), parser)
        if root is None:
            raise ValueError("an empty document")
        return root


def _resolved(base: str, reference: str) -> str:
    """Entry name that a reference inside the entry `base` means."""
    path = unquote(reference.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else ""
