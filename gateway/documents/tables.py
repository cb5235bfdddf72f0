"""The ledger's tables, for SQLite and PostgreSQL alike.

Times are Unix seconds. Amounts are decimal text, never floats. JSON is text written by the gateway and by nobody else. Whatever
changes here needs a migration: a test compares this module with what the migrations make.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

_ID = BigInteger().with_variant(Integer, "sqlite")

documents = Table(
    "documents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("operation", String(200), nullable=False),
    Column("version", String(10), nullable=False),
    Column("satellite", String(200), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("roles", Text, nullable=False),  # JSON: the roles its credential carried
    Column("state", String(16), nullable=False),
    Column("seq", Integer, nullable=False),  # counts steps; the ETag, and the order of callbacks
    Column("revision", Integer, nullable=False),
    Column("delivery", String(8), nullable=False),  # inline or queued
    Column("key", String(300)),  # idempotency key or natural key, prefixed with its kind
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of what was asked for
    Column("request", Text, nullable=False),  # JSON: method, path, query, params, content_type
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Double),
    Column("reference", String(200)),  # the ERP's number
    Column("answer", Text),  # JSON: status and headers of the answer to give again
    Column("answer_body", LargeBinary),
    Column("note", Text),  # why it is where it is: JSON, a stable code with parameters
    Column("hold", Text),  # JSON: what people are asked, see gateway.documents.records.Hold
    Column("initiator", String(200)),
    UniqueConstraint("satellite", "operation", "key", name="uq_documents_key"),
    Index("ix_documents_state", "state", "updated_at"),
    Index("ix_documents_satellite", "satellite", "received_at"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("document", String(32), ForeignKey("documents.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("hold", Text),
    Column("editor", String(200), nullable=False),
    Column("at", Double, nullable=False),
)
"""Earlier revisions of a document; the current one is in ``documents``."""

votes = Table(
    "votes",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("document", String(32), ForeignKey("documents.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("person", String(200), nullable=False),
    Column("decision", String(8), nullable=False),  # approve or reject; absent, booked or discard for operators
    Column("payload_hash", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("delegator", String(200)),
    Column("method", String(20), nullable=False),  # how the person proved to be there: oidc, webauthn, demo
    Column("roles", Text, nullable=False),  # JSON: the roles the sign-in carried
    Column("reason", Text),
    UniqueConstraint("document", "revision", "person", "decision", name="uq_votes_person"),
)

payees = Table(
    "payees",
    metadata,
    Column("document", String(32), ForeignKey("documents.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("operation", String(200), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("payee", String(300), nullable=False),  # normalised account
    Column("amount", String(60), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at", Double, nullable=False),
    Index("ix_payees_payee", "operation", "payee", "at"),
)
"""What documents would pay to whom, for the rolling window."""

work = Table(
    "work",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("document", String(32), ForeignKey("documents.id")),
    Column("kind", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("problem", Text),  # why the last attempt failed
    Index("ix_work_at", "at"),
    Index("ix_work_document", "document"),
    sqlite_autoincrement=True,  # the number of a piece that is done must not become another's, which somebody late would finish
)
"""What has to be done and when: sends, probes, timers, messages, callbacks. A claim is a later ``at``."""

delegations = Table(
    "delegations",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("tenant", String(200), nullable=False),
    Column("delegator", String(200), nullable=False),
    Column("delegate", String(200), nullable=False),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("seal", String(64), nullable=False, server_default=text("''")),  # see gateway.documents.seals
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the cookie's value
    Column("person", String(200), nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("authenticated_at", Double, nullable=False),
    Column("seal", String(64), nullable=False, server_default=text("''")),  # see gateway.documents.seals
    Index("ix_sessions_seen_at", "seen_at"),
)
"""People signed in to the console."""

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(400), primary_key=True),  # WebAuthn credential id, base64url
    Column("person", String(200), nullable=False),
    Column("name", String(100), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("seal", String(64), nullable=False, server_default=text("''")),  # see gateway.documents.seals
    Index("ix_credentials_person", "person"),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("content", LargeBinary),  # the files, packed; nothing where they hold a secret in plain text
    Column("first_seen", Double, nullable=False),
)
"""Every policy that was live or proposed, by the SHA-256 of its content."""

activations = Table(
    "activations",
    metadata,
    Column("number", _ID, primary_key=True, autoincrement=True),
    Column("digest", String(64), ForeignKey("policies.digest"), nullable=False),
    Column("at", Double, nullable=False),
    Column("how", String(10), nullable=False),  # start, file, rollback or document
    Column("mode", String(8), nullable=False),  # the setting policy.activation: files or dual
    Column("proposal", String(32)),  # the document by which two people agreed
    Column("proposed_by", String(200)),
    Column("approved_by", Text, nullable=False),  # JSON: a list of people
    Column("summary", String(300), nullable=False),
    Column("entry", BigInteger, nullable=False),  # the audit entry that says so; without it the row counts for nothing
    sqlite_autoincrement=True,
)
"""Which policy went live when. The last one is live wherever policies need two people."""

audit = Table(
    "audit",
    metadata,
    Column("seq", _ID, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),  # canonical JSON (RFC 8785)
    Column("document", String(32)),
    Column("hash", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
    Index("ix_audit_document", "document", "seq"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", _ID, primary_key=True, autoincrement=False),  # of the audit entry that says the same, and more
    Column("first", Double, nullable=False),
    Column("last", Double, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("subject", String(256), nullable=False),
    Column("tenant", String(256), nullable=False),
    Column("operation", String(200), nullable=False),
    Column("version", String(10), nullable=False),
    Column("allowed", Boolean, nullable=False),
    Index("ix_decisions_last", "last"),
    Index("ix_decisions_subject", "subject", "seq"),
    Index("ix_decisions_tenant", "tenant", "seq"),
)
"""What policy decided, to be searched. The entry of the audit chain is the truth."""

chain = Table(
    "chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row: the head of the audit chain. Whoever writes to the ledger holds it, so writers follow each other."""
