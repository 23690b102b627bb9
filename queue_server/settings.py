"""Settings, all from the environment with the prefix LOOKSWRONG_; with none set everything is embedded."""

import os
import secrets
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from queue_server.errors import SettingsError


class Settings(BaseSettings):
    """What one process of the server runs with."""

    model_config = SettingsConfigDict(env_prefix="LOOKSWRONG_", frozen=True, extra="ignore")

    #: where the embedded defaults live: database, images, broker, secret
    data_dir: Path = Path(".lookswrong")
    #: SQLAlchemy URL; empty: SQLite in the data directory
    database_url: str = ""
    #: Redis URL of Celery's broker; empty: `serve` runs an embedded Valkey
    broker_url: str = ""
    #: object store (file:///…, s3://…, gs://…, az://…); empty: a folder in the data directory
    blob_url: str = ""
    #: the address under which browsers, Label Studio's among them, reach this server
    public_url: str = "http://127.0.0.1:8500"
    #: the address under which Label Studio's server reaches our webhook; empty: the public one
    internal_url: str = ""
    #: signs image URLs and encrypts token keys; a comma-separated list: the first signs, all verify
    secret_key: str = Field(default="", repr=False)
    label_studio_url: str = ""
    #: legacy token or personal access token
    label_studio_api_key: str = Field(default="", repr=False, pattern=r"^[\x21-\x7e]*$")

    max_image_bytes: int = Field(default=25_000_000, gt=0)
    max_image_pixels: int = Field(default=100_000_000, gt=0)
    #: of one JSON document, a sample with its prediction among them
    max_json_bytes: int = Field(default=10_000_000, gt=0)
    max_batch_samples: int = Field(default=100, gt=0)
    #: how many proxies of ours stand before this server: that many addresses of `X-Forwarded-For` are believed
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    #: how often a page may post by one token, from one address, and to one project, each call counted apart
    token_posts_per_minute: int = Field(default=10, gt=0)
    address_posts_per_minute: int = Field(default=600, gt=0)
    project_posts_per_minute: int = Field(default=6000, gt=0)
    #: SQLite's durability: FULL survives power loss, NORMAL a kill only
    sqlite_synchronous: str = Field(default="FULL", pattern="^(FULL|NORMAL|EXTRA)$")

    #: how long a push may hold its tasks; must outlast a slow import
    lease_seconds: float = Field(default=120.0, gt=0)
    push_batch: int = Field(default=100, gt=0, le=1000)
    #: a worker shows its jobs' figures there, for Prometheus; 0: the web process does, as it runs on the same machine
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    decide_every_seconds: float = Field(default=2.0, gt=0)
    #: how often thresholds and rates that policies take from the traffic are looked after
    freeze_every_seconds: float = Field(default=60.0, gt=0)
    push_every_seconds: float = Field(default=3.0, gt=0)
    #: how soon a webhook's hint is followed up
    pull_hint_every_seconds: float = Field(default=3.0, gt=0)
    #: how often everything is pulled, whether or not Label Studio said something
    pull_every_seconds: float = Field(default=60.0, gt=0)
    #: how often alerts that are due a look are looked for, and what is to be said is sent
    alerts_every_seconds: float = Field(default=60.0, gt=0)
    #: smtp://[user:password@]host[:port] or smtps://…; empty: no e-mail
    smtp_url: str = Field(default="", repr=False)
    mail_from: str = Field(default="Looks Wrong <looks-wrong@localhost>", min_length=3, max_length=200)
    #: how often the figures that pages show are made, where that is quick
    snapshot_every_seconds: float = Field(default=60.0, gt=0)

    #: metrics of your own, as path.py:function, by commas
    custom_metrics: str = ""
    #: how often samples without metrics are looked for
    measure_every_seconds: float = Field(default=60.0, gt=0)
    #: how often metrics that hang on other samples are worked out: novelty, label quality, …
    relate_every_seconds: float = Field(default=3600.0, gt=0)

    def __init__(self, **values: object) -> None:
        super().__init__(**values)  # type: ignore[arg-type]  # pydantic validates what comes

    @cached_property
    def effective_database_url(self) -> str:
        """Return the database's URL, the embedded one where none is set; PostgreSQL always through psycopg 3."""
        url = self.database_url or f"sqlite:///{(self.data_dir / 'lookswrong.db').resolve()}"
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url

    @cached_property
    def effective_blob_url(self) -> str:
        """Return the object store's URL, a local folder where none is set."""
        return self.blob_url or (self.data_dir / "blobs").resolve().as_uri()

    @cached_property
    def webhook_base_url(self) -> str:
        """Return where Label Studio's server reaches us."""
        return (self.internal_url or self.public_url).rstrip("/")

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """Return the secrets, the signing one first; SettingsError when there is none."""
        keys = tuple(key.strip() for key in self.secret_key.split(",") if key.strip())
        if not keys:
            raise SettingsError("LOOKSWRONG_SECRET_KEY must be set; make one with: openssl rand -hex 32")
        if short := [key for key in keys if len(key) < 16]:
            raise SettingsError(f"LOOKSWRONG_SECRET_KEY must have at least 16 characters, got {len(short[0])}")
        return keys


def load() -> Settings:
    """Read the settings of this process; a secret that `serve` made earlier is found in the data directory."""
    try:
        settings = Settings()
    except ValueError as error:
        raise SettingsError(f"a LOOKSWRONG_ setting is wrong: {error}") from error
    kept = settings.data_dir / "secret_key"
    if not settings.secret_key and kept.exists():
        return settings.model_copy(update={"secret_key": kept.read_text().strip()})
    return settings


def keep_secret(data_dir: Path) -> str:
    """Return the data directory's own secret, made at the first call; two processes at once get the same."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "secret_key"
    fresh = data_dir / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_hex(32))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text().strip()
