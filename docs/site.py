"""A MkDocs hook: adds pages that live outside ``docs/``, and adapts links between files.

The documents link to each other as files of the repository, so that the links also work where the
repository is browsed. In the site, a link to a file that has a page goes to that page; a link to
any other file of the repository becomes plain text. A link to nothing stays, and is reported.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the models' cards, the benchmarks' page and the changelog to the site."""
    sources = {f"models/{path.name}": path for path in _ROOT.glob("restore_rt/zoo/*.md")}
    sources["benchmarks.md"] = _ROOT / "benchmarks" / "README.md"
    sources["changes.md"] = _ROOT / "CHANGELOG.md"
    for page, path in sources.items():
        files.append(File.generated(config, page, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages."""
    source = Path(page.file.abs_src_path or "").resolve()
    pages = {Path(file.abs_src_path).resolve(): file.src_uri for file in files if file.abs_src_path}

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        path = (source.parent / target).resolve()
        if path in pages:
            uri = os.path.relpath(pages[path], Path(page.file.src_uri).parent)
            return f"[{text}]({uri}{anchor})"
        return text if path.exists() else found[0]

    return _LINK.sub(link, markdown)
