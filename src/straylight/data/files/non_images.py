"""Recognise files that accompany images: system files, folders of file servers, and texts."""

from posixpath import basename, splitext

FOLDERS = frozenset({"__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found"})
SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "dicomdir", "icon\r"})
TEXTS = frozenset({"authors", "changelog", "citation", "copying", "license", "notice", "readme"})
SUFFIXES = frozenset(
    {
        *(
            ".txt",
            ".md",
            ".rst",
            ".pdf",
            ".html",
            ".htm",
            ".log",
            ".csv",
            ".tsv",
            ".json",
            ".jsonl",
        ),
        *(".xml", ".yaml", ".yml", ".toml", ".xls", ".xlsx", ".ods", ".doc", ".docx", ".parquet"),
        *(".md5", ".sha1", ".sha256", ".cls", ".py", ".sh", ".ipynb"),
    }
)


def is_hidden(part: str) -> bool:
    """Return whether a file or folder of this name is hidden or belongs to the system.

    >>> is_hidden(".DS_Store"), is_hidden("@eaDir"), is_hidden("thumbnails")
    (True, True, False)
    """
    return part.startswith(".") or part.lower() in FOLDERS


def is_companion(name: str) -> bool:
    """Return whether a file is known not to be an image by its name alone.

    >>> is_companion("chest/Thumbs.db"), is_companion("LICENSE"), is_companion("chest/scan.xyz")
    (True, True, False)
    """
    last = basename(name).lower()
    return last in SYSTEM or last in TEXTS or splitext(last)[1] in SUFFIXES
