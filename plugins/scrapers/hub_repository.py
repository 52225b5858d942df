"""A data set's repository on a Hugging Face hub: its commit, its files, the footers of its Parquet files, and any range of their bytes.

What belongs to a commit never changes, so it is kept beside the source's state and not asked for again. Requests are huggingface_hub's
(its retries, its proxies, its offline mode), but for ranges: HfFileSystem takes whatever answer comes for the range it asked for.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import SourceError
from schemas.fingerprint import identify

MAX_RANGE = 1 << 30
"""Bytes of one range; a column of a row group is one, and none sensible is longer."""
SECONDS = 30
"""What a request may wait for the next bytes."""
TRIES = 3
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


class Repository:
    """A data set by name; `work` is a folder to keep what is known of its commits in."""

    def __init__(self, dataset: str, work: Path) -> None:
        self.dataset = dataset
        self.work = work
        self.endpoint = os.environ.get("HF_ENDPOINT") or None
        self._token: Any = os.environ.get("HF_TOKEN") or False
        """From the environment alone: False keeps the client from looking for one it stored at `hf auth login`."""

    def listing(self, revision: str) -> Listing:
        """What is in the repository at a revision. Raises SourceError."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        if _COMMIT.match(revision) and (known := Listing.load(self._plan(revision))):
            return known
        api = HfApi(endpoint=self.endpoint, token=self._token)
        with self._told(revision):
            info = api.dataset_info(self.dataset, revision=revision, timeout=SECONDS)
            if not info.sha or not _COMMIT.match(info.sha):
                raise SourceError(
                    f"the hub names no commit for {self.dataset} at {revision}; it answered {info.sha!r}"
                )
            if known := Listing.load(self._plan(info.sha)):
                return known
            tree = api.list_repo_tree(self.dataset, recursive=True, revision=info.sha, repo_type="dataset")
            files = {file.path: (file.size, file.blob_id) for file in tree if isinstance(file, RepoFile)}
        card: Any = info.card_data
        stated = getattr(card, "license", None)
        return Listing(self._plan(info.sha), info.sha, files, stated if isinstance(stated, str) else None, {})

    def open(self, commit: str, name: str, size: int) -> Remote:
        """A file's bytes, to seek and read."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        url = hf_hub_url(self.dataset, name, repo_type="dataset", revision=commit, endpoint=self.endpoint)
        return Remote(self, url, size, build_hf_headers(token=self._token))

    def _plan(self, commit: str) -> Path:
        return self.work / f"hub-{identify(self.endpoint or '', self.dataset, commit)}.json"

    @contextmanager
    def _told(self, where: str) -> Iterator[None]:
        """Errors of the client as a SourceError that says what to type."""
        import httpx
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:
            yield
        except GatedRepoError:
            raise SourceError(
                f"{self.dataset} is gated: accept its terms on its page of the hub, then: export HF_TOKEN=…"
            ) from None
        except RepositoryNotFoundError:
            token = (
                "the token in HF_TOKEN may not read it"
                if self._token
                else "it is private, then: export HF_TOKEN=…"
            )
            raise SourceError(f'the hub has no data set "{self.dataset}", or {token}.') from None
        except RevisionNotFoundError:
            hint = 'the hub has not converted it; read its own Parquet files with path = "data/*.parquet"'
            why = hint if where.startswith("refs/convert") else "name a branch, a tag or a commit of it"
            raise SourceError(f"{self.dataset} has no revision {where}: {why}.") from None
        except HFValidationError as error:
            raise SourceError(f'"{self.dataset}" is no name of a data set: {error}') from None
        except OfflineModeIsEnabled:
            raise SourceError(
                f"{self.dataset} at {where} is not known here, and HF_HUB_OFFLINE is set. Unset it: unset HF_HUB_OFFLINE"
            ) from None
        except (
            OSError,
            httpx.HTTPError,
        ) as error:  # an answer of the hub's, made an OSError by the client; or none
            raise SourceError(self.unreached(where, error)) from None

    def unreached(self, where: str, error: Exception) -> str:
        """The sentence for a request that failed, without the token."""
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if self._token:
            text = text.replace(self._token, "…")
        return f"the hub did not give {self.dataset} at {where}: {text}. Build again: what was read already is kept."


class Listing:
    """The files of one commit, and the Parquet footers seen of them."""

    def __init__(
        self,
        plan: Path,
        commit: str,
        files: dict[str, Any],
        licence: str | None,
        footers: dict[str, Any],
    ) -> None:
        self.commit, self.files, self.license = commit, files, licence
        self._plan, self._footers = plan, footers

    @classmethod
    def load(cls, plan: Path) -> Listing | None:
        """What was kept; None where nothing was."""
        try:
            told = json.loads(plan.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls(plan, told["commit"], told["files"], told["license"], told["footers"])

    def save(self) -> None:
        """Keep it, whole or not at all."""
        self._plan.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._plan.with_suffix(".fresh")
        told = {"commit": self.commit, "files": self.files, "license": self.license, "footers": self._footers}
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.rename(self._plan)

    def footer(self, repository: Repository, name: str) -> dict[str, Any]:
        """`names` of the columns of a Parquet file, and (rows, bytes) of its row `groups`. Raises SourceError where it is none."""
        if name not in self._footers:
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                with (
                    repository.open(self.commit, name, self.files[name][0]) as remote,
                    pq.ParquetFile(remote) as file,
                ):
                    seen = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
                    groups = [(group.num_rows, group.total_byte_size) for group in seen]
                    self._footers[name] = {"names": file.schema_arrow.names, "groups": groups}
            except (pa.ArrowException, OSError) as error:
                raise SourceError(
                    f"{repository.dataset}: {name} is no Parquet file: {error}. Leave it out of `path`."
                ) from None
        return self._footers[name]


class Remote(io.RawIOBase):
    """A file on the hub. Every read is one request for just these bytes; an answer of any others is refused."""

    def __init__(self, repository: Repository, url: str, size: int, headers: dict[str, str]) -> None:
        super().__init__()
        self._repository, self._url, self._size, self._headers = repository, url, size, headers
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readall(self) -> bytes:
        return self.read(self._size - self._at)

    def read(self, size: int | None = -1) -> bytes:
        """The bytes from here on. Raises SourceError where the hub does not give them."""
        if size is None or size < 0:
            size = self._size - self._at
        size = min(size, self._size - self._at)
        if size <= 0:
            return b""
        if size > MAX_RANGE:
            raise OSError(f"a piece of {size} bytes is more than {MAX_RANGE}")
        found = self._range(self._at, self._at + size)
        self._at += size
        return found

    def readinto(self, buffer: Any) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _range(self, start: int, stop: int) -> bytes:
        import httpx
        from huggingface_hub.utils import hf_raise_for_status, http_stream_backoff  # type: ignore[attr-defined]

        headers = {**self._headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        where = f"bytes {start} to {stop - 1} of {self._url}"
        found = bytearray()
        for tried in range(1, TRIES + 1):
            found.clear()
            try:
                with http_stream_backoff("GET", self._url, headers=headers, timeout=SECONDS) as response:
                    if response.status_code >= 400:
                        response.read()
                        hf_raise_for_status(response)
                    said = response.headers.get("content-range", "")
                    if response.status_code != 206 or said != f"bytes {start}-{stop - 1}/{self._size}":
                        raise SourceError(
                            f"the hub answered {response.status_code} {said!r} for {where}; a proxy that takes ranges apart is a common cause"
                        )
                    for block in response.iter_raw():
                        found += block
                        if len(found) > stop - start:
                            break
            except (OSError, httpx.HTTPError) as error:
                if tried == TRIES or not isinstance(error, httpx.TransportError):
                    raise SourceError(self._repository.unreached(where, error)) from None
                continue
            if len(found) == stop - start:
                return bytes(found)
        raise SourceError(
            f"the hub sent {len(found)} bytes for {where}. Build again: what was read already is kept."
        )
