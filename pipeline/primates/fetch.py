"""Where the raw files of a dataset are, byte for byte what was released.

A file is looked for in the directory that the user names (``<directory>/<dataset>/<path>``; read, never written),
then in the project's own ``data/`` (same layout), and is downloaded into ``data/`` if it is in neither. Size and
SHA-256 are those of ``resources/datasets.csv``. A file with other bytes stops the run: a result on altered data would
be worse than none. A file that cannot be had is no error, but a dataset that is missing for a reason.
"""

import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.primates import dataset

ROOT = Path(__file__).resolve().parents[2]
RESOURCES = ROOT / "resources"
CACHE = ROOT / "data"
VARIABLE = "PRIMATE_DATA_DIR"
TIMEOUT = (5.0, 20.0)  # s: to connect to one address of the host, and between two pieces of the answer
DOCUMENTS = ("LICENSE", "LICENCE", "COPYING", "README")  # kept with the data where possible, needed by no reader


class DatasetMissing(Exception):
    """A dataset that cannot be had on this machine; ``reason`` is one sentence for the report."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class File:
    """One released file: a row of ``resources/datasets.csv``."""

    dataset: str
    path: str
    url: str
    bytes: int
    sha256: str

    @property
    def document(self) -> bool:
        """Whether this is a licence or read-me rather than data."""
        return Path(self.path).name.upper().startswith(DOCUMENTS)


def files(name: str, table: Path = RESOURCES / "datasets.csv") -> list[File]:
    """List the files of a dataset as ``resources/datasets.csv`` has them, data before documents.

    Raises
    ------
    UserError
        If the dataset is unknown, has no rows, or a row cannot be read.
    """
    dataset(name)
    with open(table, newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["dataset"] == name]
    if not rows:
        raise UserError(
            f"{table}: no file is listed for dataset {name!r}; add a row (dataset, path, url, bytes, sha256)"
        )
    try:
        found = [
            File(row["dataset"], row["path"], row["url"], int(row["bytes"]), row["sha256"].lower()) for row in rows
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{table}: a row of {name!r} is not dataset, path, url, bytes, sha256 ({error})") from None
    return sorted(found, key=lambda file: file.document)


def locate(
    name: str,
    directory: str | Path | None = None,
    cache: Path = CACHE,
    table: Path = RESOURCES / "datasets.csv",
    timeout: tuple[float, float] = TIMEOUT,
) -> dict[str, Path]:
    """Find, and if need be download, the verified files of a dataset.

    Parameters
    ----------
    name : str
        Dataset.
    directory : str or Path, optional
        Folder laid out as ``<directory>/<dataset>/<path>``; by default the environment variable ``PRIMATE_DATA_DIR``.
    cache : Path
        Folder for downloads, same layout.
    table : Path
        List of files.
    timeout : (float, float)
        Seconds to wait for a connection, and for the next piece of the answer.

    Returns
    -------
    dict
        Path as in the list → file on this machine.

    Raises
    ------
    DatasetMissing
        If a data file is in neither folder and cannot be downloaded.
    UserError
        If a file is there, or was sent, with the wrong bytes.
    """
    directory = directory or os.environ.get(VARIABLE)
    folders = [Path(folder).expanduser() / name for folder in (directory, cache) if folder]
    found, downloaded = {}, False
    for file in files(name, table):
        place = next((folder / file.path for folder in folders if (folder / file.path).is_file()), None)
        if place is not None:
            verify(file, place)
        elif file.document and not downloaded:
            continue  # the user's own copy of the data came without it
        else:
            place = folders[-1] / file.path
            try:
                download(file, place, timeout)
            except OSError as error:  # what requests raises is an OSError too
                if file.document:
                    continue
                raise DatasetMissing(
                    f"{file.path} is not in {' nor in '.join(map(str, folders))} and could not be downloaded from "
                    f"{file.url}: {_plain(error, file.url)}. Name a folder that holds {name}/{file.path} (config key "
                    f"primate_data_dir or environment variable {VARIABLE}), or run once with a network connection."
                ) from None
            downloaded = True
        found[file.path] = place
    return found


def verify(file: File, place: Path, sent: bool = False) -> None:
    """Check that a file has the released bytes.

    Raises
    ------
    UserError
        Naming the file, what was expected and found, and the remedy.
    """
    if sent:
        called = f"{file.dataset}/{file.path} as sent by {file.url}"
        remedy = f"is a proxy or log-in page in between? Otherwise name a folder that holds the file ({VARIABLE})"
    else:
        called = str(place)
        remedy = f"delete it to have it downloaded again, or replace it by the released file ({file.url})"
    try:
        size = place.stat().st_size
        with open(place, "rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{called} cannot be read: {error.strerror or error}; give read permission") from None
    if size != file.bytes:
        wrong = "is cut short" if size < file.bytes else "is not the released file"
        raise UserError(f"{called} {wrong}: {size:,} bytes, expected {file.bytes:,}; {remedy}")
    if actual != file.sha256:
        raise UserError(f"{called} is not the released file: sha256 {actual}, expected {file.sha256}; {remedy}")


def download(file: File, target: Path, timeout: tuple[float, float] = TIMEOUT) -> Path:
    """Download one file and verify it; it appears at ``target`` whole and right, or not at all."""
    import pooch

    with replacing(target) as part:
        pooch.HTTPDownloader(timeout=timeout)(file.url, str(part), None)
        verify(file, part, sent=True)
    return target


def _plain(error: OSError, url: str) -> str:
    """One clause for a failed download."""
    import requests

    host = urlsplit(url).netloc
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{host} answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return f"the connection to {host} broke off"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to {host}"
    return str(error) or type(error).__name__
