"""What the generator of the pages cannot do by itself: pages that lie elsewhere, and links that lead out of ``docs``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page on contributing, which lies where code hosts look for it, and the list of decisions."""
    contributing = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "contributing.md", content=contributing))
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for page in pages]
    listed = [f"- [{title}]({page.name})" for page, title in zip(pages, titles, strict=True)]
    text = "\n".join(["# Decisions", "", "What was decided, why, and the figures.", "", *listed, ""])
    files.append(File.generated(config, "decisions/index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn a link to a file of the project that is no page into its name, once it is sure that the file is there."""
    here = (ROOT / "docs" / page.file.src_uri).parent

    def name(link: re.Match[str]) -> str:
        target = (here / link[2]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists():
            raise PluginError(f"{page.file.src_uri} links to {link[2]}, and there is no such file")
        return f"{link[1]} (`{target.relative_to(ROOT).as_posix()}`)" if "`" not in link[1] else link[1]

    return _OUTSIDE.sub(name, markdown)
