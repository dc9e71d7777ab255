"""The port to a database of documents: transactions whose writes travel together, each guarded.

Round trips decide what such an engine costs. So a transaction is written as one list of changes,
each naming the state it expects, and the engine sends them together.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.contract import Event
from emporion.kernel.errors import Internal

T = TypeVar("T")
Document = Mapping[str, Any]
Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new document. One with its `_id`, or with another unique key of it, is a duplicate."""

    collection: str
    document: Document


@dataclass(frozen=True, slots=True)
class Update:
    """A change to the one document that matches; with `is_upsert`, made when there is none."""

    collection: str
    filter: Filter
    change: Document
    is_upsert: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """The one document that matches goes."""

    collection: str
    filter: Filter


Change = Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class Find:
    """What to look for: `sort` by (field, 1 or -1), at most `limit` documents (0: all)."""

    collection: str
    filter: Filter = field(default_factory=dict)
    sort: Sequence[tuple[str, int]] = ()
    limit: int = 0


@runtime_checkable
class DocumentTx(Protocol):
    """An open transaction on documents.

    Every method raises UniqueViolation on a duplicate, Unavailable when the engine cannot answer
    or another transaction changed the same document first; after an error all is rolled back.
    """

    async def find(self, what: Find) -> list[Document]:
        """The documents that match."""
        ...

    async def aggregate(self, collection: str, stages: Sequence[Document]) -> list[Document]:
        """What a pipeline over a collection yields; a bounded number."""
        ...

    async def write(self, changes: Sequence[Change]) -> bool:
        """Write all changes, in order, in one round trip; whether each update and delete matched.

        After False the caller raises: what the others wrote must not stand.
        """
        ...

    async def update_all(self, collection: str, filter_: Filter, change: Document) -> int:
        """Change every document that matches; how many matched."""
        ...

    async def delete_all(self, collection: str, filter_: Filter) -> int:
        """Delete every document that matches; how many."""
        ...

    async def publish(self, event: Event) -> None:
        """Write an integration event to the outbox: it leaves if, and only if, this commits."""
        ...


class DocumentDatabase(Protocol):
    """A service's own database of documents. See Database for what each method raises."""

    def transaction(
        self, work: Callable[[DocumentTx], Awaitable[T]], *, keys: Iterable[str] = ()
    ) -> Awaitable[T]:
        """Run `work` in a transaction; it may run again after a conflict.

        `keys` name what it will write: of this process's transactions, those with a key in
        common run one after another instead of colliding.
        """
        ...

    async def read(self, work: Callable[[DocumentTx], Awaitable[T]]) -> T:
        """Run `work` on a consistent snapshot of what is committed; writes are refused."""
        ...


def documents(database: Database) -> DocumentDatabase:
    """The database as one of documents, where the platform chose such an engine.

    Raises Internal when it is not one.
    """
    if database.engine != "mongodb":
        raise Internal(f"{database.engine} keeps rows, not documents")
    found: Any = database  # the engine's name says what it is
    documents_: DocumentDatabase = found
    return documents_


def documents_of(tx: Tx) -> DocumentTx:
    """A subscriber's transaction as one on documents. Raises Internal when it is not one."""
    if isinstance(tx, DocumentTx):
        return tx
    raise Internal("this transaction is one on rows, not on documents")
